use std::{collections::HashMap, fmt};

use serde::{Deserialize, Serialize};

use super::Run;
use crate::text::count;

/// How many keys a publisher publishes under.
const KEYS: u64 = 8;

/// The payload of an event of a run.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Tick<'a> {
    /// The run.
    pub(crate) run: &'a str,
    /// Who published it.
    pub(crate) publisher: u64,
    /// Its number among that publisher's.
    pub(crate) n: u64,
    /// What makes it as large as it is to be.
    pub(crate) padding: &'a str,
}

impl Tick<'_> {
    /// What it is ordered by.
    pub(super) fn key(&self) -> String {
        format!("{}-{}", self.publisher, self.n % KEYS)
    }
}

/// The publishers' own list, and what has arrived of it.
#[derive(Debug)]
pub(super) struct Tally {
    run: String,
    arrived: Vec<Vec<u32>>,
    newest: HashMap<(u64, u64), u64>,
    out_of_order: u64,
    left: u64,
}

/// What became of the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    lost: u64,
    out_of_order: u64,
    duplicates: u64,
}

impl Tally {
    /// The list of everything that a run publishes.
    pub(super) fn of(run: &Run) -> Self {
        let arrived = (0..run.publishers).map(|publisher| vec![0; run.share(publisher) as usize]).collect();
        Self { run: run.id.clone(), arrived, newest: HashMap::new(), out_of_order: 0, left: run.events }
    }

    /// An event has arrived.
    pub(super) fn arrived(&mut self, payload: &str) {
        let Ok(tick) = serde_json::from_str::<Tick<'_>>(payload) else { return };
        let of_this_run = tick.run == self.run;
        let Some(times) = self.arrived.get_mut(tick.publisher as usize).and_then(|list| list.get_mut(tick.n as usize))
        else {
            return;
        };
        if !of_this_run {
            return;
        }
        *times += 1;
        if *times == 1 {
            self.left -= 1;
            let newest = self.newest.entry((tick.publisher, tick.n % KEYS)).or_insert(tick.n);
            self.out_of_order += u64::from(tick.n < *newest);
            *newest = tick.n.max(*newest);
        }
    }

    /// How many have not arrived.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn verdict(&self) -> Verdict {
        let again = self.arrived.iter().flatten().map(|times| u64::from(times.saturating_sub(1)));
        Verdict { lost: self.left, out_of_order: self.out_of_order, duplicates: again.sum() }
    }
}

impl Verdict {
    /// True if everything arrived in its order.
    pub(super) fn is_well(&self) -> bool {
        self.lost == 0 && self.out_of_order == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, out_of_order, duplicates } = self;
        write!(f, "lost {}  out of order {}  repeated {}", count(*lost), count(*out_of_order), count(*duplicates))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Client;

    fn run() -> Run {
        let client = Client::new("127.0.0.1:1".parse().unwrap(), "test");
        Run { client, id: "r".into(), publishers: 2, batch: 1, events: 20, padding: String::new() }
    }

    fn tick(run: &str, publisher: u64, n: u64) -> String {
        serde_json::to_string(&Tick { run, publisher, n, padding: "" }).unwrap()
    }

    #[test]
    fn everything_once_and_in_order_is_well() {
        let mut tally = Tally::of(&run());
        (0..10).for_each(|n| (0..2).for_each(|publisher| tally.arrived(&tick("r", publisher, n))));
        assert_eq!(tally.verdict().to_string(), "lost 0  out of order 0  repeated 0");
        assert!(tally.verdict().is_well());
    }

    #[test]
    fn what_is_missing_repeated_or_overtaken_is_counted() {
        let mut tally = Tally::of(&run());
        for n in [8, 0, 0, 1] {
            tally.arrived(&tick("r", 0, n));
        }
        assert_eq!(tally.verdict().to_string(), "lost 17  out of order 1  repeated 1");
    }

    #[test]
    fn events_of_another_run_do_not_count() {
        let mut tally = Tally::of(&run());
        tally.arrived(&tick("other", 0, 0));
        tally.arrived("{\"n\":1}");
        assert_eq!(tally.left(), 20);
    }
}
