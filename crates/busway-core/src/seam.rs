use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::Timestamp;

/// A future behind a pointer.
type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Time, as the engine sees it. All of its waiting goes through here.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day; it may jump.
    fn now(&self) -> Timestamp;
    /// Time since the clock was made; it never jumps.
    fn elapsed(&self) -> Duration;
    /// Ends once `duration` has passed on [`Self::elapsed`].
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// Randomness, as the engine sees it.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// 64 random bits.
    fn next(&self) -> u64;
}

/// Where time, ids and randomness come in, so that tests can hold them.
#[derive(Clone, Debug)]
pub struct Seam {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    last_id: Arc<AtomicU64>,
    /// The time of day at which the clock began to count.
    began: Timestamp,
}

impl Seam {
    /// From a clock and a source of randomness.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let began = clock.now() - clock.elapsed();
        Self { clock, random, last_id: Arc::default(), began }
    }

    /// The machine's.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock::new()), Arc::new(SystemRandom::default()))
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time of day as it was when this was made, and what has passed since: it does not jump with
    /// [`Self::now`], so what is due stays due.
    pub fn steady(&self) -> Timestamp {
        self.steady_at(self.clock.elapsed())
    }

    /// What [`Self::steady`] is when the clock says this much has passed.
    pub fn steady_at(&self, elapsed: Duration) -> Timestamp {
        self.began + elapsed
    }

    /// 64 random bits.
    pub fn random(&self) -> u64 {
        self.random.next()
    }

    /// From 0 up to, not including, 1.
    pub fn chance(&self) -> f64 {
        (self.random.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A UUID of version 7; those of one seam rise.
    pub fn id(&self) -> Uuid {
        // The last id's milliseconds and counter in one number: 48 bits and 12 bits.
        let now = u64::try_from(self.now().as_millis()).unwrap_or(0) << 12;
        let before = self.last_id.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
        let this = match before {
            Ok(last) | Err(last) => now.max(last + 1),
        };
        let high = (this >> 12) << 16 | 0x7000 | (this & 0xfff);
        let low = self.random.next() >> 2 | 1 << 63;
        Uuid::from_u64_pair(high, low)
    }
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    made: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] starts now.
    pub fn new() -> Self {
        Self { made: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.made.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that stands still until it is told.
#[derive(Debug)]
pub struct ManualClock {
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    start: Timestamp,
    elapsed: Duration,
    jumped_ms: i64,
    next: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        let held = Held { start, elapsed: Duration::ZERO, jumped_ms: 0, next: 0, sleepers: BTreeMap::new() };
        Self { held: Mutex::new(held) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves on, and wakes whoever's time has come, earliest first.
    pub fn advance(&self, duration: Duration) {
        let mut held = self.held();
        held.elapsed += duration;
        let now = held.elapsed;
        while let Some(first) = held.sleepers.first_entry().filter(|first| first.key().0 <= now) {
            // The receiver may have been dropped: then nobody waits any more.
            let _ = first.remove().send(());
        }
    }

    /// When the next sleeper is due, on [`Clock::elapsed`].
    pub fn next_due(&self) -> Option<Duration> {
        let mut held = self.held();
        held.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        held.sleepers.first_key_value().map(|((due, _), _)| *due)
    }

    /// Sets the time of day on or back without any time passing.
    pub fn jump(&self, millis: i64) {
        self.held().jumped_ms += millis;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let held = self.held();
        Timestamp::from_millis((held.start + held.elapsed).as_millis() + held.jumped_ms)
    }

    fn elapsed(&self) -> Duration {
        self.held().elapsed
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut held = self.held();
        if duration.is_zero() {
            return Box::pin(std::future::ready(()));
        }
        let (sender, receiver) = oneshot::channel();
        let key = (held.elapsed.saturating_add(duration), held.next);
        held.next += 1;
        held.sleepers.insert(key, sender);
        Box::pin(async move {
            // An error means that the clock is gone: whoever waits on it will not be needed.
            if receiver.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// Random bits from a seed that the machine gave.
#[derive(Debug)]
pub struct SystemRandom(SeededRandom);

impl Default for SystemRandom {
    fn default() -> Self {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        Self(SeededRandom::new(high ^ low.rotate_left(32)))
    }
}

impl Random for SystemRandom {
    fn next(&self) -> u64 {
        self.0.next()
    }
}

/// The same bits for the same seed.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for SeededRandom {
    /// SplitMix64.
    fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
