use std::{sync::Arc, time::Duration};

use busway_core::{
    DeadLetter, Entry, Error, ErrorKind, Event, Outbox, OutboxMark, OutboxRow, Request, RequestKind, Result,
};

use super::{
    letters::{Change, LANE, Letters, letter},
    row,
};
use crate::{engine::Inner, lease::Lease, signal::Watcher};

/// Rows that are moved at once.
const ROWS: usize = 1_000;
/// Requests that are carried out before rows are looked at again.
const REQUESTS: usize = 200;
/// How soon an outbox that was empty is looked at again, and how soon at most.
const SOON: Duration = Duration::from_millis(25);
const LATE: Duration = Duration::from_millis(500);
/// How often an idle outbox is read from its beginning: for rows that no transaction of this server has written, such
/// as those of a restored dump.
const SWEEP: Duration = Duration::from_secs(60);
/// How often marks of events met are forgotten.
const FORGET: Duration = Duration::from_secs(3_600);

/// Moves what callers have committed to the outbox into the log: in one process at a time, until told to stop. It
/// begins once this member has beaten, so that others know that it lives.
pub(crate) async fn relay(inner: Arc<Inner>, outbox: Arc<dyn Outbox>, mut beaten: Watcher) {
    tokio::select! {
        biased;
        () = inner.stop.cancelled() => return,
        () = beaten.changed() => {}
    }
    let mut relay = Relay::new(Arc::clone(&inner), outbox);
    loop {
        let wait = match relay.round().await {
            Ok(wait) => wait,
            Err(error) => relay.give_up(&error),
        };
        tokio::select! {
            biased;
            () = inner.stop.cancelled() => return,
            () = relay.asked() => {}
            () = inner.seam.clock().sleep(wait) => {}
        }
    }
}

struct Relay {
    inner: Arc<Inner>,
    outbox: Arc<dyn Outbox>,
    lease: Lease,
    /// When the lease was last kept, if it is held.
    kept: Option<Duration>,
    letters: Option<Letters>,
    mark: OutboxMark,
    wait: Duration,
    swept: Duration,
    forgot: Option<Duration>,
}

impl Relay {
    fn new(inner: Arc<Inner>, outbox: Arc<dyn Outbox>) -> Self {
        Self {
            inner,
            outbox,
            lease: Lease::new("relay"),
            kept: None,
            letters: None,
            mark: OutboxMark::default(),
            wait: SOON,
            swept: Duration::ZERO,
            forgot: None,
        }
    }

    /// Moves some rows; tells how long to wait before the next.
    async fn round(&mut self) -> Result<Duration> {
        let elapsed = self.inner.seam.clock().elapsed();
        if !self.keep_lease(elapsed).await? {
            return Ok(self.inner.config.lease / 2);
        }
        self.carry_out_requests().await?;
        let page = self.outbox.committed(&self.mark, ROWS).await?;
        if page.rows.is_empty() {
            self.mark = page.mark;
            self.tidy(elapsed).await?;
            let wait = self.wait;
            self.wait = (wait * 2).min(LATE);
            return Ok(wait);
        }
        let refused = self.append(page.rows.iter().map(|row| self.checked(row)).collect()).await?;
        let dead = refused.into_iter().map(|(index, error)| self.first_letter(&page.rows[index], &error));
        let dead = dead.collect::<Result<Vec<_>>>()?;
        self.write(Change { dead, ..Change::default() }).await?;
        let numbers: Vec<u64> = page.rows.iter().map(|row| row.number).collect();
        self.outbox.remove(&numbers).await?;
        self.mark = page.mark;
        self.wait = SOON;
        Ok(Duration::ZERO)
    }

    /// After an error everything is looked at anew: what is in the log already is recognised by its id.
    fn give_up(&mut self, error: &Error) -> Duration {
        if !self.inner.stop.is_cancelled() {
            tracing::warn!(%error, "the outbox is held up");
        }
        self.kept = None;
        self.letters = None;
        self.mark = OutboxMark::default();
        let wait = self.wait;
        self.wait = (wait * 2).min(self.inner.config.lease / 2);
        wait
    }

    /// True if this process is the one that relays.
    async fn keep_lease(&mut self, elapsed: Duration) -> Result<bool> {
        if self.kept.is_some_and(|kept| elapsed.saturating_sub(kept) < self.inner.config.lease / 2) {
            return Ok(true);
        }
        let held_before = self.kept.take().is_some();
        if !self.lease.is_held(&self.inner).await? {
            self.letters = None;
            self.mark = OutboxMark::default();
            return Ok(false);
        }
        self.kept = Some(elapsed);
        if !held_before {
            self.wait = SOON;
            self.swept = elapsed;
        }
        if self.letters.is_none() {
            self.letters = Some(Letters::take(&self.inner).await?);
        }
        Ok(true)
    }

