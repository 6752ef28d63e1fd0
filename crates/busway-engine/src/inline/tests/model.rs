use proptest::prelude::*;

use super::*;

const TYPES: [&str; 5] = ["shift.created", "ticket.created", "shift.signup.created", "shift", "a"];
const PATTERNS: [&str; 7] =
    ["*", "shift.*", "shift.created", "*.created", "ticket.* !ticket.closed", "a", "* !shift.*"];

#[derive(Clone, Debug)]
enum Step {
    ListenToShifts,
    Listen(usize),
    Remove(usize),
    EmitShift,
    EmitTicket,
    Store(usize),
    Stats,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::ListenToShifts),
        (0..PATTERNS.len()).prop_map(Step::Listen),
        any::<usize>().prop_map(Step::Remove),
        Just(Step::EmitShift),
        Just(Step::EmitTicket),
        (0..TYPES.len()).prop_map(Step::Store),
        Just(Step::Stats),
    ];
    proptest::collection::vec(step, 0..80)
}

/// A listener as one would keep it without any plans.
struct Plain {
    name: String,
    patterns: Option<Patterns>,
    registration: Registration,
    executed: u64,
}

#[derive(Default)]
struct Bus {
    inline: Inline,
    journal: Journal,
    plain: Vec<Plain>,
    emitted: std::collections::BTreeMap<EventType, u64>,
    made: usize,
}

impl Bus {
    fn listen(&mut self, patterns: Option<&str>) {
        self.made += 1;
        let name = format!("l{}", self.made);
        let (journal, line) = (self.journal.clone(), name.clone());
        let registration = match patterns {
            Some(patterns) => self.inline.on_types(&*name, types(patterns), move |_| {
                journal.write(&line);
                Ok(())
            }),
            None => self.inline.on_values::<ShiftCreated>(ShiftCreated::TYPE, &*name, move |_, _| {
                journal.write(&line);
                Ok(())
            }),
        };
        self.plain.push(Plain { name, patterns: patterns.map(types), registration, executed: 0 });
    }

    fn expect(&mut self, type_name: &str) {
        let event_type = event_type(type_name);
        let mut expected = Vec::new();
        for plain in &mut self.plain {
            let hears = match &plain.patterns {
                Some(patterns) => patterns.matches(&event_type),
                None => type_name == ShiftCreated::TYPE,
            };
            if hears {
                plain.executed += 1;
                expected.push(plain.name.clone());
            }
        }
        assert_eq!(self.journal.take(), expected);
        *self.emitted.entry(event_type).or_default() += 1;
    }

    fn check(&self) {
        let stats = self.inline.stats();
        assert_eq!(stats.emitted, self.emitted);
        let found: Vec<_> =
            stats.listeners.iter().map(|stats| (stats.name.to_string(), stats.executed, stats.failed)).collect();
        let expected: Vec<_> = self.plain.iter().map(|plain| (plain.name.clone(), plain.executed, 0)).collect();
        assert_eq!(found, expected);
    }
}

proptest! {
    #[test]
    fn dispatch_does_what_a_plain_list_of_listeners_would(steps in steps()) {
        let mut bus = Bus::default();
        for step in steps {
            match step {
                Step::ListenToShifts => bus.listen(None),
                Step::Listen(pattern) => bus.listen(Some(PATTERNS[pattern])),
                Step::Remove(at) if !bus.plain.is_empty() => {
                    let at = at % bus.plain.len();
                    bus.plain.remove(at).registration.remove();
                }
                Step::Remove(_) => {}
                Step::EmitShift => {
                    bus.inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
                    bus.expect("shift.created");
                }
                Step::EmitTicket => {
                    bus.inline.emit_value(TicketCreated::TYPE, &acme(), &TicketCreated { id: 1 });
                    bus.expect("ticket.created");
                }
                Step::Store(at) => {
                    bus.inline.dispatch_stored(&stored(TYPES[at], "{}"));
                    bus.expect(TYPES[at]);
                }
                Step::Stats => bus.check(),
            }
        }
        bus.check();
    }
}
