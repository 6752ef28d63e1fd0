use proptest::prelude::*;

use super::*;

fn tenant(text: &str) -> TenantId {
    TenantId::new(text).unwrap()
}

fn event_type(text: &str) -> EventType {
    EventType::new(text).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// The figures below were reckoned by another implementation of XXH3 (the Python package `xxhash`). They are
/// stored: a change that breaks this test loses events.
#[test]
fn lanes_never_change() {
    let created = event_type("shift.created");
    let lanes = |tenant: &TenantId, key: Option<&Key>| {
        [1, 2, 8, 16, u16::MAX].map(|lanes| lane_of(tenant, key, &created, lanes).0)
    };
    assert_eq!(lanes(&tenant("acme"), Some(&key("s-118"))), [0, 1, 5, 13, 63_040]);
    assert_eq!(lanes(&tenant("acme"), None), [0, 1, 3, 3, 17_209]);
    assert_eq!(lanes(&tenant("hilltop"), Some(&key("s-118"))), [0, 1, 7, 7, 9_957]);
    assert_eq!(lanes(&tenant("acme"), Some(&key("ключ"))), [0, 1, 5, 5, 37_617]);
    let longest = lane_of(&tenant(&"t".repeat(128)), Some(&key(&"k".repeat(256))), &event_type("a"), 16);
    assert_eq!(longest, LaneId(2));
}

#[test]
fn key_ids_and_turns_never_change() {
    let created = event_type("shift.created");
    let id = |tenant: &TenantId, key: Option<&Key>| KeyId::of(tenant, key, &created, 1, Order::Type).0;
    assert_eq!(id(&tenant("acme"), Some(&key("s-118"))), 0x383e_4ded_7328_e002_b87f_faaf_913b_4090);
    assert_eq!(id(&tenant("acme"), None), 0x7d89_e836_62c4_be50_5195_b204_709c_3f5e);
    assert_eq!(id(&tenant("hilltop"), Some(&key("s-118"))), 0x090f_4094_8431_9a78_d80e_f94f_89b4_1d96);
    assert_eq!(id(&tenant("acme"), Some(&key("ключ"))), 0x1efd_6ca8_98ea_e587_112a_73ea_2560_d656);
    let longest = KeyId::of(&tenant(&"t".repeat(128)), Some(&key(&"k".repeat(256))), &event_type("a"), 1, Order::Key);
    assert_eq!(longest.0, 0x1c47_d764_c634_b74c_ba71_6258_af7a_f2e2);
    assert_eq!(TurnId::of(&tenant("acme")), TurnId(0x44ad_9865_5d88_58e1));
    assert_eq!(TurnId::of(&tenant("hilltop")), TurnId(0xd1d1_8138_2ba6_ed61));
}

#[test]
fn order_decides_what_comes_one_at_a_time() {
    let (acme, hilltop, created) = (tenant("acme"), tenant("hilltop"), event_type("shift.created"));
    let id = |order, tenant: &TenantId, key: Option<&Key>, event_type: &EventType, seq| {
        KeyId::of(tenant, key, event_type, seq, order)
    };
    let s1 = key("s-1");
    assert_eq!(id(Order::Key, &acme, Some(&s1), &created, 1), id(Order::Key, &acme, Some(&s1), &event_type("a"), 2));
    assert_eq!(id(Order::Key, &acme, Some(&s1), &created, 1), id(Order::Type, &acme, Some(&s1), &created, 1));
    assert_ne!(id(Order::Key, &acme, Some(&s1), &created, 1), id(Order::Key, &hilltop, Some(&s1), &created, 1));
    assert_eq!(id(Order::Key, &acme, None, &created, 7), KeyId::solo(7));
    assert_eq!(id(Order::Type, &acme, None, &created, 7), id(Order::Type, &acme, None, &created, 8));
    assert_ne!(id(Order::Type, &acme, None, &created, 7), id(Order::Type, &acme, None, &event_type("a"), 7));
    assert_eq!(id(Order::None, &acme, Some(&s1), &created, 7), KeyId::solo(7));
}

#[test]
fn a_key_that_is_named_like_a_type_is_not_that_type() {
    let created = event_type("shift.created");
    let by_key = KeyId::of(&tenant("acme"), Some(&key("shift.created")), &created, 1, Order::Type);
    assert_ne!(by_key, KeyId::of(&tenant("acme"), None, &created, 1, Order::Type));
}

#[test]
fn keyless_events_are_told_apart_from_keys() {
    assert!(KeyId::solo(u64::MAX).is_solo());
    assert_ne!(KeyId::solo(1), KeyId::solo(2));
    let keyed = KeyId::of(&tenant("acme"), Some(&key("s-1")), &event_type("a"), 1, Order::Key);
    assert!(!keyed.is_solo());
}

#[test]
fn a_position_is_written_and_read_back() {
    let position = Position { epoch: Epoch(u64::MAX), lanes: vec![0, 255, u64::MAX] };
    assert_eq!(position.to_string(), "ffffffffffffffff.0.ff.ffffffffffffffff");
    assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
}

#[test]
fn what_is_no_position_is_refused() {
    for text in ["", "1", ".", "1.", ".1", "1..2", "+1.2", "1.-2", "1.g", "1.2 ", "1.10000000000000000", "1.0x2", "٣.1"]
    {
        assert_eq!(text.parse::<Position>().unwrap_err().kind(), ErrorKind::BadRequest, "{text:?}");
    }
}

proptest! {
    #[test]
    fn every_position_is_read_back(epoch: u64, lanes in proptest::collection::vec(any::<u64>(), 1..40)) {
        let position = Position { epoch: Epoch(epoch), lanes };
        prop_assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
    }

    #[test]
    fn every_lane_exists_and_does_not_depend_on_the_type_of_a_keyed_event(
        name in "[a-z]{1,9}", text in "\\PC{1,30}", lanes in 1_u16..,
    ) {
        let (tenant, key) = (tenant(&name), key(&text));
        let lane = lane_of(&tenant, Some(&key), &event_type("a"), lanes);
        prop_assert!(lane.0 < lanes);
        prop_assert_eq!(lane, lane_of(&tenant, Some(&key), &event_type("b"), lanes));
    }
}

#[test]
fn keys_spread_evenly_over_the_lanes() {
    let (acme, created) = (tenant("acme"), event_type("shift.created"));
    let mut counts = [0; 8];
    for n in 0..8_000 {
        counts[usize::from(lane_of(&acme, Some(&key(&n.to_string())), &created, 8).0)] += 1;
    }
    assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
}
