use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, FieldError, Patterns, Timestamp};

/// Who works on a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Listeners in the processes that embed Busway.
    Run,
    /// An endpoint that is called.
    Push,
    /// Remote workers that ask.
    Pull,
}

/// What is delivered one at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Each key; keyless events side by side.
    #[default]
    Key,
    /// Each key, and keyless events per tenant and type.
    Type,
    /// Nothing.
    None,
}

/// What happens to a key after a dead letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDead {
    /// It goes on with the next event.
    #[default]
    Skip,
    /// It waits until someone decides.
    Block,
}

/// Where a new subscription starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// At the log's end.
    #[default]
    Latest,
    /// At the oldest event that is kept.
    Earliest,
    /// At the first event stored at or after this time.
    Time(Timestamp),
}

impl Serialize for Start {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Latest => serializer.serialize_str("latest"),
            Self::Earliest => serializer.serialize_str("earliest"),
            Self::Time(time) => time.serialize(serializer),
        }
    }
}

impl std::str::FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "latest" => Ok(Self::Latest),
            "earliest" => Ok(Self::Earliest),
            time => time
                .parse()
                .map(Self::Time)
                .map_err(|_| format!("{time:?} is neither `latest`, `earliest` nor a time like 2026-01-31T12:00:00Z")),
        }
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How the delay grows from attempt to attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// `delay · 2^(n−1)` after the n-th attempt.
    #[default]
    Exponential,
    /// Always `delay`.
    Fixed,
}

/// When a failed delivery is tried again, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retry {
    /// Runs in all, the first included; at least 1.
    pub attempts: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// The first delay, in milliseconds.
    pub delay_ms: u64,
    /// The longest delay, in milliseconds.
    pub max_delay_ms: u64,
    /// How much of a delay chance may take away, 0 to 1.
    pub jitter: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, backoff: Backoff::Exponential, delay_ms: 1_000, max_delay_ms: 3_600_000, jitter: 0.2 }
    }
}

impl Retry {
    /// Delays that double from `delay`.
    pub fn exponential(delay: Duration) -> Self {
        Self { delay_ms: millis(delay), ..Self::default() }
    }

    /// The same delay each time.
    pub fn fixed(delay: Duration) -> Self {
        Self { backoff: Backoff::Fixed, delay_ms: millis(delay), ..Self::default() }
    }

    /// The same with this many runs in all.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The same with a longest delay.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay_ms = millis(delay);
        self
    }

    /// The same with this much of each delay left to chance, 0 to 1.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self
    }

    /// How long to wait after the `attempt`-th run (from 1) failed; `chance` from 0 up to 1.
    pub fn delay_after(&self, attempt: u32, chance: f64) -> Duration {
        let factor = match self.backoff {
            Backoff::Fixed => 1,
            Backoff::Exponential => 1_u64.checked_shl(attempt.saturating_sub(1).min(63)).unwrap_or(u64::MAX),
        };
        let full = self.delay_ms.saturating_mul(factor).min(self.max_delay_ms);
        let full = Duration::from_millis(full);
        let kept = 1.0 - self.jitter * chance;
        // A jitter that is no number would make the multiplication panic, and it may round up.
        full.mul_f64(if kept.is_nan() { 1.0 } else { kept.clamp(0.0, 1.0) }).min(full)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What a subscription is: which events, in which order, tried how often, by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Which events.
    pub types: Patterns,
    /// Who works on it.
    pub mode: Mode,
    /// Where it starts, when it is made.
    #[serde(default)]
    pub start: Start,
    /// What is delivered one at a time.
    #[serde(default)]
    pub order: Order,
    /// What happens to a key after a dead letter.
    #[serde(default)]
    pub on_dead: OnDead,
    /// When a failed delivery is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// How long one run may take before it counts as failed, in milliseconds.
    #[serde(default = "Definition::default_ack_timeout_ms")]
    pub ack_timeout_ms: u64,
    /// Most runs at once in one process.
    #[serde(default = "Definition::default_concurrency")]
    pub concurrency: u32,
    /// Removed once it has stood unread this long, in milliseconds; never if missing.
    #[serde(default)]
    pub expire_after_ms: Option<u64>,
}

impl Definition {
    /// The defaults of a subscription to these events.
    pub fn new(types: Patterns, mode: Mode) -> Self {
        Self {
            types,
            mode,
            start: Start::default(),
            order: Order::default(),
            on_dead: OnDead::default(),
            retry: Retry::default(),
            ack_timeout_ms: Self::default_ack_timeout_ms(),
            concurrency: Self::default_concurrency(),
            expire_after_ms: None,
        }
    }

    fn default_ack_timeout_ms() -> u64 {
        30_000
    }

    fn default_concurrency() -> u32 {
        16
    }

    /// How long one run may take.
    pub fn ack_timeout(&self) -> Duration {
        Duration::from_millis(self.ack_timeout_ms)
    }

    /// Checks the ranges; the error names each field.
    pub fn check(&self) -> Result<(), Error> {
        let mut faults = Vec::new();
        let mut at_least_one = |pointer, value: u64| {
            if value < 1 {
                faults.push(FieldError::new(pointer, "out_of_range", format!("{value} is below 1")));
            }
        };
        at_least_one("/retry/attempts", self.retry.attempts.into());
        at_least_one("/ackTimeoutMs", self.ack_timeout_ms);
        at_least_one("/concurrency", self.concurrency.into());
        at_least_one("/expireAfterMs", self.expire_after_ms.unwrap_or(1));
        if !(0.0..=1.0).contains(&self.retry.jitter) {
            faults.push(FieldError::new(
                "/retry/jitter",
                "out_of_range",
                format!("{} is outside 0 to 1", self.retry.jitter),
            ));
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::invalid(ErrorKind::InvalidBody, faults)) }
    }

    /// True if both mean the same: where it once started no longer matters, nor in which order it names its
    /// patterns.
    pub fn same(&self, other: &Self) -> bool {
        let Self { types, start: _, mode, order, on_dead, retry, ack_timeout_ms, concurrency, expire_after_ms } = self;
        types.same(&other.types)
            && (*mode, *order, *on_dead) == (other.mode, other.order, other.on_dead)
            && *retry == other.retry
            && (*ack_timeout_ms, *concurrency) == (other.ack_timeout_ms, other.concurrency)
            && *expire_after_ms == other.expire_after_ms
    }
}

#[cfg(test)]
mod tests;
