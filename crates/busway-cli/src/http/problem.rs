use hyper::StatusCode;
use serde::Deserialize;

use crate::{
    failure::{Exit, Failure},
    text::printable,
};

/// What a server answers where it does not do what was asked: `application/problem+json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    /// What kind of problem it is, in a few words.
    pub(crate) title: String,
    /// What happened and the way out.
    pub(crate) detail: String,
    /// The code, as in `docs/errors/`.
    pub(crate) code: String,
    /// The fields at fault.
    pub(crate) errors: Vec<Fault>,
}

/// One fault in what was sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fault {
    /// Which item of an array, from 0.
    pub(crate) index: Option<usize>,
    /// JSON pointer to the field.
    pub(crate) pointer: String,
    /// What is wrong.
    pub(crate) detail: String,
}

impl Fault {
    /// The field and what is wrong with it.
    pub(crate) fn line(&self) -> String {
        printable(format!("{} {}", self.pointer, self.detail).trim())
    }
}

impl Problem {
    /// From an answer that is no success; one that is no problem either is told by its status.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Self {
        let problem: Self = serde_json::from_slice(body).unwrap_or_default();
        if problem.code.is_empty() {
            let code = match status {
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "not_found",
                _ => "no_busway",
            };
            let detail = format!("the server answered {status}, not as a Busway server of this version does");
            return Self { code: code.into(), detail, ..Self::default() };
        }
        problem
    }

    /// The failure that says this: the detail, or a line for each field at fault.
    pub(crate) fn into_failure(self) -> Failure {
        let mut title = self.title.chars();
        let said = title.next().map(|first| first.to_lowercase().chain(title).collect::<String>());
        self.into_failure_of(&said.unwrap_or_default())
    }

    /// The same; where single fields are at fault, `what` stands above them.
    pub(crate) fn into_failure_of(self, what: &str) -> Failure {
        let exit = match self.code.as_str() {
            "unauthorized" | "forbidden" => Exit::Forbidden,
            "unreachable" => Exit::Unreachable,
            _ => Exit::Refused,
        };
        let headline = if self.errors.is_empty() && !self.detail.is_empty() { &self.detail } else { what };
        let lines: Vec<String> = self.errors.iter().map(Fault::line).collect();
        Failure::new(exit, self.code, printable(headline)).lines(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_at_fault_has_its_line() {
        let body =
            br#"{"title":"The subscription is not valid","status":422,"code":"invalid_body","detail":"two faults",
            "errors":[{"pointer":"/concurrency","code":"out_of_range","detail":"0 is below 1"},
                      {"pointer":"/types","code":"invalid_pattern","detail":"names no type"}]}"#;
        let failure = Problem::read(StatusCode::UNPROCESSABLE_ENTITY, body).into_failure();
        assert_eq!(
            failure.to_string(),
            "error[invalid_body]: the subscription is not valid\n  /concurrency 0 is below 1\n  /types names no type"
        );
        assert_eq!(failure.exit_code(), 1);
    }

    #[test]
    fn an_answer_of_another_program_is_told_by_its_status() {
        let failure = Problem::read(StatusCode::BAD_GATEWAY, b"<html>").into_failure();
        assert!(failure.to_string().starts_with("error[no_busway]: the server answered 502 Bad Gateway"));
    }

    #[test]
    fn a_caller_who_may_not_has_its_own_exit_code() {
        let body = br#"{"code":"forbidden","detail":"needs the role admin"}"#;
        assert_eq!(Problem::read(StatusCode::FORBIDDEN, body).into_failure().exit_code(), 4);
    }
}
