use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Query as AxumQuery},
    http::request::Parts,
};
use busway_core::{Error, ErrorKind, InvalidTime, Owner, TenantId, Timestamp};

use crate::problem::Problem;

/// The parameters behind `?`, taken one by one; what is left or wrong is a bad query.
#[derive(Debug)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
}

/// How much of a list is wanted.
pub(crate) struct Paging {
    /// 1 to 1,000.
    pub(crate) limit: usize,
    /// The `next` of the page before.
    pub(crate) cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = AxumQuery::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let AxumQuery(pairs) = pairs.map_err(|error| bad_query(error.body_text()))?;
        match pairs.iter().find(|(_, value)| value.is_empty()) {
            Some((name, _)) => Err(bad_query(format!("`{name}` is empty; leave it out"))),
            None => Ok(Self { pairs, known: Vec::new() }),
        }
    }
}

impl Query {
    /// A parameter that may repeat.
    pub(crate) fn all(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        self.pairs.extract_if(.., |(given, _)| given == name).map(|(_, value)| value).collect()
    }

    /// A parameter that may be there once.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.read(name, Ok::<_, Infallible>)
    }

    /// A parameter that may be there once, in the form that `read` takes.
    pub(crate) fn read<T, E: Explain>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(String) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let mut values = self.all(name);
        match (values.pop(), values.is_empty()) {
            (None, _) => Ok(None),
            (Some(value), true) => {
                read(value).map(Some).map_err(|error| bad_query(format!("`{name}` {}", error.explain())))
            }
            (Some(_), false) => Err(bad_query(format!("`{name}` is there more than once"))),
        }
    }

    /// `true` or `false`; false if it is not there.
    pub(crate) fn flag(&mut self, name: &'static str) -> Result<bool, Problem> {
        let flag = self.read(name, |text| match &*text {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("is `{other}`; it takes `true` or `false`")),
        })?;
        Ok(flag.unwrap_or(false))
    }

    /// A time.
    pub(crate) fn time(&mut self, name: &'static str) -> Result<Option<Timestamp>, Problem> {
        self.read(name, |text| text.parse::<Timestamp>())
    }

    /// `tenant`.
    pub(crate) fn tenant(&mut self) -> Result<Option<TenantId>, Problem> {
        self.read("tenant", TenantId::new)
    }

    /// Whose things are meant: `tenant`'s, or the installation's, which `*` also names.
    pub(crate) fn owner(&mut self) -> Result<Option<Owner>, Problem> {
        self.read("tenant", |text| match &*text {
            "*" => Ok(Owner::Installation),
            _ => TenantId::new(text).map(Owner::Tenant),
        })
    }

    /// `limit` and `cursor`.
    pub(crate) fn paging(&mut self) -> Result<Paging, Problem> {
        let limit = self.read("limit", |text| match text.parse() {
            Ok(limit @ 1..=1_000) => Ok(limit),
            _ => Err(format!("is `{text}`; it takes a whole number from 1 to 1000")),
        })?;
        Ok(Paging { limit: limit.unwrap_or(100), cursor: self.text("cursor")? })
    }

    /// Refuses what nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) if self.known.is_empty() => {
                Err(bad_query(format!("`{name}` means nothing here; this call takes no parameters")))
            }
            Some((name, _)) => {
                Err(bad_query(format!("`{name}` means nothing here; this call takes {}", self.known.join(", "))))
            }
        }
    }
}

pub(crate) fn bad_query(detail: impl Into<String>) -> Problem {
    Problem::new(ErrorKind::BadRequest, detail)
}

/// What an error says of the value alone, without codes and places.
pub(crate) trait Explain {
    /// A phrase that follows the value's name.
    fn explain(&self) -> String;
}

impl Explain for String {
    fn explain(&self) -> String {
        self.clone()
    }
}

impl Explain for InvalidTime {
    fn explain(&self) -> String {
        self.to_string()
    }
}

impl Explain for Infallible {
    fn explain(&self) -> String {
        match *self {}
    }
}

impl Explain for Error {
    fn explain(&self) -> String {
        match self.fields() {
            [] => self.detail().to_owned(),
            faults => faults.iter().map(|fault| &*fault.detail).collect::<Vec<_>>().join("; "),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn query(text: &str) -> Result<Query, Problem> {
        let (mut parts, ()) = Request::get(format!("/?{text}")).body(()).unwrap().into_parts();
        Query::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn what_is_asked_for_is_found_decoded() {
        let mut query =
            query("tenant=acme&type=a.*&type=b&limit=7&cursor=a%2Fb&after=2026-01-31T12:00:00Z").await.unwrap();
        assert_eq!(query.tenant().unwrap().unwrap().as_str(), "acme");
        assert_eq!(query.all("type"), ["a.*", "b"]);
        let paging = query.paging().unwrap();
        assert_eq!((paging.limit, paging.cursor.as_deref()), (7, Some("a/b")));
        assert_eq!(query.time("after").unwrap().unwrap().to_string(), "2026-01-31T12:00:00.000Z");
        query.finish().unwrap();
    }

    #[tokio::test]
    async fn without_a_limit_a_page_has_a_hundred() {
        assert_eq!(query("").await.unwrap().paging().unwrap().limit, 100);
    }

    #[tokio::test]
    async fn a_parameter_nobody_knows_is_refused_and_the_known_are_named() {
        let mut query = query("limt=7").await.unwrap();
        query.paging().unwrap();
        let problem = query.finish().unwrap_err().to_json();
        assert!(problem.contains("`limt` means nothing here; this call takes limit, cursor"), "{problem}");
    }
}
