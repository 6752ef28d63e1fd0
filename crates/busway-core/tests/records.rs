//! Records that stores keep as JSON come back from it.

use busway_core::{Checkpoint, Handed, RequestKind, Seq};

#[test]
fn every_kind_of_request_comes_back_from_its_json() {
    let kinds = [
        RequestKind::Retry { seq: 3, key: u128::MAX, turn: u64::MAX },
        RequestKind::Discard { seq: Seq::MAX, key: 0 },
        RequestKind::Seek { to: 5 },
        RequestKind::Redefine { revision: 2, end: 9 },
    ];
    for kind in kinds {
        let json = serde_json::to_string(&kind).unwrap();
        assert_eq!(serde_json::from_str::<RequestKind>(&json).unwrap(), kind, "{json}");
    }
}

#[test]
fn a_checkpoint_comes_back_from_its_json() {
    let handed = Some(Handed { seq: Seq::MAX, key: u128::MAX, turn: u64::MAX });
    let checkpoint = Checkpoint { handed, written_by: u64::MAX, ..Checkpoint::starting(7, 2) };
    let json = serde_json::to_string(&checkpoint).unwrap();
    assert_eq!(serde_json::from_str::<Checkpoint>(&json).unwrap(), checkpoint, "{json}");
}
