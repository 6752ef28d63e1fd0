//! `docs/errors/` and [`ErrorKind`] tell of the same errors.

use std::{collections::BTreeSet, fs, path::PathBuf};

use busway_core::ErrorKind;
use serde_json::Value;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "docs", "errors"].iter().collect()
}

fn page(kind: ErrorKind) -> String {
    let path = folder().join(format!("{kind}.md"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between the first fence of this language and its end.
fn example<'a>(page: &'a str, language: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!("```{language}\n"))?;
    rest.split_once("\n```").map(|(example, _)| example)
}

#[test]
fn every_kind_has_its_page_and_every_page_its_kind() {
    let kinds: BTreeSet<String> = ErrorKind::ALL.iter().map(ToString::to_string).collect();
    let pages: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|file| file.unwrap().file_name().to_str()?.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect();
    assert_eq!(pages, kinds);
    assert_eq!(kinds.len(), ErrorKind::ALL.len(), "each kind stands once in ErrorKind::ALL");
}

#[test]
fn every_page_is_in_the_index() {
    let index = fs::read_to_string(folder().join("README.md")).unwrap();
    for kind in ErrorKind::ALL {
        assert!(index.contains(&format!("[`{kind}`]({kind}.md)")), "{kind}");
    }
}

#[test]
fn every_page_names_its_code_its_kind_and_the_way_out() {
    for &kind in ErrorKind::ALL {
        let page = page(kind);
        for part in [&format!("# `{kind}`\n"), &format!("`ErrorKind::{kind:?}`"), "\n## When\n", "\n## The way out\n"] {
            assert!(page.contains(part), "{kind} lacks {part:?}");
        }
    }
}

#[test]
fn every_example_shows_its_own_code() {
    for &kind in ErrorKind::ALL {
        let page = page(kind);
        let told = example(&page, "text").unwrap_or_else(|| panic!("{kind} has no example of the command line"));
        assert!(told.starts_with(&format!("error[{kind}]: ")), "{told}");
        let Some(answer) = example(&page, "json") else {
            assert!(page.contains("Never an answer over HTTP"), "{kind} has no example of an answer");
            continue;
        };
        let answer: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(answer["code"], kind.code());
        assert_eq!(answer["type"], format!("/errors/{kind}"));
        assert!(page.contains(&format!("Over HTTP, status {}:", answer["status"])), "{kind}");
    }
}
