use std::{borrow::Cow, error::Error as _, fmt, io};

use busway_core::{Error, ErrorKind};

/// What a command's exit code says when it is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The server or the store said no.
    Refused = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// No server, or no answer.
    Unreachable = 3,
    /// The caller may not do this.
    Forbidden = 4,
    /// It was done, and what it looked for is there: events lost, out of order.
    Problems = 5,
}

/// Why a command did not do what it was asked: a code, a headline, and a line per fault.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Cow<'static, str>,
    exit: Exit,
    headline: String,
    lines: Vec<String>,
    silent: Option<u8>,
}

impl Failure {
    /// A failure of this code.
    pub(crate) fn new(exit: Exit, code: impl Into<Cow<'static, str>>, headline: impl Into<String>) -> Self {
        Self { code: code.into(), exit, headline: headline.into(), lines: Vec::new(), silent: None }
    }

    /// The server or the store said no.
    pub(crate) fn refused(code: impl Into<Cow<'static, str>>, headline: impl Into<String>) -> Self {
        Self::new(Exit::Refused, code, headline)
    }

    /// The command line is wrong.
    pub(crate) fn usage(headline: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", headline)
    }

    /// The configuration is wrong.
    pub(crate) fn configuration(headline: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "invalid_configuration", headline)
    }

    /// No server, or no answer.
    pub(crate) fn unreachable(headline: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, "unreachable", headline)
    }

    /// The same with one more line below the headline.
    pub(crate) fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// The same with more lines below the headline.
    pub(crate) fn lines<T: Into<String>>(mut self, lines: impl IntoIterator<Item = T>) -> Self {
        self.lines.extend(lines.into_iter().map(Into::into));
        self
    }

    /// What kind of end this is.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// A signal asked the process to end; `code` is what a shell then expects.
    pub(crate) fn ended_by_signal(code: u8) -> Self {
        Self { silent: Some(code), ..Self::refused("signal", "ended by a signal") }
    }

    /// What the process exits with: 0 if only the reader of the output went away.
    pub(crate) fn exit_code(&self) -> u8 {
        self.silent.unwrap_or(self.exit as u8)
    }

    /// True if nobody is to be told.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent.is_some()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.headline)?;
        self.lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::Unreachable => Exit::Unreachable,
            ErrorKind::Forbidden | ErrorKind::Unauthorized => Exit::Forbidden,
            ErrorKind::InvalidConfiguration => Exit::Usage,
            _ => Exit::Refused,
        };
        let context = error.context().iter().map(|(name, value)| format!("{name} {value}"));
        let source = error.source().map(|source| source.to_string()).filter(|source| !error.detail().contains(source));
        Self::new(exit, error.kind().code(), error.detail()).lines(context.chain(source))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let reader_is_gone = error.kind() == io::ErrorKind::BrokenPipe;
        Self { silent: reader_is_gone.then_some(0), ..Self::refused("io", error.to_string()) }
    }
}
