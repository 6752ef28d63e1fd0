//! What it costs to read and write events as JSON.

use std::{hint::black_box, sync::Arc};

use busway_core::{Body, Entry, Event, LaneId, TenantId, Timestamp, wire};
use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use uuid::Uuid;

/// An event as an application posts it, with a payload of about this many bytes.
fn event(payload: usize) -> String {
    let filler = "A shift at the food bank, bring gloves. ".repeat(payload / 40);
    format!(
        r#"{{"id":"019a2c44-7d30-7c4e-9f0e-5a2b8c1d3e4f","type":"shift.signup.created","tenantId":"hilltop","key":"s-118","time":"2026-01-31T12:00:00.000Z","payload":{{"shiftId":"s-118","signupCount":4,"title":"{filler}","location":{{"lat":47.3769,"lon":8.5417}}}},"metadata":{{"correlationId":"c-42","actorType":"USER"}}}}"#
    )
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire_read");
    // As in `dispatch`: the median of many short samples, of which few are interrupted.
    group.sampling_mode(SamplingMode::Flat).sample_size(2_000).nresamples(1_000);
    for payload in [100, 1_000, 10_000] {
        let one = event(payload);
        group.bench_function(format!("one_{payload}"), |b| b.iter(|| wire::parse_batch(black_box(&one))));
        let batch = format!("[{}]", vec![one; 10].join(","));
        group.bench_function(format!("ten_{payload}"), |b| b.iter(|| wire::parse_batch(black_box(&batch))));
    }
    group.finish();
}

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire_write");
    group.sampling_mode(SamplingMode::Flat).sample_size(2_000).nresamples(1_000);
    for payload in [100, 1_000, 10_000] {
        let new = wire::parse_event(&event(payload)).expect("an event");
        let event = Event {
            id: new.id.unwrap_or(Uuid::nil()),
            event_type: new.event_type,
            tenant: new.tenant.unwrap_or(TenantId::from_store("default")),
            key: new.key,
            time: Timestamp::default(),
            payload: new.payload,
            metadata: new.metadata,
        };
        let entry =
            Entry { lane: LaneId(0), seq: 1, stored_at: Timestamp::default(), body: Body::Event(Arc::new(event)) };
        let mut out = String::new();
        group.bench_function(format!("one_{payload}"), |b| {
            b.iter(|| {
                out.clear();
                wire::write_event(&mut out, black_box(&entry));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, read, write);
criterion_main!(benches);
