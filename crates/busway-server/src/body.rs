use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use busway_core::ErrorKind;
use http_body_util::BodyExt;

use crate::problem::Problem;

/// Most bytes of a body.
const MAX_BODY: usize = 8 << 20;
/// How much of a body that is too large is still taken off the wire, so that the caller gets to read the answer.
const MAX_DRAINED: usize = 64 << 20;

/// A body of JSON text, not yet parsed. Empty if there was none.
pub(crate) struct JsonText(pub(crate) String);

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if declared_too_large(&parts.headers) {
            return Err(too_large());
        }
        let bytes = read(body).await?;
        if !bytes.is_empty() {
            check_content_type(&parts.headers)?;
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self(text)),
            Err(_) => Err(Problem::new(ErrorKind::BadRequest, "the body is not UTF-8")),
        }
    }
}

/// A caller that waits for our word before it sends can be refused without taking the body.
fn declared_too_large(headers: &HeaderMap) -> bool {
    let number = |value: &str| value.parse::<u64>().ok();
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(number);
    headers.contains_key(header::EXPECT) && declared.is_some_and(|length| length > MAX_BODY as u64)
}

async fn read(mut body: Body) -> Result<Vec<u8>, Problem> {
    let (mut bytes, mut seen) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let broken = |_| Problem::new(ErrorKind::BadRequest, "the body broke off before its end");
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        seen += data.len();
        if seen <= MAX_BODY {
            bytes.extend_from_slice(&data);
        } else if seen > MAX_DRAINED {
            break;
        }
    }
    if seen > MAX_BODY { Err(too_large()) } else { Ok(bytes) }
}

fn too_large() -> Problem {
    Problem::new(ErrorKind::TooLarge, "the body has more than 8 MiB; send it in parts")
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let given = given.as_deref().unwrap_or_default();
    if is_json(given) {
        return Ok(());
    }
    let what = if given.is_empty() { "a body without a content type".into() } else { format!("`{given}`") };
    Err(unread(&what))
}

pub(crate) fn unread(what: &str) -> Problem {
    let detail = format!("{what} is not read here; send JSON in UTF-8 as `content-type: application/json`");
    Problem::new(ErrorKind::UnsupportedMediaType, detail)
}

/// True for `application/json`, also with its only sensible parameter.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| {
            let parameter = parameter.to_ascii_lowercase().replace('"', "");
            parameter.is_empty() || parameter == "charset=utf-8"
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_its_dialects() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/json; form=psa",
            "application/json; charset=latin1",
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
