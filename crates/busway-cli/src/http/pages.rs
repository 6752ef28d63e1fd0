use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Client, query};
use crate::failure::Failure;

/// Most items of one page of the API.
const PAGE: usize = 1_000;

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// The items of a list, as they came.
#[derive(Debug)]
pub(crate) struct List {
    /// The items.
    pub(crate) items: Vec<Box<RawValue>>,
    /// True if there are more than were asked for.
    pub(crate) more: bool,
}

impl Client {
    /// Reads a list, page by page, until it ends or `most` items are there.
    pub(crate) async fn list(&self, path: &str, pairs: &[(&str, Option<&str>)], most: usize) -> Result<List, Failure> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        while items.len() < most {
            let limit = (most - items.len()).min(PAGE).to_string();
            let paging = [("limit", Some(limit.as_str())), ("cursor", cursor.as_deref())];
            let page: Page = self.get(&format!("{path}{}", query(pairs.iter().copied().chain(paging)))).await?;
            items.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(List { items, more: cursor.is_some() })
    }
}
