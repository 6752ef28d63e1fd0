use std::{mem, sync::Arc};

use busway_core::{Failure, HoldRecord, HoldState, KeyId, LaneCommit, Seq, TenantId, Timestamp, TurnId, TurnRecord};

use crate::seqs::{pack, put_number, take_number, unpack};

/// The first byte, so that a later form can be told from this one.
const FORM: u8 = 1;
/// Bits of a hold's first byte above its state's three.
const HAS_HEAD: u8 = 1 << 3;
const HAS_AGAIN: u8 = 1 << 4;
const HAS_FAILED: u8 = 1 << 5;
/// What stands before a key whose highest bit is set: its seq alone, or all of it.
const KEYLESS: u8 = 0x80;
const WHOLE: u8 = 0x81;
const STATES: [HoldState; 5] =
    [HoldState::Waiting, HoldState::Suspect, HoldState::Running, HoldState::Leased, HoldState::Blocked];

/// What a commit changes of a lane's holds, in the order in which it counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct HoldChanges {
    pub(super) released: Vec<KeyId>,
    pub(super) holds: Vec<HoldRecord>,
    pub(super) chunks: Vec<(KeyId, Vec<Seq>)>,
    pub(super) turns_removed: Vec<TurnId>,
    pub(super) turns: Vec<TurnRecord>,
}

impl HoldChanges {
    /// Takes the changes out of a commit.
    pub(super) fn of(commit: &mut LaneCommit) -> Self {
        Self {
            released: mem::take(&mut commit.released),
            holds: mem::take(&mut commit.holds),
            chunks: mem::take(&mut commit.chunks),
            turns_removed: mem::take(&mut commit.turns_removed),
            turns: mem::take(&mut commit.turns),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.released.is_empty()
            && self.holds.is_empty()
            && self.chunks.is_empty()
            && self.turns_removed.is_empty()
            && self.turns.is_empty()
    }

    /// As bytes: about 50 for a hold without failures.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.holds.len() * 56 + self.released.len() * 17);
        bytes.push(FORM);
        put_all(&mut bytes, &self.released, |bytes, key| put_key(bytes, *key));
        put_all(&mut bytes, &self.holds, put_hold);
        put_all(&mut bytes, &self.chunks, |bytes, (key, seqs)| {
            put_key(bytes, *key);
            put_bytes(bytes, &pack(seqs));
        });
        put_all(&mut bytes, &self.turns_removed, |bytes, turn| bytes.extend(turn.0.to_le_bytes()));
        put_all(&mut bytes, &self.turns, |bytes, turn| {
            bytes.extend(turn.turn.0.to_le_bytes());
            put_bytes(bytes, turn.tenant.as_str().as_bytes());
            put_number(bytes, turn.position);
            put_number(bytes, turn.probation);
        });
        bytes
    }

    /// Back from bytes; `None` if they were not packed by [`pack`](Self::pack).
    pub(super) fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[FORM])?;
        let bytes = &mut rest;
        let changes = Self {
            released: take_all(bytes, take_key)?,
            holds: take_all(bytes, take_hold)?,
            chunks: take_all(bytes, |bytes| Some((take_key(bytes)?, unpack(take_bytes(bytes)?)?)))?,
            turns_removed: take_all(bytes, |bytes| take_array(bytes).map(u64::from_le_bytes).map(TurnId))?,
            turns: take_all(bytes, |bytes| {
                Some(TurnRecord {
                    turn: TurnId(u64::from_le_bytes(take_array(bytes)?)),
                    tenant: TenantId::from_store(take_text(bytes)?),
                    position: take_number(bytes)?,
                    probation: take_number(bytes)?,
                })
            })?,
        };
        rest.is_empty().then_some(changes)
    }
}

fn put_all<T>(bytes: &mut Vec<u8>, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    put_number(bytes, items.len() as u64);
    items.iter().for_each(|item| put(bytes, item));
}

