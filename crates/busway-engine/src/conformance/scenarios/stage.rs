use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use busway_core::{
    Clock, DeadCause, DeadLetter, DeadLetterQuery, Entry, LaneId, ManualClock, NewEvent, ReadRequest, Result, Seam,
    SeededRandom, Seq, Stores, SystemClock,
    conformance::{
        Backend, Failed, Outcome,
        doubles::{LogTwist, Twist},
    },
};

use super::{
    material::{number, number_in},
    member::Member,
    quiet::Quiet,
    way::{Gate, Way},
};
use crate::{
    Config, Engine,
    conformance::{Bounds, History, Lettered, Record, Summary, Violation, judge},
};

/// Longer, on the held clock, than anything takes that a scenario waits for.
const LONG: Duration = Duration::from_secs(4 * 3_600);

/// A store, a held clock and the members that come and go on them.
pub(super) struct Stage {
    backend: Arc<dyn Backend>,
    /// The store, past every member.
    pub(super) stores: Stores,
    pub(super) clock: Arc<ManualClock>,
    quiet: Arc<Quiet>,
    /// What happened.
    pub(super) history: History,
    members: AtomicU64,
    twist: OnceLock<Twist>,
}

impl Stage {
    pub(super) async fn of(backend: Arc<dyn Backend>, quiet: Arc<Quiet>) -> Result<Self> {
        let stores = backend.open().await?;
        let clock = backend.clock().unwrap_or_else(|| Arc::new(ManualClock::new(SystemClock::new().now())));
        Ok(Self {
            backend,
            stores,
            clock,
            quiet,
            history: History::default(),
            members: AtomicU64::new(0),
            twist: OnceLock::new(),
        })
    }

    /// How members work, unless a scenario says otherwise.
    pub(super) fn config() -> Config {
        Config { app: "suite".into(), grace: Duration::from_secs(3), ..Config::default() }
    }

    /// A member joins.
    pub(super) async fn join(&self) -> Result<Member, Failed> {
        self.join_as(Self::config()).await
    }

    /// A member joins that works in this way.
    pub(super) async fn join_as(&self, config: Config) -> Result<Member, Failed> {
        let index = self.members.fetch_add(1, Ordering::Relaxed);
        let gate = Gate::new();
        let mut stores = self.backend.open().await?;
        if let Some(twist) = self.twist.get() {
            stores = twist.over(stores, index as usize);
        }
        let way = Way::new(stores, Arc::clone(&gate), Arc::clone(&self.quiet));
        let seam = Seam::new(self.clock.clone(), Arc::new(SeededRandom::new((index + 1) << 40)));
        let engine = self.drive(Engine::start(way.stores(), config, seam)).await?;
        Ok(Member {
            index: index as usize,
            engine,
            gate,
            way,
            clock: Arc::clone(&self.clock),
            history: self.history.clone(),
        })
    }

    /// Members that join from now on see the log through this.
    pub(super) fn twist(&self, twist: impl LogTwist) {
        // A scenario twists the log once.
        let _ = self.twist.set(Twist::log(twist));
    }

    /// Lets everything happen that can without time passing.
    pub(super) async fn settle(&self) {
        self.quiet.wait().await;
    }

    /// Lets time pass to when something is due.
    fn tick(&self, most: Duration) {
        let now = self.clock.elapsed();
        let next = self.clock.next_due().map_or(most, |due| due.saturating_sub(now).min(most));
        self.clock.advance(next);
    }

    /// Lets time pass, stopping wherever something is due.
    pub(super) async fn pass(&self, duration: Duration) {
        let end = self.clock.elapsed() + duration;
        self.settle().await;
        while self.clock.elapsed() < end {
            self.tick(end - self.clock.elapsed());
            self.settle().await;
        }
    }

    /// Lets time pass until a call has ended.
    pub(super) async fn drive<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T, Failed> {
        let end = self.clock.elapsed() + LONG;
        tokio::pin!(call);
        loop {
            tokio::select! {
                biased;
                done = &mut call => return Ok(done?),
                () = self.quiet.wait() => {}
            }
            ensure!(self.clock.elapsed() < end, "a call does not end in {LONG:?}");
            self.tick(LONG);
        }
    }

    /// Lets time pass until something holds.
    pub(super) async fn until(&self, what: &str, holds: impl AsyncFn() -> Result<bool, Failed>) -> Outcome {
        self.until_by(what, LONG, holds).await
    }

    /// Lets time pass until something holds, but no more than this.
    pub(super) async fn until_by(
        &self,
        what: &str,
        most: Duration,
        holds: impl AsyncFn() -> Result<bool, Failed>,
    ) -> Outcome {
        let end = self.clock.elapsed() + most;
        loop {
            self.settle().await;
            if holds().await? {
                return Ok(());
            }
            let left = end.saturating_sub(self.clock.elapsed());
            ensure!(!left.is_zero(), "{what}: not within {most:?}; {}", self.standing().await?);
            self.tick(left);
        }
    }

