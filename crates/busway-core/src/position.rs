use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use twox_hash::{XxHash3_64, XxHash3_128};

use crate::{Error, ErrorKind, EventType, Key, Order, TenantId};

/// A number that rises in commit order within its lane; 0 stands before the first event.
pub type Seq = u64;

/// One of the ordered parts of a log, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaneId(pub u16);

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which incarnation of a log a position belongs to; a restored log has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// A place in the log that may leave the store; its text is opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The log's incarnation.
    pub epoch: Epoch,
    /// The last seq that was seen, per lane.
    pub lanes: Vec<Seq>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.epoch.0)?;
        for seq in &self.lanes {
            write!(f, ".{seq:x}")?;
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unreadable = || Error::new(ErrorKind::BadRequest, format!("{text:?} is not a position of this log"));
        let mut parts = text.split('.').map(|part| match part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => u64::from_str_radix(part, 16).map_err(|_| unreadable()),
            false => Err(unreadable()),
        });
        let epoch = Epoch(parts.next().ok_or_else(unreadable)??);
        let lanes = parts.collect::<Result<Vec<_>, _>>()?;
        if lanes.is_empty() { Err(unreadable()) } else { Ok(Self { epoch, lanes }) }
    }
}

/// The lane of an event: a stable hash of tenant and key, or of tenant and type where there is no key.
///
/// It decides where events are stored, so it must never change.
pub fn lane_of(tenant: &TenantId, key: Option<&Key>, event_type: &EventType, lanes: u16) -> LaneId {
    if lanes <= 1 {
        return LaneId(0);
    }
    let mut bytes = Vec::with_capacity(160);
    bytes.extend_from_slice(tenant.as_str().as_bytes());
    match key {
        Some(key) => {
            bytes.extend_from_slice(b"\0k");
            bytes.extend_from_slice(key.as_str().as_bytes());
        }
        None => {
            bytes.extend_from_slice(b"\0t");
            bytes.extend_from_slice(event_type.as_str().as_bytes());
        }
    }
    LaneId((XxHash3_64::oneshot(&bytes) % u64::from(lanes)) as u16)
}

/// What is delivered one at a time: a key of a tenant, a type of a tenant, or one keyless event.
///
/// A hash, and stored with holds, so it must never change. The highest bit tells a keyless event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u128);

impl KeyId {
    const SOLO: u128 = 1 << 127;

    /// The key of a keyless event: the event itself.
    pub fn solo(seq: Seq) -> Self {
        Self(Self::SOLO | u128::from(seq))
    }

    /// True for a keyless event.
    pub fn is_solo(self) -> bool {
        self.0 & Self::SOLO != 0
    }

    /// What the event at `seq` is ordered by under `order`.
    pub fn of(tenant: &TenantId, key: Option<&Key>, event_type: &EventType, seq: Seq, order: Order) -> Self {
        let (tag, name) = match (order, key) {
            (Order::None, _) | (Order::Key, None) => return Self::solo(seq),
            (Order::Key | Order::Type, Some(key)) => (b"\0k", key.as_str()),
            (Order::Type, None) => (b"\0t", event_type.as_str()),
        };
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(tenant.as_str().as_bytes());
        bytes.extend_from_slice(tag);
        bytes.extend_from_slice(name.as_bytes());
        Self(XxHash3_128::oneshot(&bytes) & !Self::SOLO)
    }
}

/// A tenant as the lanes see it: whose turn it is. A hash, stored with tenant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnId(pub u64);

impl TurnId {
    /// The turn of a tenant.
    pub fn of(tenant: &TenantId) -> Self {
        Self(XxHash3_64::oneshot(tenant.as_str().as_bytes()))
    }
}

#[cfg(test)]
mod tests;
