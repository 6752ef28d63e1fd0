//! Event ids as people are shown them: as short as tells them apart.

use std::collections::BTreeSet;

use hyper::Method;
use uuid::Uuid;

use crate::http::Client;

/// Lengths that end before a hyphen, or with the whole id.
const LENGTHS: [usize; 5] = [8, 13, 18, 23, 36];

/// The shortest that is shown of an id. One of version 7 begins with its time: eight digits of it are shared by all
/// events of a minute, thirteen characters by those of a millisecond.
fn least(id: &str) -> usize {
    match id.parse::<Uuid>() {
        Ok(uuid) if uuid.get_version_num() == 7 => 13,
        _ => 8,
    }
}

fn lengths(id: &str) -> impl Iterator<Item = usize> {
    let least = least(id);
    LENGTHS.into_iter().filter(move |length| *length >= least)
}

/// As much of the id as no other stored event begins with.
pub(crate) async fn unique(client: &Client, id: &str) -> String {
    for length in lengths(id) {
        let Some(beginning) = id.get(..length) else { break };
        let answer = client.try_send(Method::GET, &format!("/api/events/{beginning}"), None).await;
        if answer.is_ok_and(|answer| answer.status.is_success()) {
            return beginning.to_owned();
        }
    }
    id.to_owned()
}

/// As much of each id as tells it from the others.
pub(crate) fn told_apart<'a>(ids: &[&'a str]) -> Vec<&'a str> {
    let different: BTreeSet<&str> = ids.iter().copied().collect();
    let length = LENGTHS.into_iter().find(|length| {
        let beginnings: BTreeSet<&str> = different.iter().map(|id| id.get(..*length).unwrap_or(id)).collect();
        beginnings.len() == different.len() && different.iter().all(|id| least(id) <= *length)
    });
    ids.iter().map(|id| length.and_then(|length| id.get(..length)).unwrap_or(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::told_apart;

    #[test]
    fn ids_are_cut_where_all_of_them_still_differ() {
        let ids = ["019a2c44-1b3c-7000-8000-000000000001", "019a2c44-1b3d-7000-8000-000000000002"];
        assert_eq!(told_apart(&ids), ["019a2c44-1b3c", "019a2c44-1b3d"]);
        let ids = ["019a2c44-1b3c-7000-8000-000000000001", "019a2c44-1b3c-7001-8000-000000000002"];
        assert_eq!(told_apart(&ids), ["019a2c44-1b3c-7000", "019a2c44-1b3c-7001"]);
        assert_eq!(told_apart(&["6ba7b810-9dad-41d1-80b4-00c04fd430c8"]), ["6ba7b810"]);
        assert_eq!(told_apart(&["a", "b"]), ["a", "b"]);
    }
}
