use std::{
    fmt::{self, Debug},
    panic::Location,
};

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

impl Debug for Failed {
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

/// Fails the check unless both are equal; of long values the part is shown where they begin to differ.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {{
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            let what = format!($($what)+);
            let (found, expected) = $crate::conformance::failed::differing(found, expected);
            return Err($crate::conformance::Failed::new(format!("{what}: expected {expected}, found {found}")));
        }
    }};
}

/// Both as they are printed, cut to what a reader can take in.
pub(in crate::conformance) fn differing(one: &(impl Debug + ?Sized), two: &(impl Debug + ?Sized)) -> (String, String) {
    let (one, two) = (format!("{one:?}"), format!("{two:?}"));
    let same = one.chars().zip(two.chars()).take_while(|(one, two)| one == two).count();
    (part(&one, same), part(&two, same))
}

/// At most 300 characters of a text, from a little before this one on.
fn part(text: &str, around: usize) -> String {
    let start = if text.chars().count() > 300 { around.saturating_sub(80) } else { 0 };
    let shown: String = text.chars().skip(start).take(300).collect();
    let before = if start > 0 { "… " } else { "" };
    let after = if text.chars().nth(start + 300).is_some() { " …" } else { "" };
    format!("{before}{shown}{after}")
}
