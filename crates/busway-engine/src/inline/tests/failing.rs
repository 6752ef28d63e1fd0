use std::{fmt, io};

use busway_core::ErrorKind;

use super::*;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn of(self, work: impl FnOnce()) -> String {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn errors_and_panics_end_in_the_listener_are_counted_and_logged() {
    let (inline, journal) = (Inline::new(), Journal::default());
    inline.on_types("first", types("*"), |_| Err("no room".into()));
    inline.on_types("second", types("*"), |_| panic!("out of {}", "order"));
    inline.on_types("third", types("*"), |_| std::panic::panic_any(5));
    inline.on_types("last", types("*"), journal.listener("last"));
    let log = Log::default().of(|| {
        inline.dispatch_stored(&stored("a.b", "{}"));
        inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    });
    assert_eq!(journal.take(), ["last", "last"]);
    for name in ["first", "second", "third"] {
        assert_eq!(runs(&inline, name), (2, 2), "{name}");
    }
    assert_eq!(runs(&inline, "last"), (2, 0));
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 6, "{log}");
    assert!(lines.iter().all(|line| line.contains("ERROR") && line.contains("inline listener failed")), "{log}");
    for part in [
        "listener=\"first\"",
        "event_type=\"a.b\"",
        "tenant=\"acme\"",
        "00000000-0000-0000-0000-000000000007",
        "no room",
    ] {
        assert!(lines[0].contains(part), "{part} {log}");
    }
    assert!(lines[1].contains("panicked: out of order"), "{log}");
    assert!(lines[2].contains("panicked: without a text"), "{log}");
    assert!(!lines[3].contains("event="), "{log}");
}

#[derive(Debug)]
struct Hostile;

impl fmt::Display for Hostile {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("cannot be told")
    }
}

impl std::error::Error for Hostile {}

struct PanicsOnceMore;

impl Drop for PanicsOnceMore {
    fn drop(&mut self) {
        panic!("once more")
    }
}

#[test]
fn an_error_whose_own_code_panics_ends_in_the_listener_too() {
    let (inline, journal) = (Inline::new(), Journal::default());
    inline.on_types("error", types("*"), |_| Err(Box::new(Hostile)));
    inline.on_types("panic", types("*"), |_| std::panic::panic_any(PanicsOnceMore));
    inline.on_types("last", types("*"), journal.listener("last"));
    let log = Log::default().of(|| inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {}));
    assert_eq!(journal.take(), ["last"]);
    assert_eq!((runs(&inline, "error"), runs(&inline, "panic")), ((1, 1), (1, 1)));
    assert_eq!(log.matches("its error cannot be told").count(), 2, "{log}");
}

#[test]
fn a_payload_that_does_not_fit_fails_the_listener_alone() {
    let (inline, journal) = (Inline::new(), Journal::default());
    inline.on_values::<TicketCreated>(TicketCreated::TYPE, "ticket", |_, _| Ok(()));
    inline.on_types("last", types("*"), journal.listener("last"));
    let log = Log::default().of(|| inline.dispatch_stored(&stored("ticket.created", "{\"id\":\"x\"}")));
    assert_eq!(runs(&inline, "ticket"), (1, 1));
    assert_eq!(journal.take(), ["last"]);
    assert!(log.contains("TicketCreated") && log.contains("expected u32"), "{log}");
}

#[derive(Serialize)]
struct NoObject(u32);

impl NoObject {
    const TYPE: &'static str = "number";
}

#[test]
fn a_value_that_is_no_object_has_no_payload() {
    let inline = Inline::new();
    inline.on_types("asks", types("*"), |occurrence| {
        assert_eq!(occurrence.value::<NoObject>().unwrap().0, 5);
        for _ in 0..2 {
            let error = occurrence.payload().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidEvent);
            assert!(error.detail().contains("must be a JSON object"), "{error}");
        }
        occurrence.payload().map(|_| ()).map_err(Into::into)
    });
    inline.emit_value(NoObject::TYPE, &acme(), &NoObject(5));
    assert_eq!(runs(&inline, "asks"), (1, 1));
}

#[test]
fn a_loop_of_listeners_ends() {
    let inline = Inline::new();
    let shared = inline.clone();
    inline.on_values::<ShiftCreated>(ShiftCreated::TYPE, "loops", move |shift, occurrence| {
        shared.emit_value(ShiftCreated::TYPE, occurrence.tenant(), shift);
        Ok(())
    });
    let log = Log::default().of(|| {
        inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
        inline.emit_value(ShiftCreated::TYPE, &acme(), &ShiftCreated {});
    });
    assert_eq!(inline.stats().looped, 2);
    assert_eq!(runs(&inline, "loops"), (32, 0));
    assert_eq!(emitted(&inline, "shift.created"), 32);
    assert!(log.contains("loop: more than 16 deep"), "{log}");
}

#[test]
fn a_panic_deep_inside_leaves_no_depth_behind() {
    let inline = Inline::new();
    let shared = inline.clone();
    inline.on_values::<TicketCreated>(TicketCreated::TYPE, "outer", move |_, occurrence| {
        shared.emit_value(ShiftCreated::TYPE, occurrence.tenant(), &ShiftCreated {});
        panic!("after")
    });
    inline.on_values::<ShiftCreated>(ShiftCreated::TYPE, "inner", |_, _| panic!("inside"));
    for _ in 0..100 {
        inline.emit_value(TicketCreated::TYPE, &acme(), &TicketCreated { id: 1 });
    }
    assert_eq!((runs(&inline, "outer"), runs(&inline, "inner"), inline.stats().looped), ((100, 100), (100, 100), 0));
}
