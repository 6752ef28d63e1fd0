use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::text::count;

/// How fast something was done, and how long one call took.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    /// Events a second.
    per_second: u64,
    /// The median call, in milliseconds.
    p50_ms: f64,
    /// The call that 1 of 100 was slower than, in milliseconds.
    p99_ms: f64,
}

impl Figures {
    pub(super) fn new(events: u64, took: Duration, calls: &Calls) -> Self {
        let per_second = (events as f64 / took.as_secs_f64().max(1e-9)).round() as u64;
        let millis = |quantile| calls.0.value_at_quantile(quantile) as f64 / 1e3;
        Self { per_second, p50_ms: millis(0.5), p99_ms: millis(0.99) }
    }

    /// `p50 0.61 ms  p99 2.10 ms`.
    pub(super) fn latency(&self) -> String {
        format!("p50 {:.2} ms  p99 {:.2} ms", self.p50_ms, self.p99_ms)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9}/s    {}", count(self.per_second), self.latency())
    }
}

/// How long calls took, in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Calls(Histogram<u64>);

impl Calls {
    pub(super) fn new() -> Self {
        // Of three digits every histogram can be made; its bounds grow by themselves.
        Self(Histogram::new(3).unwrap_or_else(|_| unreachable!("three significant digits are allowed")))
    }

    pub(super) fn took(&mut self, time: Duration) {
        // It grows with what it is given; only a number near u64::MAX, half a million years, would not fit.
        let _ = self.0.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn add(&mut self, other: &Self) {
        // Both grow by themselves, so every value of one fits into the other.
        let _ = self.0.add(&other.0);
    }
}
