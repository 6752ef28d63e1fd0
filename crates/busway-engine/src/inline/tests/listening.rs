use std::sync::{
    Weak,
    atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use super::*;

#[test]
fn listeners_run_in_the_order_of_registration_whatever_they_listen_by() {
    let (inline, journal) = (Inline::new(), Journal::default());
    let value = journal.clone();
    inline.on_types("wild", types("ticket.*"), journal.listener("wild"));
    inline.on_values::<TicketCreated>(TicketCreated::TYPE, "value", move |ticket, _| {
        value.write(format!("value {}", ticket.id));
        Ok(())
    });
    inline.on_types("other", types("shift.*"), journal.listener("other"));
    inline.on_types("exact", types("ticket.created"), journal.listener("exact"));
    inline.on_types("all", types("*"), journal.listener("all"));
    for _ in 0..3 {
        inline.emit_value(TicketCreated::TYPE, &acme(), &TicketCreated { id: 1 });
        assert_eq!(journal.take(), ["wild", "value 1", "exact", "all"]);
        inline.dispatch_stored(&stored("ticket.created", "{\"id\":2}"));
        assert_eq!(journal.take(), ["wild", "value 2", "exact", "all"]);
        inline.emit_payload(&event_type("ticket.created"), &acme(), &Payload::from_json("{\"id\":3}").unwrap());
        assert_eq!(journal.take(), ["wild", "value 3", "exact", "all"]);
        inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
        assert_eq!(journal.take(), ["other", "all"]);
    }
}

#[test]
fn exclusions_are_heeded() {
    let (inline, journal) = (Inline::new(), Journal::default());
    inline.on_types("n8n", types("* !ticket.*"), journal.listener("n8n"));
    inline.emit_value(TicketCreated::TYPE, &acme(), &TicketCreated { id: 1 });
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    assert_eq!(journal.take().len(), 1);
}

static SERIALISED: AtomicU32 = AtomicU32::new(0);

#[derive(Deserialize)]
struct Noted {
    text: String,
}

impl Serialize for Noted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SERIALISED.fetch_add(1, Ordering::Relaxed);
        json!({ "text": self.text }).serialize(serializer)
    }
}

impl Noted {
    const TYPE: &'static str = "note.made";
}

#[test]
fn a_value_is_serialised_once_and_only_if_someone_asks() {
    let inline = Inline::new();
    inline.on_values::<Noted>(Noted::TYPE, "value", |_, _| Ok(()));
    inline.on_types("type", types("note.*"), |occurrence| {
        assert_eq!(occurrence.value::<Noted>().unwrap().text, "x");
        Ok(())
    });
    inline.emit_value(Noted::TYPE, &acme(), &Noted { text: "x".into() });
    assert_eq!(SERIALISED.load(Ordering::Relaxed), 0);
    for name in ["first", "second"] {
        inline.on_types(name, types("note.*"), |occurrence| {
            assert_eq!(occurrence.payload()?.as_str(), "{\"text\":\"x\"}");
            assert_eq!(*occurrence.decode::<Value>()?, json!({"text": "x"}));
            Ok(())
        });
    }
    inline.emit_value(Noted::TYPE, &acme(), &Noted { text: "x".into() });
    assert_eq!(SERIALISED.load(Ordering::Relaxed), 1);
    assert_eq!((runs(&inline, "first"), runs(&inline, "second")), ((1, 0), (1, 0)));
}

static DECODED: AtomicU32 = AtomicU32::new(0);

#[derive(Serialize)]
struct Counted {}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DECODED.fetch_add(1, Ordering::Relaxed);
        Value::deserialize(deserializer).map(|_| Self {})
    }
}

impl Counted {
    const TYPE: &'static str = "counted";
}

#[test]
fn a_stored_payload_is_decoded_once_for_all_listeners_of_its_type() {
    let inline = Inline::new();
    for name in ["first", "second", "third"] {
        inline.on_values::<Counted>(Counted::TYPE, name, |_, occurrence| {
            assert_eq!(occurrence.event().unwrap().id, Uuid::from_u128(7));
            Ok(())
        });
    }
    inline.dispatch_stored(&stored("counted", "{}"));
    assert_eq!(DECODED.load(Ordering::Relaxed), 1);
    assert_eq!(runs(&inline, "third"), (1, 0));
}

#[derive(Serialize, Deserialize)]
struct OtherTicket {}

impl OtherTicket {
    const TYPE: &'static str = "ticket.created";
}

#[test]
fn a_value_goes_to_listeners_of_its_rust_type_alone_and_a_payload_to_all_of_its_event_type() {
    let (inline, journal) = (Inline::new(), Journal::default());
    let (ticket, other) = (journal.clone(), journal.clone());
    inline.on_values::<TicketCreated>(TicketCreated::TYPE, "ticket", move |_, _| {
        ticket.write("ticket");
        Ok(())
    });
    inline.on_values::<OtherTicket>(OtherTicket::TYPE, "other", move |_, _| {
        other.write("other");
        Ok(())
    });
    inline.emit_value(OtherTicket::TYPE, &acme(), &OtherTicket {});
    assert_eq!(journal.take(), ["other"]);
    inline.dispatch_stored(&stored("ticket.created", "{\"id\":1}"));
    assert_eq!(journal.take(), ["ticket", "other"]);
    assert_eq!(emitted(&inline, "ticket.created"), 2);
}

