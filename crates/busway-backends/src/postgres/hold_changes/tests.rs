use super::*;

fn hold(key: u128) -> HoldRecord {
    HoldRecord {
        key: KeyId(key),
        turn: TurnId(7),
        done: 41 << 12,
        head: Some(42 << 12),
        again: None,
        state: HoldState::Leased,
        attempt: 1,
        due: Timestamp::from_millis(1_767_225_600_000),
        fence: 9,
        last: 42 << 12,
        failures: Vec::new(),
        backlog: Vec::new(),
    }
}

/// Changes with every field at work.
fn full() -> HoldChanges {
    let failed = |error: &str| Failure { at: Timestamp::MAX, error: error.into() };
    let suspect = HoldRecord {
        state: HoldState::Suspect,
        head: None,
        again: Some(0),
        done: Seq::MAX,
        attempt: u32::MAX,
        due: Timestamp::MIN,
        turn: TurnId(u64::MAX),
        fence: u64::MAX,
        last: u64::MAX,
        failures: vec![failed(""), failed("é\u{0}🔑")],
        ..hold(u128::MAX)
    };
    let turn = TurnRecord { turn: TurnId(u64::MAX), tenant: TenantId::from_store("acme"), position: 3, probation: 9 };
    HoldChanges {
        released: vec![KeyId(0), KeyId(u128::MAX), KeyId::solo(Seq::MAX), KeyId(u128::MAX >> 1)],
        holds: vec![suspect, hold(1), hold(KeyId::solo(77).0)],
        chunks: vec![(KeyId(1), vec![3, 5, Seq::MAX]), (KeyId(2), Vec::new())],
        turns_removed: vec![TurnId(0), TurnId(u64::MAX)],
        turns: vec![turn],
    }
}

#[test]
fn changes_come_back_as_they_were_packed() {
    for changes in [HoldChanges::default(), full()] {
        assert_eq!(HoldChanges::unpack(&changes.pack()), Some(changes));
    }
}

#[test]
fn every_state_comes_back() {
    let holds = STATES.iter().map(|state| HoldRecord { state: *state, ..hold(5) }).collect();
    let changes = HoldChanges { holds, ..HoldChanges::default() };
    assert_eq!(HoldChanges::unpack(&changes.pack()), Some(changes));
}

#[test]
fn a_keyless_event_on_lease_takes_fifty_bytes_and_its_release_nine() {
    let size = |changes: HoldChanges| changes.pack().len();
    let none = size(HoldChanges::default());
    let one = KeyId::solo(42 << 12);
    assert!(size(HoldChanges { holds: vec![hold(one.0)], ..HoldChanges::default() }) - none <= 50);
    assert!(size(HoldChanges { released: vec![one], ..HoldChanges::default() }) - none <= 9);
}

#[test]
fn damaged_bytes_are_noticed() {
    let bytes = full().pack();
    assert_eq!(HoldChanges::unpack(&[]), None);
    for end in 0..bytes.len() {
        assert_eq!(HoldChanges::unpack(&bytes[..end]), None, "cut after {end} of {} bytes", bytes.len());
    }
    assert_eq!(HoldChanges::unpack(&[bytes.as_slice(), &[0]].concat()), None);
    assert_eq!(HoldChanges::unpack(&[[FORM + 1].as_slice(), &bytes[1..]].concat()), None);
}
