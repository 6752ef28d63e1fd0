use busway_core::Result;
use percent_encoding::percent_decode_str;

use super::config::invalid;

/// A URL of a database and its parameters.
#[derive(Debug)]
pub(super) struct Url<'a> {
    base: &'a str,
    parameters: &'a str,
}

impl<'a> Url<'a> {
    /// Takes the parameters off a URL that begins with `postgres://` or `postgresql://`.
    pub(super) fn split(url: &'a str) -> Result<Self> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(invalid(
                "the URL does not begin with `postgres://`; it looks like `postgres://user@host:5432/database`",
            ));
        }
        let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
        Ok(Self { base, parameters })
    }

    fn pairs(&self) -> impl Iterator<Item = &'a str> {
        self.parameters.split('&').filter(|pair| !pair.is_empty())
    }

    /// Names and values, decoded.
    pub(super) fn parameters(&self) -> Result<Vec<(String, String)>> {
        self.pairs().map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(decoded).collect()
    }

    /// The URL with these parameters alone.
    pub(super) fn without_others(&self, names: &[String]) -> String {
        let kept = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            names.iter().any(|kept| *kept == percent_decode_str(name).decode_utf8_lossy())
        };
        let kept: Vec<&str> = self.pairs().filter(kept).collect();
        if kept.is_empty() { self.base.into() } else { format!("{}?{}", self.base, kept.join("&")) }
    }
}

fn decoded((name, value): (&str, &str)) -> Result<(String, String)> {
    let text = |part: &str| percent_decode_str(part).decode_utf8().map(Into::into);
    match (text(name), text(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(invalid(format!("the URL's parameter `{name}` is not UTF-8"))),
    }
}