#[test]
fn an_occurrence_tells_type_tenant_and_event() {
    let (inline, journal) = (Inline::new(), Journal::default());
    let lines = journal.clone();
    inline.on_types("all", types("*"), move |occurrence| {
        let id = occurrence.event().map(|event| event.id.as_u128());
        lines.write(format!("{} {} {id:?}", occurrence.event_type(), occurrence.tenant()));
        Ok(())
    });
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    inline.dispatch_stored(&stored("a.b", "{}"));
    assert_eq!(journal.take(), ["shift.created acme None", "a.b acme Some(7)"]);
}

#[test]
fn a_removed_listener_is_not_called_any_more() {
    let (inline, journal) = (Inline::new(), Journal::default());
    let first = inline.on_types("first", types("*"), journal.listener("first"));
    inline.on_types("second", types("*"), journal.listener("second"));
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    first.remove();
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    first.remove();
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    assert_eq!(journal.take(), ["first", "second", "second", "second"]);
    assert_eq!((runs(&inline, "first"), runs(&inline, "second")), ((0, 0), (3, 0)));
}

#[test]
fn a_listener_stays_when_its_registration_is_dropped() {
    let (inline, journal) = (Inline::new(), Journal::default());
    drop(inline.on_types("first", types("*"), journal.listener("first")));
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    assert_eq!(journal.take(), ["first"]);
}

#[test]
fn a_listener_may_remove_itself_and_is_dropped_then() {
    let inline = Inline::new();
    let registration = Arc::new(Mutex::new(None::<Registration>));
    let (held, kept) = (Arc::clone(&registration), Arc::new(()));
    let alive: Weak<()> = Arc::downgrade(&kept);
    *registration.lock().unwrap() = Some(inline.on_types("once", types("*"), move |_| {
        let _in_use = &kept;
        held.lock().unwrap().take().unwrap().remove();
        Ok(())
    }));
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    assert!(alive.upgrade().is_none());
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    assert_eq!(emitted(&inline, "shift.created"), 2);
}

#[test]
fn a_listener_that_is_added_while_one_runs_hears_the_next_event() {
    let (inline, journal) = (Inline::new(), Journal::default());
    let (shared, lines) = (inline.clone(), journal.clone());
    inline.on_types("first", types("*"), move |_| {
        lines.write("first");
        if lines.0.lock().unwrap().len() == 1 {
            shared.on_types("second", types("*"), lines.listener("second"));
        }
        Ok(())
    });
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    assert_eq!(journal.0.lock().unwrap().len(), 1);
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    assert_eq!(journal.take(), ["first", "first", "second"]);
}

#[test]
fn dropping_a_listener_may_call_the_bus() {
    struct Leaving(Inline);
    impl Drop for Leaving {
        fn drop(&mut self) {
            self.0.on_types("successor", types("*"), |_| Ok(()));
            self.0.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
        }
    }
    let inline = Inline::new();
    let leaving = Leaving(inline.clone());
    let registration = inline.on_types("leaving", types("*"), move |_| {
        let _in_use = &leaving;
        Ok(())
    });
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    registration.remove();
    assert_eq!(runs(&inline, "successor"), (1, 0));
}

#[test]
fn a_registration_does_not_keep_the_bus_alive() {
    let registration = Inline::new().on_types("first", types("*"), |_| Ok(()));
    registration.remove();
}

#[test]
fn listeners_may_emit_and_their_listeners_run_at_once() {
    let (inline, journal) = (Inline::new(), Journal::default());
    let (shared, lines) = (inline.clone(), journal.clone());
    inline.on_values::<TicketCreated>(TicketCreated::TYPE, "outer", move |_, occurrence| {
        lines.write("begins");
        shared.emit_value(ShiftCreated::TYPE, occurrence.tenant(), &ShiftCreated {});
        lines.write("ends");
        Ok(())
    });
    inline.on_types("inner", types("shift.*"), journal.listener("inner"));
    inline.emit_value(TicketCreated::TYPE, &acme(), &TicketCreated { id: 1 });
    assert_eq!(journal.take(), ["begins", "inner", "ends"]);
}

#[test]
fn after_the_first_event_of_a_type_its_listeners_are_looked_up() {
    let inline = Inline::new();
    for n in 0..100 {
        inline.on_types(format!("{n}"), types(&format!("other{n}.*")), |_| Ok(()));
    }
    inline.dispatch_stored(&stored("a.b", "{}"));
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    let plans = inline.shared.plans.load();
    assert!(plans.of_type(&event_type("a.b")).is_some());
    assert!(plans.of_values(TypeId::of::<ShiftCreated>()).is_some());
}

#[test]
fn a_new_listener_leaves_the_plans_of_other_types_alone() {
    let inline = Inline::new();
    inline.dispatch_stored(&stored("a.b", "{}"));
    let before = Arc::clone(inline.shared.plans.load().of_type(&event_type("a.b")).unwrap());
    inline.on_types("c", types("c.*"), |_| Ok(()));
    assert!(Arc::ptr_eq(&before, inline.shared.plans.load().of_type(&event_type("a.b")).unwrap()));
    inline.on_types("a", types("a.*"), |_| Ok(()));
    assert!(inline.shared.plans.load().of_type(&event_type("a.b")).is_none());
}
