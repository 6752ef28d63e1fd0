use syn::parse_str;

use super::expand;

fn expanded(source: &str) -> String {
    expand(&parse_str(source).unwrap()).unwrap().to_string()
}

/// What the error points at, and what it says.
fn error_of(source: &str) -> (String, String) {
    let error = expand(&parse_str(source).unwrap()).unwrap_err();
    let (start, end) = (error.span().start(), error.span().end());
    let at = source.lines().nth(start.line - 1).unwrap()[start.column..end.column].to_owned();
    (at, error.to_string())
}

#[test]
fn the_name_becomes_a_constant() {
    let code = expanded(r#"#[event("ticket.created")] struct TicketCreated { id: u32 }"#);
    assert!(code.contains("impl :: busway :: EventType for TicketCreated"));
    assert!(code.contains(r#"const NAME : & 'static str = "ticket.created""#));
    assert!(!code.contains("fn key"));
}

#[test]
fn a_key_field_becomes_the_key() {
    let code = expanded(r#"#[event("ticket.created")] struct TicketCreated { #[event(key)] id: u32 }"#);
    assert!(code.contains("Some (:: std :: string :: ToString :: to_string (& self . id))"));
}

#[test]
fn an_optional_key_field_may_be_missing() {
    let code = expanded(r#"#[event("ticket.created")] struct TicketCreated { #[event(key)] id: Option<u32> }"#);
    assert!(code.contains("self . id . as_ref () . map"));
}

#[test]
fn a_wrapper_is_a_payload_too() {
    assert!(expanded(r#"#[event("a")] struct A(#[event(key)] Inner);"#).contains("self . 0"));
}

#[test]
fn a_generic_type_is_refused() {
    let (at, error) = error_of(r#"#[event("a")] struct A<T: Clone> { t: T }"#);
    assert_eq!(at, "<T: Clone>");
    assert!(error.contains("one payload"));
}

#[test]
fn a_missing_name_is_asked_for_at_the_struct() {
    let (at, error) = error_of("struct TicketCreated { id: u32 }");
    assert_eq!(at, "TicketCreated");
    assert!(error.contains(r#"#[event("ticket.created")]"#));
}

#[test]
fn a_wrong_name_is_shown_where_it_stands() {
    let (at, error) = error_of(r#"#[event("ticket created")] struct TicketCreated { id: u32 }"#);
    assert_eq!(at, r#""ticket created""#);
    assert!(error.contains("' ' may not stand in `ticket created`"));
    let (_, error) = error_of(r#"#[event("ticket.*")] struct TicketCreated { id: u32 }"#);
    assert!(error.contains("is a pattern"));
    let (at, _) = error_of("#[event(ticket)] struct TicketCreated { id: u32 }");
    assert_eq!(at, "ticket");
}

#[test]
fn a_second_name_is_refused() {
    let (at, _) = error_of(r#"#[event("a")] #[event("b")] struct A { id: u32 }"#);
    assert_eq!(at, r#"#[event("b")]"#);
}

#[test]
fn a_second_key_is_refused_at_its_field() {
    let (at, error) = error_of(r#"#[event("a")] struct A { #[event(key)] id: u32, #[event(key)] other: u32 }"#);
    assert_eq!(at, "#[event(key)] other: u32");
    assert!(error.contains("one key"));
}

#[test]
fn an_unknown_word_at_a_field_is_refused() {
    let (at, error) = error_of(r#"#[event("a")] struct A { #[event(kee)] id: u32 }"#);
    assert_eq!(at, "kee");
    assert!(error.contains("#[event(key)]"));
}

#[test]
fn what_is_no_json_object_is_refused() {
    assert!(error_of(r#"#[event("a")] struct Ping;"#).1.contains("struct Ping {}"));
    assert!(error_of(r#"#[event("a")] struct Pair(u32, u32);"#).1.contains("array"));
    assert!(error_of(r#"#[event("a")] union U { a: u32 }"#).1.contains("union"));
}

#[test]
fn an_enum_has_no_key_field() {
    assert!(expanded(r#"#[event("a")] enum A { B { id: u32 } }"#).contains("NAME"));
    let (at, error) = error_of(r#"#[event("a")] enum A { B { #[event(key)] id: u32 } }"#);
    assert_eq!(at, "#[event(key)]");
    assert!(error.contains("publish(event).key(..)"));
}
