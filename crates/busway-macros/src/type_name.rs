/// What is wrong with the name of an event type, or nothing: the rule of `busway_core::EventType`, repeated
/// here so that a build of the derives need not wait for the core.
pub(crate) fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is empty; a type looks like `ticket.created`".into());
    }
    if name.len() > 200 {
        return Err(format!("the name has {} bytes; at most 200 are allowed", name.len()));
    }
    for segment in name.split('.') {
        if segment.is_empty() {
            return Err(format!("`{name}` has an empty segment"));
        }
        if segment.len() > 64 {
            return Err(format!("segment `{segment}` has {} bytes; at most 64 are allowed", segment.len()));
        }
        if segment.contains('*') {
            return Err(format!(
                "`{name}` is a pattern, and a payload has one type; patterns belong in a subscription"
            ));
        }
        if let Some(odd) = segment.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
            return Err(format!(
                "{odd:?} may not stand in `{name}`: letters, digits, `_` and `-`, segments joined by `.`"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::check;

    proptest! {
        #[test]
        fn the_derives_and_the_core_agree_on_what_a_type_is(name in "[a-zA-Z0-9_.*é -]{0,80}|[a-z.]{0,260}") {
            prop_assert_eq!(check(&name).is_ok(), busway_core::EventType::new(name.as_str()).is_ok());
        }
    }
}
