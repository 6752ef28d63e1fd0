use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Buckets per doubling: a value is known to 3%.
const STEPS: usize = 16;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Longer times than 2^40 ns, 18 minutes, count as that.
const LONGEST: u64 = (1 << 40) - 1;
const BUCKETS: usize = bucket(LONGEST) + 1;

/// How long something took, as a histogram whose buckets grow with the values.
#[derive(Debug, Default)]
pub(super) struct Latency(OnceLock<Box<[AtomicU64]>>);

impl Latency {
    /// Adds a time.
    pub(super) fn record(&self, time: Duration) {
        let buckets = self.0.get_or_init(|| (0..BUCKETS).map(|_| AtomicU64::new(0)).collect());
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(LONGEST).min(LONGEST);
        buckets[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the times of this histogram to `times`.
    pub(super) fn add_to(&self, times: &mut Times) {
        for (index, count) in self.0.get().into_iter().flatten().enumerate() {
            times.0[index] += count.load(Ordering::Relaxed);
        }
    }
}

/// The times of one or more histograms.
#[derive(Clone, Debug)]
pub(super) struct Times(Box<[u64; BUCKETS]>);

impl Times {
    pub(super) fn new() -> Self {
        Self(Box::new([0; BUCKETS]))
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time that this share (0 to 1) of all did not exceed; `None` if there is none.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let index = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_nanos(middle(index)))
    }
}

const fn bucket(nanos: u64) -> usize {
    if nanos < STEPS as u64 {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - STEP_BITS;
    STEPS * (shift as usize + 1) + (nanos >> shift) as usize - STEPS
}

/// The middle of what falls into a bucket.
fn middle(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let shift = bucket / STEPS - 1;
    let low = ((bucket % STEPS + STEPS) as u64) << shift;
    low + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_known_to_three_percent() {
        let mut nanos = 1_u64;
        while nanos < LONGEST {
            let known = middle(bucket(nanos));
            assert!(known.abs_diff(nanos) as f64 <= nanos as f64 * 0.032, "{nanos} {known}");
            nanos += nanos / 7 + 1;
        }
    }

    #[test]
    fn buckets_rise_without_a_gap() {
        let mut last = 0;
        for nanos in 0..100_000 {
            let bucket = bucket(nanos);
            assert!(bucket == last || bucket == last + 1, "{nanos}");
            last = bucket;
        }
    }

    #[test]
    fn quantiles_tell_the_middle_and_the_tail() {
        let latency = Latency::default();
        for micros in 1..=1_000 {
            latency.record(Duration::from_micros(micros));
        }
        let mut times = Times::new();
        assert_eq!(times.quantile(0.5), None);
        latency.add_to(&mut times);
        let near = |share, micros: f64| {
            let found = times.quantile(share).unwrap().as_nanos() as f64 / 1_000.0;
            assert!((found - micros).abs() <= micros * 0.035, "{share} {found}");
        };
        near(0.0, 1.0);
        near(0.5, 500.0);
        near(0.99, 990.0);
        near(1.0, 1_000.0);
    }

    #[test]
    fn endless_times_count_as_the_longest() {
        let latency = Latency::default();
        latency.record(Duration::MAX);
        let mut times = Times::new();
        latency.add_to(&mut times);
        assert!(times.quantile(0.99).unwrap() > Duration::from_secs(1_000));
    }
}