    /// What an idle moment is for.
    async fn tidy(&mut self, elapsed: Duration) -> Result<()> {
        if elapsed.saturating_sub(self.swept) >= SWEEP {
            self.swept = elapsed;
            self.mark = OutboxMark::default();
        }
        let Some(retention) = self.inner.config.retention else { return Ok(()) };
        if self.forgot.is_none_or(|forgot| elapsed.saturating_sub(forgot) >= FORGET) {
            self.forgot = Some(elapsed);
            self.outbox.forget_first_times(self.inner.seam.now() - retention).await?;
        }
        Ok(())
    }

    fn checked(&self, row: &OutboxRow) -> Result<Arc<Event>> {
        row::read(row).and_then(|event| self.inner.complete_one(event))
    }

    /// Appends these in their order, those left out that are refused: their indices, and why.
    async fn append(&self, events: Vec<Result<Arc<Event>>>) -> Result<Vec<(usize, Error)>> {
        let (mut sound, mut refused) = (Vec::with_capacity(events.len()), Vec::new());
        for (index, event) in events.into_iter().enumerate() {
            match event {
                Ok(event) => sound.push((index, event)),
                Err(error) => refused.push((index, error)),
            }
        }
        if sound.is_empty() {
            return Ok(refused);
        }
        match self.append_all(sound.iter().map(|(_, event)| Arc::clone(event)).collect()).await {
            Ok(()) => return Ok(refused),
            Err(error) if is_about_events(&error) => {}
            Err(error) => return Err(error),
        }
        for (index, event) in sound {
            match self.append_all(vec![event]).await {
                Ok(()) => {}
                Err(error) if is_about_events(&error) => refused.push((index, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    async fn append_all(&self, events: Vec<Arc<Event>>) -> Result<()> {
        self.inner.appender.append(events).await.map(drop)
    }

    fn first_letter(&self, row: &OutboxRow, error: &Error) -> Result<DeadLetter> {
        let now = self.inner.seam.now();
        let body = row::body(row, &self.inner.config.default_tenant, now, error);
        tracing::warn!(row = row.number, id = %row.id, %error, "published in a transaction and refused");
        letter(Entry { lane: LANE, seq: row.number, stored_at: now, body }, error, now)
    }

    async fn write(&mut self, change: Change) -> Result<()> {
        match &mut self.letters {
            Some(letters) if !change.is_empty() => letters.write(&self.inner, change).await,
            _ => Ok(()),
        }
    }

    /// Ends once something is asked of the dead letters, if it is this process that has to do it.
    async fn asked(&self) {
        if self.kept.is_none() {
            std::future::pending::<()>().await;
        }
        loop {
            let stirred = self.inner.stirred.notified();
            tokio::pin!(stirred);
            stirred.as_mut().enable();
            if !self.inner.asked_of_letters().is_empty() {
                return;
            }
            stirred.await;
        }
    }

    async fn carry_out_requests(&mut self) -> Result<()> {
        let mut asked = self.inner.asked_of_letters();
        asked.truncate(REQUESTS);
        let mut change = Change { requests: asked.iter().map(|request| request.id).collect(), ..Change::default() };
        let mut retried = Vec::new();
        for Request { kind, .. } in &asked {
            match kind {
                RequestKind::Retry { seq, .. } => retried.extend(self.inner.letter_of(*seq).await?),
                RequestKind::Discard { seq, .. } => change.buried.push(*seq),
                RequestKind::Seek { .. } | RequestKind::Redefine { .. } => {}
            }
        }
        retried.retain(|letter| !change.buried.contains(&letter.entry.seq));
        let mut refused = self.append(retried.iter().map(|letter| self.edited(letter)).collect()).await?;
        for (index, letter) in retried.into_iter().enumerate() {
            match refused.iter().position(|(of, _)| *of == index) {
                Some(at) => change.dead.push(self.dead_again(letter, &refused.swap_remove(at).1)),
                None => {
                    change.buried.push(letter.entry.seq);
                    change.delivered += 1;
                }
            }
        }
        self.write(change).await
    }

    /// The event of a dead letter, as it was edited: checked as a row is.
    fn edited(&self, letter: &DeadLetter) -> Result<Arc<Event>> {
        let Some(event) = letter.entry.event() else {
            return Err(Error::new(ErrorKind::InvalidEvent, letter.error.to_string()));
        };
        let payload = letter.edited_payload.as_ref().unwrap_or(&event.payload);
        self.checked(&OutboxRow {
            number: letter.entry.seq,
            id: event.id,
            event_type: Some(event.event_type.to_string()),
            tenant: Some(event.tenant.to_string()),
            key: event.key.as_ref().map(ToString::to_string),
            time: Some(event.time),
            payload: Some(payload.as_str().to_owned()),
            metadata: Some(event.metadata.as_str().to_owned()),
        })
    }

    fn dead_again(&self, letter: DeadLetter, error: &Error) -> DeadLetter {
        let died_at = self.inner.seam.now();
        DeadLetter { error: error.detail().into(), attempts: letter.attempts + 1, died_at, ..letter }
    }
}

/// True if trying the same event again cannot help, and another event is not concerned.
fn is_about_events(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidEvent | ErrorKind::UnknownEventType | ErrorKind::TooLarge)
}
