use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use busway_core::{
    Control, Definition, Error, ErrorKind, LaneId, LogExt, Mode, Owner, RequestKind, Result, Seq, Start,
    SubscriptionId, SubscriptionName, SubscriptionRecord, SubscriptionState,
};

use crate::{
    Engine, Handler, Put, SubscriptionView,
    deliver::Work,
    engine::Inner,
    outbox::{is_built_in, reserved},
};

/// How long a `put` waits for every held lane to adopt a change.
const ADOPTION: Duration = Duration::from_secs(10);

impl Engine {
    /// Subscribes a handler in this process (mode `run`). Another definition under the name is refused with
    /// `DefinitionDiffers` unless `update`; a second handler for it in this process too.
    pub async fn subscribe(
        &self,
        owner: Owner,
        name: SubscriptionName,
        definition: Definition,
        update: bool,
        handler: Arc<dyn Handler>,
    ) -> Result<SubscriptionView> {
        if self.inner.stop.is_cancelled() {
            return Err(Error::new(ErrorKind::Closed, "the bus is shut down"));
        }
        let (_, record) = self.inner.save(owner, name, definition, update).await?;
        let id = record.id;
        let work = Arc::new(Work::new(Arc::clone(&record), handler, None));
        if !self.inner.take_up(id, work) {
            let detail = format!(
                "this process has a handler for `{}` already; give the second one a name of its own",
                record.name
            );
            return Err(Error::new(ErrorKind::DefinitionDiffers, detail));
        }
        self.inner.take_up_replays(&self.inner.registry.load());
        self.inner.beat_now().await;
        self.inner.adopted(&record).await;
        self.inner.view(&record).await
    }

    /// Ends this process's work on a subscription, gracefully; the subscription stays.
    pub async fn unsubscribe(&self, owner: &Owner, name: &SubscriptionName) -> Result<()> {
        let record = self.inner.registry.load().named(owner, name)?;
        if let Some(work) = self.inner.forget(record.id) {
            for handle in work.lanes().values() {
                handle.release.cancel();
            }
            loop {
                let stirred = self.inner.stirred.notified();
                tokio::pin!(stirred);
                stirred.as_mut().enable();
                if work.lanes().is_empty() {
                    break;
                }
                stirred.await;
            }
            self.inner.beat_now().await;
        }
        Ok(())
    }

    /// Makes a subscription, or finds it as asked, or changes it if `update`; answers when every lane that is
    /// held has adopted the change.
    pub async fn put(
        &self,
        owner: Owner,
        name: SubscriptionName,
        definition: Definition,
        update: bool,
    ) -> Result<(Put, SubscriptionView)> {
        let (put, record) = self.inner.save(owner, name, definition, update).await?;
        if put != Put::Same {
            self.inner.beat_now().await;
        }
        if put == Put::Changed {
            self.inner.adopted(&record).await;
        }
        let view = self.inner.view(&record).await?;
        Ok((put, view))
    }

    /// One subscription; `NotFound`.
    pub async fn subscription(&self, owner: &Owner, name: &SubscriptionName) -> Result<SubscriptionView> {
        let record = self.inner.named(owner, name).await?;
        self.inner.view(&record).await
    }

    /// All subscriptions by (owner, name), or one owner's. The built-in one of the outbox is among them once it has had a
    /// dead letter.
    pub async fn subscriptions(&self, owner: Option<&Owner>) -> Result<Vec<SubscriptionView>> {
        self.inner.reload().await?;
        let registry = self.inner.registry.load_full();
        let mut views = Vec::new();
        for record in registry.all().filter(|record| owner.is_none_or(|owner| *owner == record.owner)) {
            let view = self.inner.view(record).await?;
            if !is_built_in(record) || view.failed_total > 0 {
                views.push(view);
            }
        }
        Ok(views)
    }

