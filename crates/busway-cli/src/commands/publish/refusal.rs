use crate::{
    failure::Failure,
    http::Problem,
    text::{count, counted, printable},
};

/// What is known of an event that was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// Its type, if it has one.
    pub(crate) event_type: Option<String>,
    /// Its line in a file, from 1.
    pub(crate) line: Option<usize>,
}

impl Sent {
    /// `line 3, donation.completed`.
    fn place(&self) -> String {
        let event_type = self.event_type.as_deref().map(printable);
        match (self.line, event_type) {
            (Some(line), Some(event_type)) => format!("line {}, {event_type}", count(line as u64)),
            (Some(line), None) => format!("line {}", count(line as u64)),
            (None, Some(event_type)) => event_type,
            (None, None) => "the event".into(),
        }
    }
}

/// The failure that says which events are at fault and in which fields; `before` events were stored by earlier calls.
pub(super) fn told(problem: Problem, sent: &[Sent], before: u64) -> Failure {
    let mut at_fault: Vec<usize> = problem.errors.iter().map(|fault| fault.index.unwrap_or(0)).collect();
    at_fault.dedup();
    let lines: Vec<String> = match at_fault.as_slice() {
        [_] => problem.errors.iter().map(|fault| fault.line()).collect(),
        _ => problem
            .errors
            .iter()
            .map(|fault| match sent.get(fault.index.unwrap_or(0)) {
                Some(event) => format!("{}: {}", event.place(), fault.line()),
                None => fault.line(),
            })
            .collect(),
    };
    let headline = match at_fault.as_slice() {
        [] if before == 0 => return problem.into_failure(),
        [] => problem.detail.clone(),
        [only] => sent.get(*only).map_or_else(|| "the event".into(), Sent::place),
        several => format!("{} of {}", count(several.len() as u64), counted(sent.len() as u64, "event", "events")),
    };
    let outcome = match before {
        0 => "nothing was stored".to_owned(),
        _ => format!("only the {} before were stored", counted(before, "event", "events")),
    };
    Failure::refused(problem.code, printable(&format!("{headline}; {outcome}"))).lines(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Fault;

    fn problem(faults: &[(usize, &str, &str)]) -> Problem {
        let fault = |&(index, pointer, detail): &(usize, &str, &str)| Fault {
            index: Some(index),
            pointer: pointer.into(),
            detail: detail.into(),
        };
        Problem { code: "invalid_event".into(), errors: faults.iter().map(fault).collect(), ..Problem::default() }
    }

    fn sent() -> Vec<Sent> {
        (1..=3).map(|line| Sent { event_type: Some(format!("donation.n{line}")), line: Some(line * 2) }).collect()
    }

    #[test]
    fn one_event_at_fault_is_named_with_its_fields_below() {
        let failure = told(
            problem(&[(1, "/amountMinor", "-5 is below 1"), (1, "/currency", "\"EURO\" does not match ^[A-Z]{3}$")]),
            &sent(),
            0,
        );
        assert_eq!(
            failure.to_string(),
            "error[invalid_event]: line 4, donation.n2; nothing was stored\n  /amountMinor -5 is below 1\n  /currency \"EURO\" does not match ^[A-Z]{3}$"
        );
    }

    #[test]
    fn what_earlier_calls_stored_is_told() {
        let failure = told(problem(&[(0, "/type", "is missing")]), &sent(), 1_000);
        assert!(failure.to_string().contains("line 2, donation.n1; only the 1,000 events before were stored"));
    }

    #[test]
    fn several_events_at_fault_are_named_on_their_lines() {
        let failure = told(problem(&[(0, "/type", "is missing"), (2, "/payload", "must be an object")]), &sent(), 0);
        assert_eq!(
            failure.to_string(),
            "error[invalid_event]: 2 of 3 events; nothing was stored\n  line 2, donation.n1: /type is missing\n  line 6, donation.n3: /payload must be an object"
        );
    }
}
