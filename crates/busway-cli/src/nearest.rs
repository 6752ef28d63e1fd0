/// The names nearest to `name`, at most three that are equally near; none that is not like it.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let most = (name.chars().count() / 3).max(2);
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    near.into_iter().take_while(|(distance, _)| *distance == best).take(3).map(|(_, candidate)| candidate).collect()
}

/// Edits from one to the other; the one being the other's beginning counts as one.
fn distance(name: &str, candidate: &str) -> usize {
    let edits = strsim::damerau_levenshtein(name, candidate);
    if !name.is_empty() && candidate.starts_with(name) { edits.min(1) } else { edits }
}

/// `; did you mean ...?`, or nothing if nothing is near.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(name, known).as_slice() {
        [] => String::new(),
        near => {
            format!("; did you mean {}?", near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nearest_names_are_given() {
        assert_eq!(nearest("caht", ["calendar", "chat", "that", "cart"]), ["cart", "chat"]);
    }

    #[test]
    fn a_name_that_is_like_none_has_no_nearest() {
        assert_eq!(did_you_mean("zzzz", ["calendar", "chat"]), "");
    }

    #[test]
    fn a_beginning_is_near_its_whole() {
        assert_eq!(did_you_mean("cal", ["calendar", "chat"]), "; did you mean `calendar`?");
    }
}
