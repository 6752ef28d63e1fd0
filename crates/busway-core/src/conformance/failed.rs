use std::{fmt, panic::Location};

use crate::Error;

/// Why a check failed, in a sentence, and where.
#[derive(Clone, PartialEq, Eq)]
pub struct Failed {
    why: String,
    at: &'static Location<'static>,
}

/// What a check says.
pub type Outcome = Result<(), Failed>;

impl Failed {
    /// A failure found at the caller's line.
    #[track_caller]
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), at: Location::caller() }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.why, self.at.file(), self.at.line())
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Error> for Failed {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format!("a call that must succeed failed: {error}"))
    }
}

impl From<tokio::task::JoinError> for Failed {
    #[track_caller]
    fn from(error: tokio::task::JoinError) -> Self {
        Self::new(format!("a task of the check panicked: {error}"))
    }
}

/// Fails the check unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err($crate::conformance::Failed::new(format!($($why)+)));
        }
    };
}

/// Fails the check unless both are equal; long values are cut.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {{
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            let what = format!($($what)+);
            return Err($crate::conformance::Failed::new(format!(
                "{what}: expected {}, found {}",
                $crate::conformance::failed::shown(expected),
                $crate::conformance::failed::shown(found),
            )));
        }
    }};
}

/// A value as it is printed, cut to what a reader can take in.
pub(in crate::conformance) fn shown<T: fmt::Debug + ?Sized>(value: &T) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(400) {
        Some((cut, _)) => format!("{}… ({} bytes)", &text[..cut], text.len()),
        None => text,
    }
}
