use std::{sync::Arc, time::Duration};

use busway_core::{
    Clock, Definition, ManualClock, Order, Owner,
    conformance::{Failed, Outcome},
};

use super::{
    acting::{Act, Acting, Book},
    material::name,
    stage::Stage,
    way::{Gate, State, Way},
};
use crate::{
    Delivery, Engine, Leased, Settlements,
    conformance::{History, Record},
};

/// One process of a scenario.
pub(super) struct Member {
    pub(super) index: usize,
    pub(super) engine: Engine,
    pub(super) gate: Arc<Gate>,
    pub(super) way: Arc<Way>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) history: History,
}

impl Member {
    /// Works on a subscription of the installation as a script has it.
    pub(super) async fn work(
        &self,
        stage: &Stage,
        subscription: &str,
        definition: &Definition,
        book: &Book,
        script: impl Fn(&Delivery) -> Act + Send + Sync + 'static,
    ) -> Outcome {
        let acting = self.acting(subscription, definition.order, book, script);
        self.handle(stage, subscription, definition, acting).await
    }

    /// Works on a subscription of the installation by a handler.
    pub(super) async fn handle(
        &self,
        stage: &Stage,
        subscription: &str,
        definition: &Definition,
        acting: Acting,
    ) -> Outcome {
        let (owner, definition) = (Owner::Installation, definition.clone());
        let subscribe = self.engine.subscribe(owner, name(subscription), definition, false, Arc::new(acting));
        stage.drive(subscribe).await.map(|_| ())
    }

    /// A handler of this member that follows a script.
    pub(super) fn acting(
        &self,
        subscription: &str,
        order: Order,
        book: &Book,
        script: impl Fn(&Delivery) -> Act + Send + Sync + 'static,
    ) -> Acting {
        Acting {
            member: self.index,
            subscription: subscription.into(),
            order,
            script: Arc::new(script),
            types: Vec::new(),
            book: book.clone(),
            history: self.history.clone(),
            gate: Arc::clone(&self.gate),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Is killed: nothing it does reaches the store or the handlers' books any more.
    pub(super) fn kill(&self) {
        self.gate.set(State::Dead);
        self.history.note(self.clock.elapsed(), Record::Killed { process: self.index, by: None });
    }

    /// Stands still.
    pub(super) fn freeze(&self) {
        self.gate.set(State::Frozen);
        self.history.note(self.clock.elapsed(), Record::Suspended { process: self.index });
    }

    /// Goes on.
    pub(super) fn thaw(&self) {
        self.gate.set(State::Open);
    }

    /// Leaves gracefully.
    pub(super) async fn leave(&self, stage: &Stage) -> Outcome {
        stage.drive(self.engine.shutdown()).await.map(|_| ())
    }

    /// Pulls what is there.
    pub(super) async fn pull(&self, stage: &Stage, of: &str, max: usize) -> Result<Vec<Leased>, Failed> {
        stage.drive(self.engine.pull(&Owner::Installation, &name(of), max, Duration::ZERO)).await
    }

    /// Settles, and tells for each whether it counted.
    pub(super) async fn settle(&self, stage: &Stage, of: &str, settlements: Settlements) -> Result<Vec<bool>, Failed> {
        let settled = stage.drive(self.engine.settle(&Owner::Installation, &name(of), settlements)).await?;
        Ok(settled.into_iter().map(|settled| settled.settled).collect())
    }

    /// Acknowledges, and tells for each whether it counted.
    pub(super) async fn ack(&self, stage: &Stage, of: &str, leased: &[Leased]) -> Result<Vec<bool>, Failed> {
        let ack = leased.iter().map(|leased| leased.delivery_id.clone()).collect();
        self.settle(stage, of, Settlements { ack, ..Settlements::default() }).await
    }
}
