//! Turns of the backend and of the raw loop, side by side.

use std::time::Duration;

const TURNS: usize = 15;

pub(crate) struct Turns {
    name: &'static str,
    events: usize,
    ours: Vec<f64>,
    theirs: Vec<f64>,
    ratios: Vec<f64>,
}

impl Turns {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, events: 0, ours: Vec::new(), theirs: Vec::new(), ratios: Vec::new() }
    }

    /// True while there are turns left.
    pub(crate) fn next(&self) -> bool {
        self.ratios.len() < TURNS
    }

    pub(crate) fn add(&mut self, events: usize, ours: Duration, theirs: Duration) {
        self.events += events;
        self.ours.push(events as f64 / ours.as_secs_f64());
        self.theirs.push(events as f64 / theirs.as_secs_f64());
        self.ratios.push(theirs.as_secs_f64() / ours.as_secs_f64());
    }

    /// How many events one side has stored.
    pub(crate) fn events(&self) -> usize {
        self.events
    }

    pub(crate) fn print(mut self) {
        let (ours, theirs) = (median(&mut self.ours), median(&mut self.theirs));
        let ratio = median(&mut self.ratios);
        let quarter = self.ratios.len() / 4;
        let (low, high) = (self.ratios[quarter], self.ratios[self.ratios.len() - 1 - quarter]);
        let name = self.name;
        println!(
            "{name}: {ours:.0} events/s, raw {theirs:.0}, ratio {ratio:.2} (half of the turns {low:.2} to {high:.2})"
        );
    }
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
