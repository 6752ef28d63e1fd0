//! A world of processes over one store, run by a seed on one thread.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use busway_core::{
    Clock, DeadCause, DeadLetterQuery, Definition, EventType, Key, LaneId, ManualClock, Mode, NewEvent, OnDead, Order,
    Owner, Patterns, Payload, Random, ReadRequest, Retry, Seam, SeededRandom, Start, Stores, SubscriptionName,
    TenantId, Timestamp, memory::Memory,
};
use busway_engine::{
    Config, Engine,
    conformance::{Bounds, History, Lettered, Record, Summary, Violation, judge},
};
use uuid::Uuid;

use super::{
    flaky::{Flaky, Gate, Gates, State},
    handler::{Acting, Manners, number},
};

struct Process {
    gate: Arc<Gate>,
    engine: Option<Engine>,
    leaving: bool,
}

pub(super) struct World {
    seed: u64,
    random: SeededRandom,
    clock: Arc<ManualClock>,
    stores: Stores,
    config: Config,
    definitions: BTreeMap<String, Definition>,
    pub(super) history: History,
    manners: Arc<Manners>,
    processes: Arc<Mutex<Vec<Process>>>,
    gates: Gates,
    published: u64,
    wrong_by: i64,
    faults: (u64, u64),
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let random = SeededRandom::new(seed);
        let pick = |of: u64| random.next() % of;
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_760_000_000_000)));
        let store_seam = Seam::new(clock.clone(), Arc::new(SeededRandom::new(seed ^ 0xabcd)));
        let stores = Memory::with_lanes(store_seam, [1, 1, 2, 3][pick(4) as usize]).stores();
        let config = Config {
            app: "sim".into(),
            lease: Duration::from_secs(5),
            grace: Duration::from_secs(3),
            window: [3, 5, 16, 64][pick(4) as usize],
            max_holds: [3, 8, 100][pick(3) as usize],
            breaker: [3, 8, 50][pick(3) as usize],
            ..Config::default()
        };
        let mut definitions = BTreeMap::new();
        for name in ["one", "two"].iter().take(1 + pick(2) as usize) {
            let retry =
                Retry { attempts: 1 + pick(3) as u32, delay_ms: [1, 200, 2_000][pick(3) as usize], ..Retry::default() };
            let definition = Definition {
                start: Start::Earliest,
                order: [Order::Key, Order::Key, Order::Type, Order::None][pick(4) as usize],
                on_dead: if pick(4) == 0 { OnDead::Block } else { OnDead::Skip },
                retry,
                ack_timeout_ms: 6_000,
                concurrency: 1 + pick(6) as u32,
                ..Definition::new(Patterns::parse(["a.*", "b"]).unwrap(), Mode::Run)
            };
            definitions.insert((*name).to_owned(), definition);
        }
        let total = 200;
        let some = |chance: u64| (0..total).filter(|_| pick(1_000) < chance).collect::<BTreeSet<u64>>();
        let killers = if pick(2) == 0 { some(10) } else { BTreeSet::new() };
        let poison = some([0, 10, 100][pick(3) as usize]);
        let chances = [[0, 0, 0, 0], [50, 5, 5, 20], [300, 20, 20, 50], [900, 50, 0, 0]][pick(4) as usize];
        let manners = Arc::new(Manners { chances: Mutex::new(chances), killers, poison, runs: AtomicU64::new(0) });
        let faults = [(0, 0), (10, 10), (100, 100)][pick(3) as usize];
        Self {
            seed,
            random,
            clock,
            stores,
            config,
            definitions,
            history: History::default(),
            manners,
            processes: Arc::default(),
            gates: Gates::default(),
            published: 0,
            wrong_by: 0,
            faults,
        }
    }

    fn pick(&self, of: u64) -> u64 {
        self.random.next() % of
    }

    /// Lets everything run that can without time passing.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// Lets time pass, stopping wherever something is due.
    async fn pass(&self, duration: Duration) {
        let until = self.clock.elapsed() + duration;
        self.settle().await;
        while self.clock.elapsed() < until {
            let next = self.clock.next_due().unwrap_or(until).max(self.clock.elapsed()).min(until);
            self.clock.advance(next - self.clock.elapsed());
            self.settle().await;
        }
    }

    fn join(&self) {
        let mut processes = self.processes.lock().unwrap();
        let process = processes.len();
        let gate = Gate::new(self.seed ^ (process as u64 + 1).wrapping_mul(0x9e37), self.clock.clone(), self.faults);
        processes.push(Process { gate: gate.clone(), engine: None, leaving: false });
        let seam =
            Seam::new(self.clock.clone(), Arc::new(SeededRandom::new(self.seed.wrapping_add(process as u64) << 8)));
        let stores = Flaky::stores(gate.clone(), self.gates.clone(), self.stores.clone());
        let (config, definitions) = (self.config.clone(), self.definitions.clone());
        let (clock, history, manners) = (self.clock.clone(), self.history.clone(), self.manners.clone());
        let shared = Arc::clone(&self.processes);
        tokio::spawn(async move {
            let engine = loop {
                match Engine::start(stores.clone(), config.clone(), seam.clone()).await {
                    Ok(engine) => break engine,
                    Err(_) => clock.sleep(Duration::from_millis(50)).await,
                }
            };
            for (name, definition) in definitions {
                let handler = Arc::new(Acting {
                    process,
                    gate: gate.clone(),
                    clock: clock.clone(),
                    history: history.clone(),
                    manners: manners.clone(),
                    keyed_by_type: definition.order == Order::Type,
                    unordered: definition.order == Order::None,
                });
                let name = SubscriptionName::new(name.as_str()).unwrap();
                while let Err(error) =
                    engine.subscribe(Owner::Installation, name.clone(), definition.clone(), true, handler.clone()).await
                {
                    if !error.is_temporary() {
                        break;
                    }
                    clock.sleep(Duration::from_millis(50)).await;
                }
            }
            shared.lock().unwrap()[process].engine = Some(engine);
        });
    }

    fn alive(&self) -> Vec<usize> {
        let processes = self.processes.lock().unwrap();
        let alive =
            processes.iter().enumerate().filter(|(_, process)| process.gate.state() != State::Dead && !process.leaving);
        alive.map(|(index, _)| index).collect()
    }

    fn some_engine(&self) -> Option<Engine> {
        let processes = self.processes.lock().unwrap();
        let engines: Vec<_> = processes
            .iter()
            .filter(|process| process.gate.state() == State::Open && !process.leaving)
            .filter_map(|process| process.engine.clone())
            .collect();
        (!engines.is_empty()).then(|| engines[self.pick(engines.len() as u64) as usize].clone())
    }

    fn publish(&mut self, many: u64) {
        let Some(engine) = self.some_engine() else { return };
        let mut events = Vec::new();
        let mut notes = Vec::new();
        for _ in 0..many {
            let n = self.published;
            self.published += 1;
            // One key for all publishers' turns would hide what keys do side by side; several would leave none alone.
            let key = match self.pick(6) {
                0 => None,
                other => Some(format!("k{}", other % 4)),
            };
            let tenant = ["acme", "hill"][(self.pick(5) == 0) as usize];
            let kind = if self.pick(3) == 0 { "b" } else { "a.x" };
            let payload = Payload::from_json(format!("{{\"n\":{n}}}")).unwrap();
            let mut event = NewEvent::new(EventType::new(kind).unwrap(), payload)
                .with_id(Uuid::from_u128(u128::from(n) << 64 | 0x7000_8000_0000_0000_0000))
                .with_tenant(TenantId::new(tenant).unwrap());
            event.key = key.as_deref().map(|key| Key::new(key).unwrap());
            notes.push(Record::Acknowledged { event: n, key: key.map(|key| format!("{tenant}/{key}")) });
            events.push(event);
        }
        let (history, clock) = (self.history.clone(), self.clock.clone());
        let again = self.pick(10) == 0;
        tokio::spawn(async move {
            for _ in 0..20 {
                match engine.publish(events.clone()).await {
                    Ok(_) => {
                        for note in notes {
                            history.note(clock.elapsed(), note);
                        }
                        if again {
                            let _ = engine.publish(events).await;
                        }
                        return;
                    }
                    Err(_) => clock.sleep(Duration::from_millis(100)).await,
                }
            }
        });
    }

    fn kill(&self, process: usize) {
        let processes = self.processes.lock().unwrap();
        processes[process].gate.set(State::Dead);
        self.history.note(self.clock.elapsed(), Record::Killed { process, by: None });
    }

    fn freeze(&self, process: usize, frozen: bool) {
        let processes = self.processes.lock().unwrap();
        let state = processes[process].gate.state();
        match (state, frozen) {
            (State::Open, true) => {
                self.history.note(self.clock.elapsed(), Record::Suspended { process });
                processes[process].gate.set(State::Frozen);
            }
            (State::Frozen, false) => processes[process].gate.set(State::Open),
            _ => {}
        }
    }

    fn leave(&self, process: usize) {
        let engine = {
            let mut processes = self.processes.lock().unwrap();
            if processes[process].gate.state() != State::Open {
                return;
            }
            processes[process].leaving = true;
            processes[process].engine.clone()
        };
        // A shutdown that runs out of its grace cancels handlers; they end before the lane is handed on.
        if let Some(engine) = engine {
            self.history.note(self.clock.elapsed(), Record::Left { process });
            tokio::spawn(async move {
                let _ = engine.shutdown().await;
            });
        }
    }

    /// Sets the time of day this far from the right one.
    fn jump(&mut self, wrong_by: i64) {
        self.clock.jump(wrong_by - self.wrong_by);
        self.wrong_by = wrong_by;
    }

    fn operate(&self) {
        let Some(engine) = self.some_engine() else { return };
        let names: Vec<&String> = self.definitions.keys().collect();
        let name = SubscriptionName::new(names[self.pick(names.len() as u64) as usize].as_str()).unwrap();
        let choice = self.pick(6);
        let (history, clock, stores) = (self.history.clone(), self.clock.clone(), self.stores.clone());
        let nth = self.pick(5) as usize;
        let mut definition = self.definitions[name.as_str()].clone();
        definition.types = Patterns::parse(["a.*", "b", ["never.1", "never.2"][self.pick(2) as usize]]).unwrap();
        tokio::spawn(async move {
            let owner = Owner::Installation;
            match choice {
                0 | 1 => {
                    let query = DeadLetterQuery { name: Some(name.clone()), limit: 100, ..DeadLetterQuery::default() };
                    let Ok(page) = engine.dead_letters(&query).await else { return };
                    let Some(letter) = page.items.get(nth) else { return };
                    let event = number(letter.entry.event().unwrap().payload.as_str());
                    let subscription = name.to_string();
                    if choice == 0 {
                        history.note(clock.elapsed(), Record::RetryAsked { subscription, event });
                        let _ = engine.retry_dead_letter(None, letter.id).await;
                    } else {
                        history.note(clock.elapsed(), Record::Discarded { subscription, event });
                        let _ = engine.discard_dead_letter(None, letter.id).await;
                    }
                }
                2 => {
                    let _ = engine.pause(&owner, &name).await;
                    clock.sleep(Duration::from_millis(1_500)).await;
                    while engine.resume(&owner, &name).await.is_err() {
                        clock.sleep(Duration::from_millis(100)).await;
                    }
                }
                3 => {
                    let _ = engine.replay(&owner, &name, Start::Earliest, Start::Latest, None).await;
                }
                4 => {
                    let _ = engine.put(owner, name, definition, true).await;
                }
                _ => {
                    let query =
                        DeadLetterQuery { name: Some(name.clone()), limit: 1_000, ..DeadLetterQuery::default() };
                    let note = async |history: &History| {
                        for letter in stores.checkpoints.dead_letters(&query).await.unwrap().items {
                            let event = number(letter.entry.event().unwrap().payload.as_str());
                            history.note(clock.elapsed(), Record::RetryAsked { subscription: name.to_string(), event });
                        }
                    };
                    // What dies between the two is meant as well.
                    note(&history).await;
                    let _ = engine.retry_dead_letters(query.clone()).await;
                    note(&history).await;
                }
            }
        });
    }

    /// Lives through a seed's faults, heals, and is judged.
    pub(super) async fn live(&mut self) -> (Summary, Vec<Violation>) {
        self.join();
        self.pass(Duration::from_millis(500)).await;
        for _ in 0..(20 + self.pick(40)) {
            let alive = self.alive();
            match self.pick(24) {
                0..8 => {
                    let many = 1 + self.pick(6);
                    self.publish(many);
                }
                8..10 if alive.len() < 3 => self.join(),
                10 if !alive.is_empty() => self.kill(alive[self.pick(alive.len() as u64) as usize]),
                11 if !alive.is_empty() => self.freeze(alive[self.pick(alive.len() as u64) as usize], true),
                12 | 13 => alive.iter().for_each(|process| self.freeze(*process, false)),
                14 if alive.len() > 1 => self.leave(alive[self.pick(alive.len() as u64) as usize]),
                15..18 => self.operate(),
                18 => self.jump([-600_000, 0, 5_000, 600_000][self.pick(4) as usize]),
                _ => {}
            }
            if self.alive().is_empty() {
                self.join();
            }
            let millis = [0, 5, 100, 700, 3_000, 9_000][self.pick(6) as usize];
            self.pass(Duration::from_millis(millis)).await;
        }
        let stuck = self.heal().await;
        let letters = self.letters().await;
        if std::env::var_os("BUSWAY_SIM_SEED").is_some() {
            let query = DeadLetterQuery { limit: 10_000, ..DeadLetterQuery::default() };
            for letter in self.stores.checkpoints.dead_letters(&query).await.unwrap().items {
                println!(
                    "dead letter of {}: {} seq {} attempts {} {:?} {}",
                    letter.name,
                    letter.entry.event().unwrap().payload.as_str(),
                    letter.entry.seq,
                    letter.attempts,
                    letter.cause,
                    letter.error
                );
            }
        }
        let lanes = usize::from(self.stores.log.lanes());
        let bounds: Vec<Bounds> = self
            .definitions
            .iter()
            .map(|(name, definition)| Bounds {
                subscription: name.clone(),
                attempts: definition.retry.attempts,
                window: self.config.window,
                lanes,
                running_holds: self.config.max_holds + self.config.window,
                ordered: definition.order != Order::None,
            })
            .collect();
        let (summary, mut violations) =
            judge(&self.history, &bounds, &self.places().await, &letters, &self.manners.killers);
        violations.extend(stuck.map(Violation::Stuck));
        (summary, violations)
    }

    /// Ends all faults but what killers and poison do, and waits for everything to be settled.
    async fn heal(&mut self) -> Option<String> {
        *self.manners.chances.lock().unwrap() = [0; 4];
        self.faults = (0, 0);
        for process in self.alive() {
            self.freeze(process, false);
        }
        for process in self.processes.lock().unwrap().iter() {
            process.gate.heal();
        }
        let mut standing = String::new();
        for _ in 0..800 {
            if self.alive().is_empty() {
                self.join();
            }
            self.pass(Duration::from_secs(2)).await;
            self.unblock().await;
            self.resume();
            standing = self.standing().await;
            if standing.is_empty() {
                return None;
            }
        }
        Some(standing)
    }

    /// What blocks a key is discarded in the end: everything behind it goes on.
    async fn unblock(&self) {
        for (name, _) in self.definitions.iter().filter(|(_, definition)| definition.on_dead == OnDead::Block) {
            let Some(engine) = self.some_engine() else { return };
            let query = DeadLetterQuery {
                name: Some(SubscriptionName::new(name.as_str()).unwrap()),
                limit: 1_000,
                ..DeadLetterQuery::default()
            };
            let page = self.stores.checkpoints.dead_letters(&query).await.unwrap();
            for letter in page.items {
                let event = number(letter.entry.event().unwrap().payload.as_str());
                self.history.note(self.clock.elapsed(), Record::Discarded { subscription: name.clone(), event });
                let engine = engine.clone();
                tokio::spawn(async move {
                    let _ = engine.discard_dead_letter(None, letter.id).await;
                });
            }
        }
    }

    /// What an operator paused and did not live to resume runs again.
    fn resume(&self) {
        for name in self.definitions.keys() {
            let Some(engine) = self.some_engine() else { return };
            let name = SubscriptionName::new(name.as_str()).unwrap();
            tokio::spawn(async move {
                let _ = engine.resume(&Owner::Installation, &name).await;
            });
        }
    }

    /// What is not settled yet.
    async fn standing(&self) -> String {
        let heads = self.stores.log.heads().await.unwrap();
        let mut standing = String::new();
        for record in self.stores.checkpoints.subscriptions().await.unwrap() {
            for (lane, held, needed) in self.stores.checkpoints.hold_counts(record.id).await.unwrap() {
                if held > 0 || needed != u64::MAX {
                    let stored = self.stores.checkpoints.lane(record.id, lane).await.unwrap().unwrap();
                    standing += &format!(
                        "{} {:?} lane {lane} holds {:?} {:?}; ",
                        record.name, record.control, stored.holds, stored.turns
                    );
                }
            }
            for (_, lane, checkpoint) in self.stores.checkpoints.checkpoints(Some(record.id)).await.unwrap() {
                let replay = record.replay.is_some();
                if replay || checkpoint.position < heads.seqs[usize::from(lane.0)] || checkpoint.handed.is_some() {
                    let what = if replay { " replay" } else { "" };
                    standing += &format!(
                        "{}{what} {:?} lane {lane} {checkpoint:?} head {}; ",
                        record.name,
                        record.control,
                        heads.seqs[usize::from(lane.0)]
                    );
                }
            }
        }
        for request in self.stores.checkpoints.requests().await.unwrap() {
            standing += &format!("{request:?}; ");
        }
        standing
    }

    /// Where in the log each event stands.
    async fn places(&self) -> BTreeMap<u64, u64> {
        let mut places = BTreeMap::new();
        for lane in 0..self.stores.log.lanes() {
            let page = self.stores.log.read(ReadRequest::after(LaneId(lane), 0, 100_000)).await.unwrap();
            places
                .extend(page.entries.iter().map(|entry| (number(entry.event().unwrap().payload.as_str()), entry.seq)));
        }
        places
    }

    async fn letters(&self) -> Vec<Lettered> {
        let query = DeadLetterQuery { limit: 10_000, ..DeadLetterQuery::default() };
        let page = self.stores.checkpoints.dead_letters(&query).await.unwrap();
        let lettered = |letter: busway_core::DeadLetter| Lettered {
            subscription: letter.name.to_string(),
            event: number(letter.entry.event().unwrap().payload.as_str()),
            attempts: letter.attempts,
            lost: letter.cause == DeadCause::Lost,
        };
        page.items.into_iter().map(lettered).collect()
    }
}
