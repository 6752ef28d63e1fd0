use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn definition(types: &str) -> Definition {
    Definition::new(types.parse().unwrap(), Mode::Pull)
}

#[test]
fn exponential_delays_double_up_to_the_longest() {
    let retry = Retry::exponential(SECOND).max_delay(Duration::from_secs(10)).jitter(0.0);
    let delays: Vec<_> = (1..=6).map(|attempt| retry.delay_after(attempt, 0.9).as_secs()).collect();
    assert_eq!(delays, [1, 2, 4, 8, 10, 10]);
}

#[test]
fn fixed_delays_stay() {
    let retry = Retry::fixed(Duration::from_millis(1_001)).jitter(0.0);
    assert_eq!(retry.delay_after(1, 0.5), Duration::from_millis(1_001));
    assert_eq!(retry.delay_after(u32::MAX, 0.5), Duration::from_millis(1_001));
    assert_eq!(
        Retry::fixed(SECOND).max_delay(Duration::from_millis(10)).jitter(0.0).delay_after(1, 0.0).as_millis(),
        10
    );
}

#[test]
fn no_attempt_and_no_delay_overflows() {
    let retry = Retry::exponential(Duration::MAX).max_delay(Duration::MAX).jitter(0.0);
    for attempt in [0, 1, 2, 63, 64, 65, 1_000, u32::MAX] {
        assert_eq!(retry.delay_after(attempt, 0.0), Duration::from_millis(u64::MAX), "{attempt}");
    }
    let short = Retry::exponential(Duration::from_millis(1)).max_delay(Duration::MAX).jitter(0.0);
    assert_eq!(short.delay_after(64, 0.0), Duration::from_millis(1 << 63));
    assert_eq!(short.delay_after(65, 0.0), Duration::from_millis(1 << 63));
    assert_eq!(Retry::exponential(Duration::ZERO).delay_after(9, 0.0), Duration::ZERO);
}

#[test]
fn a_jitter_that_nobody_checked_does_no_harm() {
    let delay = |jitter| Retry::fixed(SECOND).jitter(jitter).delay_after(1, 0.999);
    assert_eq!(delay(f64::NAN), SECOND);
    assert_eq!(delay(f64::INFINITY), Duration::ZERO);
    assert_eq!(delay(-5.0), SECOND);
    assert_eq!(delay(5.0), Duration::ZERO);
}

#[test]
fn values_out_of_range_are_all_named() {
    let bad = Definition {
        retry: Retry { attempts: 0, jitter: f64::NAN, ..Retry::default() },
        ack_timeout_ms: 0,
        concurrency: 0,
        expire_after_ms: Some(0),
        ..definition("*")
    };
    let error = bad.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidBody);
    let pointers: Vec<_> = error.fields().iter().map(|fault| &*fault.pointer).collect();
    assert_eq!(pointers, ["/retry/attempts", "/ackTimeoutMs", "/concurrency", "/expireAfterMs", "/retry/jitter"]);
    for jitter in [-0.1, 1.1] {
        assert!(Definition { retry: Retry::default().jitter(jitter), ..definition("*") }.check().is_err());
    }
    for jitter in [0.0, 1.0] {
        assert!(Definition { retry: Retry::default().jitter(jitter), ..definition("*") }.check().is_ok());
    }
}

#[test]
fn a_definition_is_the_same_whatever_its_start_and_the_order_of_its_patterns() {
    let one = definition("shift.* !shift.viewed ticket.*");
    assert!(one.same(&Definition { start: Start::Earliest, ..definition("ticket.* shift.* !shift.viewed") }));
    assert!(!one.same(&definition("shift.* ticket.*")));
    for other in [
        Definition { mode: Mode::Push, ..one.clone() },
        Definition { order: Order::None, ..one.clone() },
        Definition { on_dead: OnDead::Block, ..one.clone() },
        Definition { retry: Retry::default().attempts(6), ..one.clone() },
        Definition { ack_timeout_ms: 1, ..one.clone() },
        Definition { concurrency: 1, ..one.clone() },
        Definition { expire_after_ms: Some(1), ..one.clone() },
    ] {
        assert!(!one.same(&other), "{other:?}");
    }
}

#[test]
fn json_has_the_names_and_defaults_of_the_api() {
    let read: Definition = serde_json::from_str(r#"{"types":["shift.*"],"mode":"pull"}"#).unwrap();
    assert_eq!(read, definition("shift.*"));
    let read: Definition = serde_json::from_str(
        r#"{"types":["*"],"mode":"push","start":"2026-01-31T12:00:00Z","order":"type","onDead":"block",
            "retry":{"attempts":8,"backoff":"fixed","delayMs":5,"maxDelayMs":6,"jitter":0},
            "ackTimeoutMs":7,"concurrency":8,"expireAfterMs":9}"#,
    )
    .unwrap();
    let expected = Definition {
        mode: Mode::Push,
        start: Start::Time("2026-01-31T12:00:00Z".parse().unwrap()),
        order: Order::Type,
        on_dead: OnDead::Block,
        retry: Retry { attempts: 8, backoff: Backoff::Fixed, delay_ms: 5, max_delay_ms: 6, jitter: 0.0 },
        ack_timeout_ms: 7,
        concurrency: 8,
        expire_after_ms: Some(9),
        ..definition("*")
    };
    assert_eq!(read, expected);
    assert_eq!(serde_json::from_str::<Definition>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    assert!(serde_json::from_str::<Definition>(r#"{"types":["*"],"mode":"pull","ordre":"key"}"#).is_err());
    assert!(serde_json::from_str::<Start>("\"yesterday\"").unwrap_err().to_string().contains("earliest"));
}

proptest! {
    #[test]
    fn jitter_takes_away_its_share_at_most(
        delay in 0_u64..=u64::MAX, most in 0_u64..=u64::MAX, attempt: u32, jitter in 0.0..=1.0, chance in 0.0..1.0,
    ) {
        let policy = Retry { delay_ms: delay, max_delay_ms: most, jitter, ..Retry::default() };
        let full = Retry { jitter: 0.0, ..policy }.delay_after(attempt, chance);
        let delayed = policy.delay_after(attempt, chance);
        prop_assert!(delayed <= full);
        prop_assert!(delayed.as_secs_f64() >= full.as_secs_f64() * (1.0 - jitter) * (1.0 - 1e-9) - 1e-8);
    }

    #[test]
    fn delays_never_shrink_from_attempt_to_attempt(delay: u64, most: u64, attempt in 1..u32::MAX) {
        let policy = Retry { delay_ms: delay, max_delay_ms: most, jitter: 0.0, ..Retry::default() };
        prop_assert!(policy.delay_after(attempt, 0.0) <= policy.delay_after(attempt + 1, 0.0));
    }
}
