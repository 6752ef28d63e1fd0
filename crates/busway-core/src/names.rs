use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Error, ErrorKind, FieldError};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $pointer:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checked; the error names the field.
            pub fn new(text: impl AsRef<str> + Into<Arc<str>>) -> Result<Self, Error> {
                match $check(text.as_ref()) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(detail) => {
                        let fault = FieldError::new($pointer, "invalid_name", detail);
                        Err(Error::invalid(ErrorKind::$kind, vec![fault]))
                    }
                }
            }

            /// From a store that checked it when it was written.
            pub fn from_store(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    };
}

name! {
    /// What happened: segments of `[A-Za-z0-9_-]{1,64}` joined by `.`, at most 200 bytes.
    EventType, InvalidEvent, "/type", check_event_type
}
name! {
    /// Whose event it is: 1 to 128 of `[A-Za-z0-9._:-]`.
    TenantId, InvalidEvent, "/tenantId", check_tenant
}
name! {
    /// The ordering key: 1 to 256 bytes, none of them NUL.
    Key, InvalidEvent, "/key", check_key
}
name! {
    /// The name of a subscription, unique per owner: 1 to 128 of `[A-Za-z0-9._:/*-]`.
    SubscriptionName, InvalidBody, "/name", check_subscription_name
}

impl EventType {
    /// True if [`Self::new`] would take the text; can be asked while compiling.
    pub const fn is_valid(text: &str) -> bool {
        let bytes = text.as_bytes();
        let (mut at, mut segment) = (0, 0);
        while at < bytes.len() {
            match bytes[at] {
                b'.' if segment == 0 => return false,
                b'.' => segment = 0,
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' if segment < 64 => segment += 1,
                _ => return false,
            }
            at += 1;
        }
        segment > 0 && bytes.len() <= 200
    }
}

/// What is wrong with an event type, or nothing.
fn check_event_type(text: &str) -> Result<(), String> {
    if EventType::is_valid(text) {
        return Ok(());
    }
    if text.is_empty() {
        return Err("is empty; a type looks like `ticket.created`".into());
    }
    if text.len() > 200 {
        return Err(format!("has {} bytes; at most 200 are allowed", text.len()));
    }
    if text.split('.').any(str::is_empty) {
        return Err(format!("{text:?} has an empty segment"));
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))) {
        Some(odd) => {
            Err(format!("{text:?} has {odd:?}; allowed are letters, digits, `_` and `-`, segments joined by `.`"))
        }
        None => Err(format!("{text:?} has a segment of more than 64 bytes")),
    }
}

fn check_tenant(text: &str) -> Result<(), String> {
    check_charset(text, 128, "._:-")
}

fn check_subscription_name(text: &str) -> Result<(), String> {
    check_charset(text, 128, "._:/*-")
}

fn check_charset(text: &str, most: usize, extra: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty".into());
    }
    if text.len() > most {
        return Err(format!("has {} bytes; at most {most} are allowed", text.len()));
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || extra.contains(*c))) {
        Some(odd) => Err(format!("{text:?} has {odd:?}; allowed are letters, digits and {extra}")),
        None => Ok(()),
    }
}

fn check_key(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("is empty; leave it out for an event without a key".into()),
        // Databases cannot store NUL in a text.
        1..=256 if text.contains('\0') => Err("has a NUL character".into()),
        1..=256 => Ok(()),
        long => Err(format!("has {long} bytes; at most 256 are allowed")),
    }
}

/// Who owns a subscription, a dead letter, a schedule: a tenant, or the installation (`*`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The installation: it sees every tenant's events.
    Installation,
    /// One tenant: it sees its own events alone.
    Tenant(TenantId),
}

impl Owner {
    /// The tenant's id, or `*`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Installation => "*",
            Self::Tenant(tenant) => tenant.as_str(),
        }
    }

    /// Back from [`Self::as_str`].
    pub fn from_store(text: &str) -> Self {
        if text == "*" { Self::Installation } else { Self::Tenant(TenantId::from_store(text)) }
    }

    /// The tenant, if it is one.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Installation => None,
            Self::Tenant(tenant) => Some(tenant),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "*" {
            Ok(Self::Installation)
        } else {
            TenantId::new(text).map(Self::Tenant).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests;
