use std::time::Duration;

use busway_core::{Age, Finding, Mode, Owner, Result, SubscriptionState};

use crate::{Engine, SubscriptionView, engine::Inner};

/// How long the oldest unread event may have been stored before its subscription counts as behind.
const BEHIND: Duration = Duration::from_secs(300);
/// How long events may wait for a listener before its absence is no restart any more.
const UNHEARD: Duration = Duration::from_secs(60);

impl Engine {
    /// What is wrong, or will be: what the backend finds of itself, then of every subscription what needs a hand. Each
    /// check that finds nothing says so. Nothing is changed, and it may take as long as reading the whole store.
    pub async fn diagnose(&self) -> Result<Vec<Finding>> {
        let inner = &self.inner;
        let mut findings = inner.stores.log.diagnose().await?;
        // So that members are known although this process has just begun.
        inner.beat_now().await;
        let views = self.subscriptions(None).await?;
        let mut troubles = Vec::new();
        for view in &views {
            let is_full = inner.has_full_lane(view).await?;
            troubles.extend(Looked { view, is_full, retention: inner.config.retention }.findings());
        }
        if troubles.is_empty() {
            let all = match views.len() {
                0 => "there are no subscriptions".into(),
                1 => "the one subscription keeps up".into(),
                count => format!("all {count} subscriptions keep up"),
            };
            troubles.push(Finding::ok("subscriptions", all));
        }
        findings.append(&mut troubles);
        Ok(findings)
    }
}

impl Inner {
    /// True if a lane has as many holds as it may, whoever works on it.
    async fn has_full_lane(&self, view: &SubscriptionView) -> Result<bool> {
        let most = self.config.max_holds as u64;
        let counts = self.stores.checkpoints.hold_counts(view.id).await?;
        Ok(view.state == SubscriptionState::Saturated || counts.iter().any(|(_, held, _)| *held >= most))
    }
}

/// A subscription that is looked at.
struct Looked<'a> {
    view: &'a SubscriptionView,
    is_full: bool,
    retention: Option<Duration>,
}

impl Looked<'_> {
    fn findings(&self) -> Vec<Finding> {
        let found = [self.stopped(), self.full(), self.behind(), self.pins(), self.dead()];
        found.into_iter().flatten().map(|finding| finding.about(self.name())).collect()
    }

    /// As the command line names it: `chat`, `acme/chat`.
    fn name(&self) -> String {
        match &self.view.owner {
            Owner::Tenant(tenant) => format!("{tenant}/{}", self.view.name),
            Owner::Installation => self.view.name.to_string(),
        }
    }

    /// How it is named to the command line.
    fn argument(&self) -> String {
        match &self.view.owner {
            Owner::Tenant(tenant) => format!("{} --tenant {tenant}", self.view.name),
            Owner::Installation => self.view.name.to_string(),
        }
    }

    fn unread(&self) -> String {
        let oldest = Age(self.view.oldest_age);
        match self.view.lag_at_most {
            1 => format!("1 event unread, stored {oldest} ago"),
            lag => format!("at most {lag} events unread, the oldest stored {oldest} ago"),
        }
    }

    fn has_unread(&self) -> bool {
        !self.view.oldest_age.is_zero()
    }

    fn stopped(&self) -> Option<Finding> {
        let (name, argument) = (self.name(), self.argument());
        match self.view.state {
            SubscriptionState::Broken => Some(Finding::fail(
                "broken",
                format!("subscription {name} fails on every event, so only one is tried from time to time"),
                "mend what it calls; it goes on by itself",
            )),
            SubscriptionState::Paused if self.has_unread() => Some(Finding::warn(
                "paused",
                format!("subscription {name} is paused with {}", self.unread()),
                format!("busway subscriptions resume {argument}"),
            )),
            SubscriptionState::Disabled if self.has_unread() => Some(Finding::warn(
                "disabled",
                format!("the endpoint of subscription {name} is disabled with {}", self.unread()),
                format!("mend the endpoint, then busway subscriptions resume {argument}"),
            )),
            SubscriptionState::Expired => Some(Finding::warn(
                "expired",
                format!("subscription {name} stood unread for too long and has expired: events are removed unread"),
                format!("busway subscriptions resume {argument}, or remove it"),
            )),
            _ => None,
        }
    }

    fn full(&self) -> Option<Finding> {
        self.is_full.then(|| {
            let (name, held) = (self.name(), self.view.held);
            Finding::fail(
                "saturated",
                format!("subscription {name} has {held} keys held and reads no further until some are settled"),
                format!(
                    "mend what it calls, or discard what is dead: busway dead-letters list --subscription {}",
                    self.argument()
                ),
            )
        })
    }

    fn behind(&self) -> Option<Finding> {
        let SubscriptionView { state, oldest_age, definition, members, .. } = self.view;
        let (name, unread) = (self.name(), self.unread());
        if *state != SubscriptionState::Running && *state != SubscriptionState::Saturated {
            return None;
        }
        if definition.mode == Mode::Run && members.is_empty() && *oldest_age > UNHEARD {
            return Some(Finding::fail(
                "lag",
                format!("nobody listens to subscription {name}: {unread}"),
                format!("start the process that has its listener, or busway subscriptions remove {}", self.argument()),
            ));
        }
        (*oldest_age > BEHIND).then(|| {
            let remedy = match definition.mode {
                Mode::Pull => format!("pull from it more, or busway subscriptions remove {}", self.argument()),
                Mode::Run | Mode::Push => "raise its `concurrency`, or run it in more processes".into(),
            };
            Finding::warn("lag", format!("subscription {name} is behind: {unread}"), remedy)
        })
    }

    fn pins(&self) -> Option<Finding> {
        let retention = self.retention.filter(|retention| self.view.oldest_age > *retention)?;
        if self.view.state == SubscriptionState::Expired {
            return None;
        }
        let detail = format!(
            "subscription {} pins the log, which is to be kept for {}: {}",
            self.name(),
            Age(retention),
            self.unread()
        );
        let remedy = format!("read it, give it `expireAfterMs`, or busway subscriptions remove {}", self.argument());
        Some(Finding::warn("pins_log", detail, remedy))
    }

    fn dead(&self) -> Option<Finding> {
        let count = match self.view.dead {
            0 => return None,
            1 => "1 dead letter".to_owned(),
            dead => format!("{dead} dead letters"),
        };
        let detail = format!("subscription {} has {count} that somebody must decide on", self.name());
        Some(Finding::warn(
            "dead_letters",
            detail,
            format!("busway dead-letters list --subscription {}", self.argument()),
        ))
    }
}
