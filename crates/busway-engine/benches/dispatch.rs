//! What it costs to call inline listeners, beside `tokio::sync::broadcast`.

use std::hint::black_box;

use busway_core::{EventType, Patterns, Payload, TenantId};
use busway_engine::inline::Inline;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, criterion_group, criterion_main, measurement::WallTime};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

#[derive(Clone, Serialize, Deserialize)]
struct TicketCreated {
    id: u64,
}

impl TicketCreated {
    const TYPE: &'static str = "ticket.created";
}

fn tenant() -> TenantId {
    TenantId::from_store("acme")
}

fn patterns(text: &str) -> Patterns {
    Patterns::parse([text]).expect("a pattern")
}

/// A bus with this many listeners of the values of a type.
fn by_value(listeners: usize) -> Inline {
    let inline = Inline::new();
    for n in 0..listeners {
        inline.on_values::<TicketCreated>(TicketCreated::TYPE, format!("listener {n}"), |ticket, _| {
            black_box(ticket.id);
            Ok(())
        });
    }
    inline
}

/// A bus with this many listeners by wildcard, and a thousand whose patterns do not match.
fn by_wildcard(listeners: usize) -> Inline {
    let inline = Inline::new();
    for n in 0..1_000 {
        inline.on_types(format!("other {n}"), patterns(&format!("other{n}.*")), |_| Ok(()));
    }
    for n in 0..listeners {
        inline.on_types(format!("listener {n}"), patterns("ticket.*"), |occurrence| {
            if let Some(ticket) = occurrence.value::<TicketCreated>() {
                black_box(ticket.id);
            }
            Ok(())
        });
    }
    inline
}

fn emit(group: &mut BenchmarkGroup<'_, WallTime>) {
    let (tenant, ticket) = (tenant(), TicketCreated { id: 7 });
    for listeners in [1, 10] {
        for (way, inline) in [("value", by_value(listeners)), ("wildcard", by_wildcard(listeners))] {
            group.bench_function(format!("emit_{way}_{listeners}"), |b| {
                b.iter(|| inline.emit_value(TicketCreated::TYPE, &tenant, black_box(&ticket)))
            });
        }
    }
    let nobody = Inline::new();
    group.bench_function("emit_value_0", |b| {
        b.iter(|| nobody.emit_value(TicketCreated::TYPE, &tenant, black_box(&ticket)))
    });
}

/// As after a publish: by the name of the type, the payload as text that nobody asks for.
fn payload(group: &mut BenchmarkGroup<'_, WallTime>) {
    let (tenant, event_type, payload) =
        (tenant(), EventType::from_store("ticket.created"), Payload::from_store("{\"id\":7}"));
    for listeners in [1, 10] {
        let inline = by_wildcard(listeners);
        group.bench_function(format!("emit_payload_{listeners}"), |b| {
            b.iter(|| inline.emit_payload(black_box(&event_type), &tenant, &payload));
        });
    }
}

/// Sent and taken by every receiver on the same thread, so that no wake-up is counted.
fn broadcast(group: &mut BenchmarkGroup<'_, WallTime>) {
    for receivers in [1, 10] {
        let (sender, first) = broadcast::channel(64);
        let mut receivers: Vec<_> = (1..receivers).map(|_| sender.subscribe()).chain([first]).collect();
        group.bench_function(format!("broadcast_{}", receivers.len()), |b| {
            b.iter(|| {
                let _ = sender.send(black_box(TicketCreated { id: 7 }));
                for receiver in &mut receivers {
                    let _ = black_box(receiver.try_recv());
                }
            });
        });
    }
}

fn dispatch(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispatch");
    // Many short samples, whose median a busy machine does not move: few are interrupted.
    group.sampling_mode(SamplingMode::Flat).sample_size(4_000).nresamples(1_000);
    emit(&mut group);
    payload(&mut group);
    broadcast(&mut group);
    group.finish();
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