    /// Removes a subscription.
    pub async fn remove(&self, owner: &Owner, name: &SubscriptionName, keep_dead_letters: bool) -> Result<()> {
        reserved(owner, name)?;
        let record = self.inner.named(owner, name).await?;
        let replays: Vec<SubscriptionId> = {
            let registry = self.inner.registry.load();
            let of = |replay: &&Arc<SubscriptionRecord>| {
                replay.replay.as_ref().is_some_and(|of| of.subscription == record.id)
            };
            registry.replays().filter(of).map(|replay| replay.id).collect()
        };
        for id in replays {
            self.inner.stores.checkpoints.remove_subscription(id, false).await?;
        }
        self.inner.stores.checkpoints.remove_subscription(record.id, keep_dead_letters).await?;
        self.inner.beat_now().await;
        Ok(())
    }

    /// Stops handing out.
    pub async fn pause(&self, owner: &Owner, name: &SubscriptionName) -> Result<SubscriptionView> {
        self.inner.control(owner, name, Control::Paused).await
    }

    /// Goes on handing out.
    pub async fn resume(&self, owner: &Owner, name: &SubscriptionName) -> Result<SubscriptionView> {
        self.inner.control(owner, name, Control::Running).await
    }

    /// Goes on from another place.
    pub async fn seek(&self, owner: &Owner, name: &SubscriptionName, to: Start) -> Result<SubscriptionView> {
        reserved(owner, name)?;
        let record = self.inner.named(owner, name).await?;
        let seqs = self.inner.start_seqs(to).await?;
        for (lane, to) in (0..).map(LaneId).zip(seqs) {
            self.inner.ask(&record, lane, RequestKind::Seek { to }).await?;
        }
        self.inner.beat_now().await;
        self.inner.view(&record).await
    }
}

impl Inner {
    /// A subscription by name: as last seen, else as stored now.
    pub(crate) async fn named(&self, owner: &Owner, name: &SubscriptionName) -> Result<Arc<SubscriptionRecord>> {
        if let Ok(record) = self.registry.load().named(owner, name) {
            return Ok(record);
        }
        self.reload().await?;
        self.registry.load().named(owner, name)
    }

    /// Leaves a request for a lane: its holder carries it out; where nobody holds lanes, this process does.
    pub(crate) async fn ask(&self, record: &SubscriptionRecord, lane: LaneId, kind: RequestKind) -> Result<()> {
        self.stores.checkpoints.request(record.id, lane, kind).await?;
        if record.definition.mode == Mode::Pull {
            self.carry_out_requests(record, lane).await?;
        }
        Ok(())
    }

    async fn save(
        &self,
        owner: Owner,
        name: SubscriptionName,
        definition: Definition,
        update: bool,
    ) -> Result<(Put, Arc<SubscriptionRecord>)> {
        definition.check()?;
        reserved(&owner, &name)?;
        loop {
            self.reload().await?;
            let found = self.registry.load().named(&owner, &name).ok();
            let Some(before) = found else {
                let start = self.start_seqs(definition.start).await?;
                let record = self.new_record(owner.clone(), name.clone(), definition.clone());
                if self.stores.checkpoints.save_subscription(&record, None, &start).await? {
                    self.reload().await?;
                    return Ok((Put::Made, Arc::new(record)));
                }
                continue;
            };
            if before.definition.same(&definition) {
                return Ok((Put::Same, before));
            }
            if before.definition.mode != definition.mode {
                let mode = format!("{:?}", before.definition.mode).to_lowercase();
                let detail = format!("`{name}` is of mode {mode}; remove it to change that");
                return Err(Error::new(ErrorKind::WrongMode, detail));
            }
            if !update {
                return Err(differs(&before, &definition));
            }
            let mut record = SubscriptionRecord::clone(&before);
            record.version += 1;
            record.revision += 1;
            record.earlier.push((before.revision, before.definition.clone()));
            record.earlier = self.still_needed(&record).await?;
            record.definition = Definition { start: before.definition.start, ..definition.clone() };
            if self.stores.checkpoints.save_subscription(&record, Some(before.version), &[]).await? {
                let heads = self.stores.log.heads().await?;
                for (lane, end) in (0..).map(LaneId).zip(heads.seqs) {
                    self.ask(&record, lane, RequestKind::Redefine { revision: record.revision, end }).await?;
                }
                self.reload().await?;
                return Ok((Put::Changed, Arc::new(record)));
            }
        }
    }

