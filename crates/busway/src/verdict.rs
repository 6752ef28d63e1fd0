use std::{error::Error as StdError, fmt, time::Duration};

use busway_core::BoxError;
use busway_engine::Outcome;

/// What a listener decides about its delivery, carried as an error so that `?` and `return Err(..)` do.
#[derive(Debug)]
enum Verdict {
    RetryIn(Duration),
    Dead(String),
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RetryIn(delay) => write!(f, "asked to be tried again in {delay:?}"),
            Self::Dead(detail) => f.write_str(detail),
            Self::Skipped => f.write_str("skipped"),
        }
    }
}

impl StdError for Verdict {}

/// `Err(retry_in(MINUTE))`: the delivery failed and is to be tried again after this long, whatever the
/// subscription's policy says. The run counts as an attempt.
pub fn retry_in(delay: Duration) -> BoxError {
    Verdict::RetryIn(delay).into()
}

/// `Err(dead("no title"))`: no further try can help; the delivery becomes a dead letter at once. Also
/// `.map_err(dead)?`.
pub fn dead(why: impl fmt::Display) -> BoxError {
    Verdict::Dead(why.to_string()).into()
}

/// `Err(skipped())`: the listener does not want this event. It is acknowledged, and counted apart.
pub fn skipped() -> BoxError {
    Verdict::Skipped.into()
}

/// How the run that returned this ended.
pub(crate) fn outcome(result: Result<(), BoxError>) -> Outcome {
    let Err(error) = result else { return Outcome::Done };
    match verdict_in(&*error) {
        Some(Verdict::Skipped) => Outcome::Skipped,
        Some(Verdict::Dead(_)) => Outcome::Dead { error: chain(&*error) },
        Some(Verdict::RetryIn(delay)) => Outcome::Retry { delay: Some(*delay), error: chain(&*error) },
        None => Outcome::Retry { delay: None, error: chain(&*error) },
    }
}

/// The verdict may be the source of an error that says more about it.
fn verdict_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Verdict> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(verdict) = error.downcast_ref() {
            return Some(verdict);
        }
        next = error.source();
    }
    None
}

/// An error and what caused it, each source once.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use busway_core::{Error, ErrorKind};

    use super::*;

    fn failed(error: impl Into<BoxError>) -> Outcome {
        outcome(Err(error.into()))
    }

    #[test]
    fn each_verdict_ends_the_run_its_own_way() {
        assert_eq!(outcome(Ok(())), Outcome::Done);
        assert_eq!(failed(skipped()), Outcome::Skipped);
        assert_eq!(failed(dead("no title")), Outcome::Dead { error: "no title".into() });
        let Outcome::Retry { delay, .. } = failed(retry_in(Duration::from_secs(5))) else { panic!() };
        assert_eq!(delay, Some(Duration::from_secs(5)));
    }

    #[test]
    fn any_other_error_is_retried_by_policy_with_its_sources_told() {
        let error = Error::new(ErrorKind::Unreachable, "no answer").with_source("refused");
        let said = "unreachable: no answer: refused".to_owned();
        assert_eq!(failed(error), Outcome::Retry { delay: None, error: said });
    }

    #[test]
    fn a_verdict_counts_inside_another_error() {
        let error = Error::new(ErrorKind::Handler, "while greeting").with_source(dead("no name"));
        assert_eq!(failed(error), Outcome::Dead { error: "handler: while greeting: no name".into() });
    }
}