    /// Publishes, in batches, and notes what was acknowledged.
    pub(super) async fn publish(&self, member: &Member, events: Vec<NewEvent>) -> Outcome {
        for batch in events.chunks(500) {
            self.drive(member.engine.publish(batch.to_vec())).await?;
            for event in batch {
                let n = number_in(&event.payload);
                let key =
                    event.key.as_ref().map(|key| format!("{}/{key}", event.tenant.as_ref().map_or("", |t| t.as_str())));
                self.history.note(self.clock.elapsed(), Record::Acknowledged { event: n, key });
            }
        }
        Ok(())
    }

    /// Lets time pass until every subscription has settled everything.
    pub(super) async fn settled(&self) -> Outcome {
        self.until("everything is settled", async || Ok(self.standing().await?.is_empty())).await
    }

    /// What is not settled yet, in words.
    pub(super) async fn standing(&self) -> Result<String, Failed> {
        let heads = self.stores.log.heads().await?;
        let checkpoints = &self.stores.checkpoints;
        let mut standing = String::new();
        for record in checkpoints.subscriptions().await? {
            let what = if record.replay.is_some() { " (replay)" } else { "" };
            for (lane, held, needed) in checkpoints.hold_counts(record.id).await? {
                if held > 0 || needed != Seq::MAX {
                    let stored = checkpoints.lane(record.id, lane).await?;
                    let shown = stored.map(|lane| format!("{:?} {:?}", lane.holds, lane.turns)).unwrap_or_default();
                    standing += &format!("{}{what} lane {lane} holds {shown:.600}; ", record.name);
                }
            }
            for (_, lane, checkpoint) in checkpoints.checkpoints(Some(record.id)).await? {
                let head = heads.seqs[usize::from(lane.0)];
                if record.replay.is_some() || checkpoint.position < head || checkpoint.handed.is_some() {
                    standing += &format!("{}{what} lane {lane} of head {head} {checkpoint:?}; ", record.name);
                }
            }
        }
        for request in checkpoints.requests().await? {
            standing += &format!("{request:?}; ");
        }
        Ok(standing)
    }

    /// Every dead letter.
    pub(super) async fn letters(&self) -> Result<Vec<DeadLetter>, Failed> {
        let query = DeadLetterQuery { limit: 1_000_000, ..DeadLetterQuery::default() };
        Ok(self.stores.checkpoints.dead_letters(&query).await?.items)
    }

    /// Every entry of the log, lane by lane.
    pub(super) async fn entries(&self) -> Result<Vec<Arc<Entry>>, Failed> {
        let mut entries = Vec::new();
        for (lane, head) in (0..).map(LaneId).zip(self.stores.log.heads().await?.seqs) {
            let mut after = 0;
            while after < head {
                let page = self.stores.log.read(ReadRequest::after(lane, after, 1_000)).await?;
                ensure!(page.looked > after, "a read of lane {lane} after {after} of {head} looks no further");
                after = page.looked;
                entries.extend(page.entries);
            }
        }
        Ok(entries)
    }

    /// Fails if what happened breaks a promise made to these subscriptions.
    pub(super) async fn judged(&self, bounds: &[Bounds]) -> Result<Summary, Failed> {
        let places = self.entries().await?.into_iter();
        let places: BTreeMap<u64, u64> =
            places.filter_map(|entry| entry.event().map(|event| (number(event), entry.seq))).collect();
        let lettered = |letter: &DeadLetter| Lettered {
            subscription: letter.name.to_string(),
            event: letter.entry.event().map_or(u64::MAX, |event| number(event)),
            attempts: letter.attempts,
            lost: letter.cause == DeadCause::Lost,
        };
        let letters: Vec<_> = self.letters().await?.iter().map(lettered).collect();
        let killers = self.history.records().into_iter().filter_map(|(_, record)| match record {
            Record::Killed { by, .. } => by,
            _ => None,
        });
        let (summary, mut violations) = judge(&self.history, bounds, &places, &letters, &killers.collect());
        let many = violations.len();
        violations.truncate(5);
        ensure!(many == 0, "{many} promises are broken, the first {violations:?}");
        ensure_eq!(violations, Vec::<Violation>::new(), "broken promises");
        Ok(summary)
    }

    /// What is promised to a subscription.
    pub(super) fn bounds(&self, name: &str, attempts: u32, ordered: bool) -> Bounds {
        let config = Self::config();
        Bounds {
            subscription: name.into(),
            attempts,
            window: config.window,
            lanes: usize::from(self.stores.log.lanes()),
            running_holds: 256,
            ordered,
        }
    }
}