    /// Earlier definitions that some lane may still read by.
    async fn still_needed(&self, record: &SubscriptionRecord) -> Result<Vec<(u64, Definition)>> {
        let lanes = self.stores.checkpoints.checkpoints(Some(record.id)).await?;
        let first =
            |checkpoint: &busway_core::Checkpoint| checkpoint.segments.first().map_or(0, |segment| segment.revision);
        let oldest = lanes.iter().map(|(.., checkpoint)| first(checkpoint)).min().unwrap_or(0);
        Ok(record.earlier.iter().filter(|(revision, _)| *revision >= oldest).cloned().collect())
    }

    pub(crate) fn new_record(
        &self,
        owner: Owner,
        name: SubscriptionName,
        definition: Definition,
    ) -> SubscriptionRecord {
        let now = self.seam.now();
        SubscriptionRecord {
            id: SubscriptionId(self.seam.id()),
            owner,
            name,
            version: 1,
            revision: 1,
            definition,
            earlier: Vec::new(),
            control: Control::Running,
            made_at: now,
            read_at: now,
            replay: None,
        }
    }

    /// Where each lane starts.
    pub(crate) async fn start_seqs(&self, start: Start) -> Result<Vec<Seq>> {
        let log = &self.stores.log;
        let heads = log.heads().await?;
        match start {
            Start::Latest => Ok(heads.seqs),
            Start::Earliest => Ok(heads.pruned),
            Start::Time(time) => {
                let mut seqs = Vec::with_capacity(heads.seqs.len());
                for lane in (0..log.lanes()).map(LaneId) {
                    seqs.push(log.seq_before(lane, time).await?);
                }
                Ok(seqs)
            }
        }
    }

    async fn control(&self, owner: &Owner, name: &SubscriptionName, control: Control) -> Result<SubscriptionView> {
        reserved(owner, name)?;
        loop {
            let before = self.named(owner, name).await?;
            if before.control == control {
                return self.view(&before).await;
            }
            let mut record = SubscriptionRecord::clone(&before);
            record.version += 1;
            record.control = control;
            if self.stores.checkpoints.save_subscription(&record, Some(before.version), &[]).await? {
                self.beat_now().await;
                return self.view(&record).await;
            }
            self.reload().await?;
        }
    }

    /// Waits until every lane that someone holds has adopted the newest revision.
    async fn adopted(&self, record: &SubscriptionRecord) {
        let wait = async {
            loop {
                let stirred = self.stirred.notified();
                tokio::pin!(stirred);
                stirred.as_mut().enable();
                match self.stores.checkpoints.checkpoints(Some(record.id)).await {
                    Ok(lanes)
                        if lanes.iter().all(|(.., checkpoint)| {
                            let adopted =
                                checkpoint.segments.last().is_none_or(|segment| segment.revision >= record.revision);
                            adopted || checkpoint.released
                        }) =>
                    {
                        return;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "checkpoints cannot be read"),
                }
                tokio::select! {
                    biased;
                    () = stirred => {}
                    () = self.seam.clock().sleep(self.config.lease / 3) => {}
                }
            }
        };
        tokio::select! {
            biased;
            () = wait => {}
            () = self.seam.clock().sleep(ADOPTION) => {
                tracing::warn!(subscription = %record.name, "not every lane has adopted the change yet");
            }
        }
    }

