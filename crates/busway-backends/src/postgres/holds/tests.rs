use busway_core::{Checkpoint, HoldState, Timestamp, Version};
use uuid::Uuid;

use super::*;

fn hold(key: u128, done: Seq) -> HoldRecord {
    HoldRecord {
        key: KeyId(key),
        turn: TurnId(0),
        done,
        head: None,
        again: None,
        state: HoldState::Waiting,
        attempt: 0,
        due: Timestamp::MIN,
        fence: 0,
        last: 0,
        failures: Vec::new(),
        backlog: Vec::new(),
    }
}

fn packed(changes: &[HoldChanges]) -> Vec<Vec<u8>> {
    changes.iter().map(HoldChanges::pack).collect()
}

fn held(changes: &[HoldChanges]) -> Result<Held> {
    let packed = packed(changes);
    Held::of(&packed.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn backlogs(held: Held) -> Vec<(u128, Vec<Seq>)> {
    held.into_records().0.into_iter().map(|hold| (hold.key.0, hold.backlog)).collect()
}

#[test]
fn a_hold_keeps_its_backlog_when_it_is_rewritten_and_loses_it_when_it_goes() {
    let made = HoldChanges {
        holds: vec![hold(1, 0), hold(2, 0)],
        chunks: vec![(KeyId(1), vec![5, 9]), (KeyId(2), vec![4])],
        ..HoldChanges::default()
    };
    let rewritten =
        HoldChanges { holds: vec![hold(1, 5)], chunks: vec![(KeyId(1), vec![11, 9])], ..HoldChanges::default() };
    let made_anew = HoldChanges { released: vec![KeyId(2)], holds: vec![hold(2, 0)], ..HoldChanges::default() };
    let changes = [made, rewritten, made_anew];
    assert_eq!(backlogs(held(&changes).unwrap()), [(1, vec![9, 11]), (2, vec![])]);
    assert_eq!(held(&changes).unwrap().count(), (2, 9));
    let whole = held(&changes).unwrap().whole();
    assert_eq!(backlogs(held(&[whole]).unwrap()), [(1, vec![9, 11]), (2, vec![])]);
}

#[test]
fn seqs_without_a_hold_are_noticed() {
    let orphaned = HoldChanges { chunks: vec![(KeyId(1), vec![5])], ..HoldChanges::default() };
    assert_eq!(held(&[orphaned]).unwrap_err().kind(), ErrorKind::Corrupt);
    let packed = HoldChanges::default().pack();
    assert_eq!(Held::of(&[&packed, &packed[1..]]).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_commit_that_would_lose_seqs_is_refused() {
    let checkpoint = Checkpoint::starting(0, 1);
    let commit = LaneCommit {
        chunks: vec![(KeyId(1), vec![5])],
        ..LaneCommit::new(SubscriptionId(Uuid::nil()), LaneId(0), Version::default(), checkpoint)
    };
    assert!(check_chunks(&commit).is_ok());
    let released = LaneCommit { released: vec![KeyId(1)], ..commit.clone() };
    let cleared = LaneCommit { clear: true, ..commit };
    for lossy in [released, cleared] {
        assert_eq!(check_chunks(&lossy).unwrap_err().kind(), ErrorKind::Internal);
        assert!(check_chunks(&LaneCommit { holds: vec![hold(1, 0)], ..lossy }).is_ok());
    }
}
