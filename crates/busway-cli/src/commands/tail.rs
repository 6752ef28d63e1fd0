//! `busway tail`.

use std::time::Duration;

use clap::Args;

use crate::{
    event_line::event_line,
    failure::{Exit, Failure},
    http::{Client, Frame, Frames, query},
    output::Output,
    wire::Event,
};

/// How long to wait before a lost connection is opened again.
const PAUSE: Duration = Duration::from_secs(2);

/// Show events as they arrive.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  busway tail
  busway tail 'ticket.*' '!ticket.viewed' --tenant acme --json")]
pub(crate) struct Tail {
    /// Which events, like `ticket.*`; `!ticket.viewed` leaves some out [default: all]
    #[arg(value_name = "PATTERN")]
    types: Vec<String>,
    /// One tenant's alone
    #[arg(long)]
    tenant: Option<String>,
    /// Start after this position instead of now; one is the `id` of a server-sent event
    #[arg(long, value_name = "POSITION")]
    since: Option<String>,
    /// End after so many events
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
}

impl Tail {
    /// Shows events until it is ended; a lost connection goes on where it was.
    pub(crate) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let path = format!("/api/events/stream{}", self.query());
        let mut frames = Frames::new(client.stream(&path, None).await?);
        eprintln!("listening at {}", client.base());
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            match frames.next().await {
                Some(frame) if frame.event == "position_lost" => return Err(lost(&frame)),
                Some(frame) => {
                    show(&frame, output)?;
                    left -= 1;
                }
                None => frames = again(client, &path, frames.last_id()).await?,
            }
        }
        Ok(())
    }

    fn query(&self) -> String {
        let types = self.types.iter().map(|pattern| ("type", Some(pattern.as_str())));
        query(types.chain([("tenant", self.tenant.as_deref()), ("since", self.since.as_deref())]))
    }
}

/// Opens the stream again until it opens; only a server that says no ends this.
async fn again(client: &Client, path: &str, last: Option<&str>) -> Result<Frames, Failure> {
    eprintln!("the connection to {} ended; trying again", client.base());
    loop {
        tokio::time::sleep(PAUSE).await;
        match client.stream(path, last).await {
            Ok(response) => {
                eprintln!("connected again, on from where it was");
                return Ok(Frames::new(response));
            }
            Err(failure) if failure.exit() == Exit::Unreachable => {}
            Err(failure) => return Err(failure),
        }
    }
}

fn show(frame: &Frame, output: Output) -> Result<(), Failure> {
    match serde_json::from_str::<Event>(&frame.data) {
        Ok(event) if !output.json => output.line(event_line(&event, output)),
        _ => output.line(&frame.data),
    }
}

fn lost(frame: &Frame) -> Failure {
    Failure::refused(
        "position_lost",
        format!("the log no longer has what comes next ({}); start again without --since", frame.data),
    )
}
