//! The derives of Busway. Use them through the crate `busway`, which re-exports them.

mod event_type;
mod payload;
mod type_name;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct or an enum the payload of one event type.
///
/// `#[event("ticket.created")]` names the type and is checked when the program is compiled. `#[event(key)]` on
/// a field makes its text the ordering key: events of one tenant and key are handled in order. The field may be
/// of any type that can be displayed; an `Option` that is `None` makes an event without a key.
///
/// The type also needs `serde::Serialize` and `serde::Deserialize`.
#[proc_macro_derive(EventType, attributes(event))]
pub fn event_type(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event_type::expand(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Makes an enum the payload of a listener that hears several event types, a variant for each.
///
/// Every variant holds one payload: a type that derives `EventType`, another such enum, or
/// `serde_json::Value` for all other types. The first variant that can hold an event's type gets it.
#[proc_macro_derive(Payload)]
pub fn payload(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    payload::expand(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}
