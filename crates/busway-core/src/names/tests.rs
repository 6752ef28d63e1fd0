use proptest::prelude::*;

use super::*;

fn detail<T: fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().fields()[0].detail.clone()
}

#[test]
fn event_types_are_segments_of_letters_digits_and_two_marks() {
    let longest = ["a".repeat(64), "b".repeat(64), "c".repeat(64), "ddddd".into()].join(".");
    assert_eq!(longest.len(), 200);
    for text in ["a", "TICKET_CREATED", "shift.signup.created", "ticketed-event.published", "1.2", "-", "_", &longest] {
        assert_eq!(EventType::new(text).unwrap().as_str(), text);
    }
}

#[test]
fn event_types_that_break_a_rule_are_told_why() {
    assert!(detail(EventType::new("")).contains("is empty"));
    for text in [".", "a.", ".a", "a..b"] {
        assert!(detail(EventType::new(text)).contains("empty segment"), "{text:?}");
    }
    for text in ["a b", "a/b", "shift.*", "größe", "a\0", "a\n"] {
        assert!(detail(EventType::new(text)).contains("allowed are letters"), "{text:?}");
    }
    assert!(detail(EventType::new("a".repeat(65))).contains("more than 64 bytes"));
    assert!(detail(EventType::new(format!("{}.{}", "a".repeat(65), "b"))).contains("more than 64 bytes"));
    assert!(detail(EventType::new(["a"; 101].join("."))).contains("201 bytes"));
}

#[test]
fn a_type_can_be_checked_while_compiling() {
    const { assert!(EventType::is_valid("ticket.created")) };
    const { assert!(!EventType::is_valid("ticket created")) };
}

#[test]
fn tenants_are_short_and_plain() {
    for text in ["a", "acme", "0b7c1a52-3b1e-4bd8-a6f6-0d4f8c0f8a11", "eu:acme_1.x", &"t".repeat(128)] {
        assert_eq!(TenantId::new(text).unwrap().as_str(), text);
    }
    for text in ["", "*", "a b", "a/b", "é", "a\0", &"t".repeat(129)] {
        let error = TenantId::new(text).unwrap_err();
        assert_eq!((error.kind(), &*error.fields()[0].pointer), (ErrorKind::InvalidEvent, "/tenantId"), "{text:?}");
    }
}

#[test]
fn keys_are_any_text_that_a_database_can_store() {
    for text in ["s-118", " ", "ключ/1", "a\nb", &"k".repeat(256), &"é".repeat(128)] {
        assert_eq!(Key::new(text).unwrap().as_str(), text);
    }
    assert!(detail(Key::new("")).contains("leave it out"));
    assert!(detail(Key::new("a\0b")).contains("NUL"));
    assert!(detail(Key::new("é".repeat(129))).contains("258 bytes"));
}

#[test]
fn a_bad_subscription_name_is_a_fault_of_the_body() {
    for text in ["crm", "app/shift.*", "app/*", "a:b_c-d"] {
        assert!(SubscriptionName::new(text).is_ok(), "{text:?}");
    }
    let error = SubscriptionName::new("two words").unwrap_err();
    assert_eq!((error.kind(), &*error.fields()[0].pointer), (ErrorKind::InvalidBody, "/name"));
}

#[test]
fn names_are_checked_when_they_are_read_from_json() {
    assert_eq!(serde_json::from_str::<EventType>("\"a.b\"").unwrap().as_str(), "a.b");
    assert!(serde_json::from_str::<EventType>("\"a b\"").is_err());
    assert!(serde_json::from_str::<TenantId>("5").is_err());
}

#[test]
fn an_owner_is_a_tenant_or_the_installation() {
    let acme = Owner::Tenant(TenantId::new("acme").unwrap());
    for (owner, text) in [(Owner::Installation, "*"), (acme, "acme")] {
        assert_eq!(owner.as_str(), text);
        assert_eq!(Owner::from_store(text), owner);
        assert_eq!(serde_json::from_str::<Owner>(&serde_json::to_string(&owner).unwrap()).unwrap(), owner);
    }
    assert!(serde_json::from_str::<Owner>("\"a b\"").is_err());
}

proptest! {
    #[test]
    fn a_text_is_a_type_exactly_if_the_rule_says_so(text in "[a-zA-Z0-9_.é -]{0,12}|[a-z.]{190,210}|[a-z]{60,70}") {
        let rule = text.len() <= 200 && text.split('.').all(|segment| {
            (1..=64).contains(&segment.len()) && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        });
        prop_assert_eq!(EventType::new(&*text).is_ok(), rule);
    }
}
