use std::{env, time::Duration};

/// How long and how often everything is measured.
pub(crate) struct Size {
    pub(crate) rounds: usize,
    pub(crate) is_quick: bool,
    /// How long a load goes on.
    pub(crate) window: Duration,
    /// Events of a backlog.
    pub(crate) backlog: usize,
    /// Latencies of a round.
    pub(crate) samples: usize,
    /// Events of a small log and of a large one.
    pub(crate) small: usize,
    pub(crate) large: usize,
    /// How long a transaction is held open.
    pub(crate) held: Duration,
}

impl Size {
    pub(crate) fn new() -> Self {
        let held = |usual| env::var("BUSWAY_BENCH_HELD_SECONDS").map_or(usual, |seconds| seconds.parse().unwrap());
        let whole = Self {
            rounds: 5,
            is_quick: false,
            window: Duration::from_secs(3),
            backlog: 200_000,
            samples: 600,
            small: 1_000_000,
            large: 20_000_000,
            held: Duration::from_secs(held(300)),
        };
        if env::var_os("BUSWAY_BENCH_QUICK").is_none() {
            return whole;
        }
        Self {
            rounds: 1,
            is_quick: true,
            window: Duration::from_secs(1),
            backlog: 20_000,
            samples: 60,
            small: 50_000,
            large: 500_000,
            held: Duration::from_secs(held(10)),
        }
    }
}
