use axum::http::{HeaderMap, header};
use busway_core::ErrorKind;

use crate::problem::Problem;

/// Events are given in the native form; a caller that takes another one alone is told so.
pub(crate) fn check_accept(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get_all(header::ACCEPT).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let given = given.collect::<Vec<_>>().join(",").to_ascii_lowercase();
    let ranges = || given.split(',').map(str::trim);
    let is_other_form = |range: &str| range.contains("cloudevents") || range.contains("form=");
    let takes_native = ranges().any(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim();
        matches!(essence, "*/*" | "application/*" | "application/json") && !is_other_form(range)
    });
    match ranges().find(|range| is_other_form(range)) {
        Some(other) if !takes_native => {
            let detail = format!("events are not given as `{other}` here; ask for `application/json`");
            Err(Problem::new(ErrorKind::Unsupported, detail))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn accepts(accept: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        check_accept(&headers).is_ok()
    }

    #[test]
    fn whoever_takes_plain_json_gets_it() {
        assert!(check_accept(&HeaderMap::new()).is_ok());
        for accept in [
            "application/json",
            "*/*",
            "text/html, */*;q=0.8",
            "application/cloudevents-batch+json, application/json",
            "text/csv",
        ] {
            assert!(accepts(accept), "{accept}");
        }
        for accept in
            ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json; form=psa"]
        {
            assert!(!accepts(accept), "{accept}");
        }
    }
}
