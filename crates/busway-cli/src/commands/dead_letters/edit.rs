use std::{
    env,
    io::{IsTerminal, Write, stdin},
    process::Command,
};

use clap::Args;
use hyper::Method;
use serde_json::value::RawValue;

use super::chosen::path;
use crate::{commands::publish::read_payload, failure::Failure, http::Client, output::Output, wire::DeadLetter};

/// What `edit` takes.
#[derive(Debug, Args)]
pub(super) struct Edit {
    /// Its id
    #[arg(value_name = "ID")]
    id: u64,
    /// The payload: a JSON object, @FILE with one, or - for standard input [default: in $VISUAL or $EDITOR]
    #[arg(value_name = "JSON|@FILE|-")]
    payload: Option<String>,
}

impl Edit {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let text = match &self.payload {
            Some(payload) => read_payload(payload)?,
            None => edited(&client.get(&path(self.id, "")).await?)?,
        };
        let payload: &RawValue = serde_json::from_str(&text).map_err(|error| {
            Failure::refused("invalid_body", "nothing was changed").line(format!("/payload is not JSON: {error}"))
        })?;
        let body = format!("{{\"payload\":{}}}", payload.get());
        let answer = client.send(Method::PATCH, &path(self.id, ""), Some(body.into())).await?;
        if output.json {
            return output.raw(answer.raw()?);
        }
        output.line(format!("edited {id}: busway dead-letters retry {id}", id = self.id))
    }
}

/// The payload as the caller leaves it in an editor.
fn edited(letter: &DeadLetter) -> Result<String, Failure> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| env::var(name).ok().filter(|editor| !editor.is_empty()));
    let (Some(editor), true) = (editor, stdin().is_terminal()) else {
        return Err(Failure::usage("give the payload, or set EDITOR at a terminal"));
    };
    let before = letter.edited_payload.as_ref().filter(|edited| edited.get() != "null");
    let before = before.or(letter.event.as_ref().map(|event| &event.payload)).map_or("{}", |payload| payload.get());
    let mut file = tempfile::Builder::new().prefix("busway-dead-letter-").suffix(".json").tempfile()?;
    file.write_all(before.as_bytes())?;
    // An editor's variable may hold arguments too, as `code --wait`.
    let ended = Command::new("sh").arg("-c").arg(format!("{editor} \"$0\"")).arg(file.path()).status();
    match ended {
        Ok(status) if status.success() => Ok(std::fs::read_to_string(file.path())?),
        _ => Err(Failure::usage(format!("{editor} did not end well; nothing was changed"))),
    }
}
