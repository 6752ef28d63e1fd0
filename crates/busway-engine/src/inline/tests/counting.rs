use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::inline::ledger::MOST_TYPES;

#[test]
fn what_nobody_hears_is_counted_too() {
    let inline = Inline::new();
    for _ in 0..5 {
        inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
        inline.dispatch_stored(&stored("a.b", "{}"));
    }
    let stats = inline.stats();
    let expected = [(event_type("a.b"), 5), (event_type("shift.created"), 5)];
    assert_eq!(stats.emitted.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!((stats.emitted_others, stats.looped, stats.listeners.len()), (0, 0, 0));
}

#[test]
fn listeners_of_one_name_are_counted_as_one() {
    let inline = Inline::new();
    inline.on_values::<ShiftCreated>(ShiftCreated::TYPE, "count", |_, _| Ok(()));
    inline.on_types("count", types("*"), |_| Err("no".into()));
    inline.on_types("other", types("*"), |_| Ok(()));
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    let stats = inline.stats();
    let names: Vec<_> = stats.listeners.iter().map(|stats| &*stats.name).collect();
    assert_eq!(names, ["count", "other"]);
    assert_eq!(runs(&inline, "count"), (2, 1));
}

#[test]
fn counts_are_exact_while_threads_emit_and_listeners_come_and_go() {
    const EACH: u64 = 20_000;
    let inline = Inline::new();
    inline.on_values::<ShiftCreated>(ShiftCreated::TYPE, "value", |_, _| Ok(()));
    inline.on_types("wild", types("*.created"), |_| Ok(()));
    let start = Barrier::new(4);
    let emitting = || {
        start.wait();
        for n in 0..EACH {
            inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
            if n % 4 == 0 {
                inline.dispatch_stored(&stored("ticket.created", "{}"));
            }
        }
    };
    thread::scope(|scope| {
        let emitters: Vec<_> = (0..3).map(|_| scope.spawn(emitting)).collect();
        start.wait();
        let mut seen = 0;
        while emitters.iter().any(|emitter| !emitter.is_finished()) {
            let passing = inline.on_types("passing", types("shift.*"), |_| Ok(()));
            let now = runs(&inline, "wild").0;
            assert!(now >= seen, "{now} {seen}");
            seen = now;
            passing.remove();
        }
    });
    assert_eq!(emitted(&inline, "shift.created"), 3 * EACH);
    assert_eq!(emitted(&inline, "ticket.created"), 3 * EACH / 4);
    assert_eq!(runs(&inline, "value"), (3 * EACH, 0));
    assert_eq!(runs(&inline, "wild"), (3 * EACH + 3 * EACH / 4, 0));
}

#[test]
fn what_is_under_way_while_listeners_change_is_counted_meanwhile() {
    let inline = Inline::new();
    let shared = inline.clone();
    inline.on_types("first", types("*"), move |_| {
        shared.on_types("another", types("*"), |_| Ok(()));
        assert_eq!((runs(&shared, "first"), emitted(&shared, "shift.created")), ((1, 0), 1));
        Ok(())
    });
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    assert_eq!((runs(&inline, "first"), emitted(&inline, "shift.created")), ((1, 0), 1));
}

#[test]
fn endless_type_names_take_bounded_room_and_lose_no_count() {
    let inline = Inline::new();
    inline.on_types("all", types("*"), |_| Ok(()));
    let (often, mut total) = (stored("often", "{}"), 0);
    for n in 0..MOST_TYPES * 6 {
        inline.dispatch_stored(&stored(&format!("junk{n}"), "{}"));
        inline.dispatch_stored(&often);
        total += 2;
        if n % 5_000 == 0 {
            inline.on_types("more", types("*"), |_| Ok(()));
        }
    }
    let stats = inline.stats();
    assert_eq!(stats.emitted[&event_type("often")], total / 2);
    assert_eq!(stats.emitted.values().sum::<u64>() + stats.emitted_others, total);
    assert!(stats.emitted.len() <= 3 * MOST_TYPES, "{}", stats.emitted.len());
    assert!(inline.shared.plans.load().len() <= MOST_TYPES);
    assert_eq!(runs(&inline, "all"), (total, 0));
}

#[test]
fn a_type_in_use_is_counted_singly_however_rare_among_endless_names() {
    let inline = Inline::new();
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    inline.on_types("shifts", types("shift.*"), |_| Ok(()));
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    for n in 0..MOST_TYPES * 6 {
        let junk = stored(&format!("junk{n}"), "{}");
        (0..3).for_each(|_| inline.dispatch_stored(&junk));
    }
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    assert_eq!(emitted(&inline, "shift.created"), 3);
    assert!(inline.stats().emitted_others > 0);
}

#[test]
fn one_emission_in_sixty_four_is_timed() {
    let inline = Inline::new();
    inline.on_values::<ShiftCreated>(ShiftCreated::TYPE, "quick", |_, _| Ok(()));
    inline.on_values::<ShiftCreated>(ShiftCreated::TYPE, "slow", |_, _| {
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(50) {}
        Ok(())
    });
    inline.on_values::<TicketCreated>(TicketCreated::TYPE, "never", |_, _| Ok(()));
    for _ in 0..640 {
        inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    }
    let stats = inline.stats();
    let [quick, slow, never] = &stats.listeners[..] else { panic!("{stats:?}") };
    assert_eq!((quick.timed, slow.timed, never.timed), (10, 10, 0));
    assert!(slow.p50.unwrap() >= Duration::from_micros(48), "{slow:?}");
    assert!(slow.p99 >= slow.p50 && quick.p50 < slow.p50, "{stats:?}");
    assert_eq!((never.p50, never.p99), (None, None));
}
