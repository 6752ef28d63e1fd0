use std::fmt;

use busway_core::{EventType as TypeName, Payload as Json};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use serde_path_to_error::Segment;

/// The payload of one event type. Derive it: `#[derive(EventType)] #[event("ticket.created")]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the payload of an event type",
    note = "derive it: #[derive(EventType, Serialize, Deserialize)] #[event(\"ticket.created\")]"
)]
pub trait EventType: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the type, such as `ticket.created`.
    const NAME: &'static str;

    /// What the event is ordered by: events of one tenant and key are handled in the order they were published.
    fn key(&self) -> Option<String> {
        None
    }
}

/// What a listener hears: one [`EventType`], an enum of several (`#[derive(Payload)]`), or
/// [`serde_json::Value`] for events of every type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something a listener can hear",
    note = "one event type derives EventType, an enum of several derives Payload, serde_json::Value hears every type"
)]
pub trait Payload: Sized + Send + 'static {
    /// The patterns of a subscription that names none itself.
    fn patterns() -> Vec<&'static str>;

    /// True if events of this type can be decoded.
    fn handles(event_type: &TypeName) -> bool;

    /// The payload of an event of a type that [`Self::handles`] accepts.
    fn decode(event_type: &TypeName, payload: &Json) -> Result<Self, Undecodable>;
}

impl<T: EventType> Payload for T {
    fn patterns() -> Vec<&'static str> {
        vec![T::NAME]
    }

    fn handles(event_type: &TypeName) -> bool {
        event_type.as_str() == T::NAME
    }

    fn decode(_: &TypeName, payload: &Json) -> Result<Self, Undecodable> {
        decode(payload)
    }
}

impl Payload for Value {
    fn patterns() -> Vec<&'static str> {
        vec!["*"]
    }

    fn handles(_: &TypeName) -> bool {
        true
    }

    fn decode(_: &TypeName, payload: &Json) -> Result<Self, Undecodable> {
        decode(payload)
    }
}

/// Following the path slows decoding down, so it is followed only where there is something to report.
fn decode<T: DeserializeOwned>(payload: &Json) -> Result<T, Undecodable> {
    payload.parse().or_else(|_| {
        let mut json = serde_json::Deserializer::from_str(payload.as_str());
        serde_path_to_error::deserialize(&mut json)
            .map_err(|error| Undecodable { pointer: pointer(error.path()), detail: error.inner().to_string() })
    })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let name = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => "?".into(),
        };
        pointer.push('/');
        pointer.push_str(&name);
    }
    pointer
}

/// A payload that does not fit the type it is to be read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    pointer: String,
    detail: String,
}

impl Undecodable {
    /// No variant of an enum is for events of this type.
    pub fn unknown_type(event_type: &TypeName) -> Self {
        Self { pointer: String::new(), detail: format!("no variant is for events of type {event_type}") }
    }

    /// JSON pointer to what does not fit; empty for the whole payload.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => write!(f, "payload: {}", self.detail),
            pointer => write!(f, "payload at {pointer}: {}", self.detail),
        }
    }
}

impl std::error::Error for Undecodable {}