fn take_all<T>(bytes: &mut &[u8], take: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Vec<T>> {
    let count = take_number(bytes)?;
    (0..count).map(|_| take(bytes)).collect()
}

fn put_hold(bytes: &mut Vec<u8>, hold: &HoldRecord) {
    let state = STATES.iter().position(|state| *state == hold.state).unwrap_or_default() as u8;
    let has = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
    bytes.push(
        state
            | has(hold.head.is_some(), HAS_HEAD)
            | has(hold.again.is_some(), HAS_AGAIN)
            | has(!hold.failures.is_empty(), HAS_FAILED),
    );
    put_key(bytes, hold.key);
    bytes.extend(hold.turn.0.to_le_bytes());
    put_number(bytes, hold.done);
    hold.head.into_iter().chain(hold.again).for_each(|seq| put_number(bytes, seq));
    put_number(bytes, hold.attempt.into());
    put_time(bytes, hold.due);
    put_number(bytes, hold.fence);
    put_number(bytes, hold.last);
    if !hold.failures.is_empty() {
        put_all(bytes, &hold.failures, |bytes, failure| {
            put_time(bytes, failure.at);
            put_bytes(bytes, failure.error.as_bytes());
        });
    }
}

fn take_hold(bytes: &mut &[u8]) -> Option<HoldRecord> {
    let [first] = take_array(bytes)?;
    let take_if = |bytes: &mut &[u8], bit| if first & bit == 0 { Some(None) } else { take_number(bytes).map(Some) };
    Some(HoldRecord {
        state: *STATES.get(usize::from(first & 7))?,
        key: take_key(bytes)?,
        turn: TurnId(u64::from_le_bytes(take_array(bytes)?)),
        done: take_number(bytes)?,
        head: take_if(bytes, HAS_HEAD)?,
        again: take_if(bytes, HAS_AGAIN)?,
        attempt: u32::try_from(take_number(bytes)?).ok()?,
        due: take_time(bytes)?,
        fence: take_number(bytes)?,
        last: take_number(bytes)?,
        failures: if first & HAS_FAILED == 0 { Vec::new() } else { take_all(bytes, take_failure)? },
        backlog: Vec::new(),
    })
}

fn take_failure(bytes: &mut &[u8]) -> Option<Failure> {
    Some(Failure { at: take_time(bytes)?, error: Arc::from(take_text(bytes)?) })
}

/// A keyless event's key is its seq, which takes fewer bytes.
fn put_key(bytes: &mut Vec<u8>, key: KeyId) {
    let seq = key.0 as Seq;
    if !key.is_solo() {
        bytes.extend(key.0.to_be_bytes());
    } else if key == KeyId::solo(seq) {
        bytes.push(KEYLESS);
        put_number(bytes, seq);
    } else {
        bytes.push(WHOLE);
        bytes.extend(key.0.to_be_bytes());
    }
}

fn take_key(bytes: &mut &[u8]) -> Option<KeyId> {
    match *bytes.first()? {
        KEYLESS => {
            *bytes = &bytes[1..];
            take_number(bytes).map(KeyId::solo)
        }
        WHOLE => {
            *bytes = &bytes[1..];
            take_array(bytes).map(u128::from_be_bytes).map(KeyId)
        }
        _ => take_array(bytes).map(u128::from_be_bytes).map(KeyId),
    }
}

fn put_time(bytes: &mut Vec<u8>, time: Timestamp) {
    bytes.extend(time.as_millis().to_le_bytes());
}

fn take_time(bytes: &mut &[u8]) -> Option<Timestamp> {
    take_array(bytes).map(i64::from_le_bytes).map(Timestamp::from_millis)
}

fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    put_number(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(bytes)?).ok()?;
    let (content, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(content)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    str::from_utf8(take_bytes(bytes)?).ok()
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*array)
}

#[cfg(test)]
mod tests;