    /// A subscription as it stands.
    pub(crate) async fn view(&self, record: &SubscriptionRecord) -> Result<SubscriptionView> {
        let checkpoints = &self.stores.checkpoints;
        let lanes = checkpoints.checkpoints(Some(record.id)).await?;
        let holds = checkpoints.hold_counts(record.id).await?;
        let heads = self.stores.log.heads().await?;
        let now = self.seam.now();
        let mut view = SubscriptionView {
            id: record.id,
            owner: record.owner.clone(),
            name: record.name.clone(),
            revision: record.revision,
            definition: record.definition.clone(),
            state: match record.control {
                Control::Running => SubscriptionState::Running,
                Control::Paused => SubscriptionState::Paused,
                Control::Disabled => SubscriptionState::Disabled,
                Control::Expired => SubscriptionState::Expired,
            },
            members: Vec::new(),
            lag_at_most: 0,
            oldest_age: Duration::ZERO,
            in_flight: 0,
            held: holds.iter().map(|(_, held, _)| held).sum(),
            dead: checkpoints.dead_count(record.id).await?,
            delivered_total: lanes.iter().map(|(.., checkpoint)| checkpoint.delivered).sum(),
            failed_total: lanes.iter().map(|(.., checkpoint)| checkpoint.failed).sum(),
            made_at: record.made_at,
        };
        let serving = self.living.load();
        view.members = serving
            .iter()
            .filter(|member| member.serves.contains(&record.id))
            .map(|member| member.name.clone())
            .collect();
        for (_, lane, checkpoint) in &lanes {
            let head = heads.seqs[usize::from(lane.0)];
            // A held tenant's unread events lie behind the position.
            let needed =
                holds.iter().find(|(of, held, _)| of == lane && *held == 0).map_or(Seq::MAX, |(.., needed)| *needed);
            let read = checkpoint.position.min(needed.saturating_sub(1));
            if head > read {
                view.lag_at_most += self.stores.log.count(*lane, read, head).await?;
                view.oldest_age = view.oldest_age.max(self.age_after(record, *lane, read, now).await?);
            }
        }
        if let Some(work) = self.work(record.id) {
            let lanes = work.lanes();
            view.in_flight = lanes.values().map(|handle| handle.shown.running.load(Ordering::Relaxed)).sum();
            if view.state == SubscriptionState::Running {
                if lanes.values().any(|handle| handle.shown.broken.load(Ordering::Relaxed) == 1) {
                    view.state = SubscriptionState::Broken;
                } else if lanes.values().any(|handle| handle.shown.saturated.load(Ordering::Relaxed) == 1) {
                    view.state = SubscriptionState::Saturated;
                }
            }
        }
        if record.definition.mode == Mode::Pull {
            view.in_flight = self.leased(record).await?;
        }
        Ok(view)
    }

    async fn age_after(
        &self,
        record: &SubscriptionRecord,
        lane: LaneId,
        after: Seq,
        now: busway_core::Timestamp,
    ) -> Result<Duration> {
        let filter = busway_core::Filter {
            types: Some(Arc::new(record.definition.types.clone())),
            tenant: record.owner.tenant().cloned(),
            except: Vec::new(),
        };
        let request = busway_core::ReadRequest { filter, ..busway_core::ReadRequest::after(lane, after, 1) };
        let page = self.stores.log.read(request).await?;
        Ok(page.entries.first().map_or(Duration::ZERO, |entry| now.since(entry.stored_at)))
    }
}

fn differs(before: &SubscriptionRecord, asked: &Definition) -> Error {
    let stands = serde_json::to_value(&before.definition).unwrap_or_default();
    let asked = serde_json::to_value(asked).unwrap_or_default();
    let mut fields = Vec::new();
    if let (Some(stands), Some(asked)) = (stands.as_object(), asked.as_object()) {
        for (name, value) in stands.iter().filter(|(name, _)| *name != "start") {
            if asked.get(name) != Some(value) {
                let other = asked.get(name).map(ToString::to_string).unwrap_or_default();
                fields.push(busway_core::FieldError::new(
                    format!("/{name}"),
                    "differs",
                    format!("is {value}, asked for is {other}"),
                ));
            }
        }
    }
    let what = fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Error::invalid(ErrorKind::DefinitionDiffers, fields).with_detail(format!(
        "`{}` stands with another definition: {what}; ask for an update to change it",
        before.name
    ))
}
