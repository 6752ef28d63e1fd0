use busway_core::OnDead;

use super::{
    super::{
        super::Limits,
        case::{Ask, Case, Event, Faults, fickle, flaky, good, killer, moody, poison},
    },
    holds_at_random, with,
};

const MANY: Faults =
    Faults { crashes: 3, lost_leases: 2, releases: 3, lost_answers: 3, cancels: 3, pauses: 2, prunes: 4, slow: 6 };

fn many(events: &[Event]) -> Case {
    Case { members: 3, published: 2, slow_reads: true, late_commits: true, counted: true, ..with(MANY, events) }
}

#[test]
fn many_faults_at_once_lose_nothing() {
    let events = [fickle(1), good(1), flaky(2), good(0), fickle(1), good(3), poison(2), good(1), good(0), flaky(1)];
    holds_at_random(&many(&events).window(3));
    holds_at_random(&many(&events).window(4).attempts(3));
    holds_at_random(
        &Case { limits: Limits { max_holds: 2, armed: 1, ..many(&events).limits }, ..many(&events) }.window(4),
    );
    holds_at_random(&Case { limits: Limits { breaker: 2, ..many(&events).limits }, ..many(&events) }.window(4));
}

#[test]
fn many_faults_at_once_and_requests_lose_nothing() {
    let events = [fickle(1), good(1), poison(2), good(0), fickle(1), good(2), poison(0), good(1)];
    let asks = vec![Ask::Retry(1), Ask::Retry(3), Ask::Retry(7), Ask::Discard(5), Ask::Retry(5)];
    let case = Case { asks, counted: false, ..many(&events).window(3) };
    holds_at_random(&case);
    holds_at_random(&case.clone().on_dead(OnDead::Block));
    let asks = vec![Ask::Seek(4), Ask::Retry(1), Ask::Seek(1)];
    let events = [poison(1), good(1), poison(2), good(0), good(1), good(2), poison(0), good(1)];
    let kept = Case { faults: Faults { prunes: 0, ..MANY }, ..many(&events) };
    holds_at_random(&Case { asks, counted: false, ..kept.window(3) });
}

#[test]
fn many_faults_at_once_and_tenants_lose_nothing() {
    let mut events = [fickle(1), good(1), flaky(3), good(0), fickle(1), good(2), good(2), good(1), good(2), flaky(0)];
    for seq in [1, 6, 7, 9] {
        let other = if seq == 1 { fickle(2) } else { events[seq - 1] };
        events[seq - 1] = Event { key: good(2).key, ..other.of_tenant(2) };
    }
    let case = many(&events).window(4);
    holds_at_random(&Case { limits: Limits { crowd_ms: 0, ..case.limits }, ..case.clone() });
    let case = case.window(3);
    holds_at_random(&Case {
        asks: vec![Ask::Seek(3)],
        counted: false,
        limits: Limits { crowd_ms: 0, ..case.limits },
        ..case
    });
}

#[test]
fn many_faults_at_once_and_another_definition_lose_nothing() {
    let events: Vec<Event> = (0..10)
        .map(|n| fickle([1, 2, 0][n % 3]).wanted([[true, true], [true, false], [false, true], [true, true]][n % 4]))
        .collect();
    holds_at_random(&Case { asks: vec![Ask::Redefine], ..many(&events).window(3) });
}

#[test]
fn killers_among_many_are_found() {
    let events = [good(1), killer(1), flaky(2), good(0), killer(0), moody(3), good(3), good(2)];
    let calm = Faults { crashes: 0, lost_leases: 0, ..MANY };
    holds_at_random(&Case { faults: calm, members: 1, late_commits: false, counted: false, ..many(&events) }.window(3));
    holds_at_random(&Case { members: 1, late_commits: false, counted: false, ..many(&events) }.window(4));
}
