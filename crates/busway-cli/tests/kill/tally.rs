use std::fmt;

use serde_json::Value;

/// What has arrived of everything that is published.
#[derive(Debug)]
pub(crate) struct Tally {
    times: Vec<Vec<u32>>,
    newest: Vec<Vec<Option<u64>>>,
    keys: u64,
    out_of_order: u64,
    left: u64,
}

impl Tally {
    /// Of so many publishers with so many events each, over so many keys each.
    pub(crate) fn new(publishers: u64, share: u64, keys: u64) -> Self {
        Self {
            times: vec![vec![0; share as usize]; publishers as usize],
            newest: vec![vec![None; keys as usize]; publishers as usize],
            keys,
            out_of_order: 0,
            left: publishers * share,
        }
    }

    /// An event has arrived; its order counts when it comes for the first time.
    pub(crate) fn arrived(&mut self, payload: &Value) {
        let (publisher, n) = (payload["publisher"].as_u64().unwrap() as usize, payload["n"].as_u64().unwrap());
        let times = &mut self.times[publisher][n as usize];
        *times += 1;
        if *times == 1 {
            let newest = &mut self.newest[publisher][(n % self.keys) as usize];
            self.out_of_order += u64::from(newest.is_some_and(|newest| n < newest));
            *newest = Some(newest.map_or(n, |newest| newest.max(n)));
            self.left -= 1;
        }
    }

    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    pub(crate) fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    fn repeated(&self) -> u64 {
        self.times.iter().flatten().map(|times| u64::from(times.saturating_sub(1))).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lost {}, out of order {}, repeated {}", self.left, self.out_of_order, self.repeated())
    }
}
