use clap::Args;
use hyper::Method;

use super::chosen::path;
use crate::{
    failure::Failure,
    http::Client,
    output::{Output, compact},
    text::{counted, local_time, printable},
    wire::DeadLetter,
};

/// What `show` takes.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Its id
    #[arg(value_name = "ID")]
    id: u64,
}

impl Show {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let answer = client.send(Method::GET, &path(self.id, ""), None).await?;
        if output.json {
            return output.raw(answer.raw()?);
        }
        let letter: DeadLetter = answer.json()?;
        let subscription = letter.subscription.as_deref().unwrap_or("-");
        output.line(format!("dead letter {} of {subscription}", letter.id))?;
        output.line(format!(
            "  died       {}, {} after {}",
            local_time(&letter.died_at),
            letter.cause,
            counted(letter.attempts.into(), "attempt", "attempts")
        ))?;
        output.line(format!("  failed     {} for the first time", local_time(&letter.first_failed_at)))?;
        output.line(format!("  error      {}", printable(&letter.error)))?;
        if let Some(event) = &letter.event {
            let key = event.key.as_deref().map(|key| format!("  key {}", printable(key))).unwrap_or_default();
            output.line(format!("  event      {}  {}{key}  {}", event.event_type, event.tenant_id, event.id))?;
            output.line(format!("  payload    {}", printable(&compact(event.payload.get()))))?;
        }
        if let Some(edited) = letter.edited_payload.as_ref().filter(|edited| edited.get() != "null") {
            output.line(format!("  edited to  {}", printable(&compact(edited.get()))))?;
        }
        output.line(format!("  next       busway dead-letters retry {}", letter.id))
    }
}
