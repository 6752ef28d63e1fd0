use std::{
    fs::File,
    io::{BufRead, BufReader, stdin},
    path::Path,
};

use hyper::Method;
use serde::Deserialize;

use super::{
    Stored, StoredEvent,
    refusal::{self, Sent},
};
use crate::{
    failure::Failure,
    http::{Client, query},
    output::Output,
    progress::Progress,
    text::{count, counted},
};

/// Most events of one call.
const MOST: usize = 1_000;
/// Bytes at which a call is sent; the server takes 8 MiB.
const ENOUGH: usize = 6 << 20;

/// What is looked at in a line.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "type")]
    event_type: Option<String>,
}

/// Events gathered for one call, and what was stored before them.
struct Batch<'a> {
    path: String,
    client: &'a Client,
    output: Output,
    progress: Progress,
    body: String,
    sent: Vec<Sent>,
    stored: u64,
    duplicates: u64,
}

/// Publishes the lines of a file, up to a thousand at a time, each of these all or none.
pub(super) async fn publish(file: &Path, tenant: Option<&str>, client: &Client, output: Output) -> Result<(), Failure> {
    let lines: Box<dyn BufRead> = if file == Path::new("-") { Box::new(stdin().lock()) } else { Box::new(open(file)?) };
    let mut batch = Batch::new(format!("/api/events{}", query([("tenant", tenant)])), client, output);
    for (index, line) in lines.lines().enumerate() {
        let line =
            line.map_err(|error| batch.stopped(Failure::usage(format!("{} cannot be read: {error}", file.display()))))?;
        if !line.trim().is_empty() {
            batch.add(index + 1, line.trim()).await?;
        }
    }
    batch.send().await?;
    batch.progress.end();
    if output.json {
        return Ok(());
    }
    let duplicates = if batch.duplicates > 0 {
        format!(", {}", counted(batch.duplicates, "duplicate", "duplicates"))
    } else {
        String::new()
    };
    output.line(format!("stored {}{duplicates}", counted(batch.stored, "event", "events")))
}

fn open(file: &Path) -> Result<BufReader<File>, Failure> {
    let file =
        File::open(file).map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))?;
    Ok(BufReader::new(file))
}

impl<'a> Batch<'a> {
    fn new(path: String, client: &'a Client, output: Output) -> Self {
        let progress = Progress::new("stored", None);
        Self { path, client, output, progress, body: String::new(), sent: Vec::new(), stored: 0, duplicates: 0 }
    }

    async fn add(&mut self, number: usize, line: &str) -> Result<(), Failure> {
        let named: Named = serde_json::from_str(line).map_err(|error| {
            let headline = format!("line {} is no event: {error}", count(number as u64));
            self.stopped(Failure::refused("invalid_event", headline))
        })?;
        if self.sent.len() == MOST || self.body.len() + line.len() > ENOUGH {
            self.send().await?;
        }
        self.body.push(if self.sent.is_empty() { '[' } else { ',' });
        self.body.push_str(line);
        self.sent.push(Sent { event_type: named.event_type, line: Some(number) });
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Failure> {
        if self.sent.is_empty() {
            return Ok(());
        }
        let body = std::mem::take(&mut self.body) + "]";
        let answer = self
            .client
            .try_send(Method::POST, &self.path, Some(body.into()))
            .await
            .map_err(|failure| self.stopped(failure))?;
        if !answer.status.is_success() {
            return Err(refusal::told(answer.problem(), &self.sent, self.before()));
        }
        for event in answer.json::<Stored>()?.events {
            if self.output.json {
                self.output.raw(&event)?;
            }
            let is_duplicate = serde_json::from_str::<StoredEvent>(event.get()).is_ok_and(|event| event.duplicate);
            *(if is_duplicate { &mut self.duplicates } else { &mut self.stored }) += 1;
        }
        self.sent.clear();
        let before = self.before();
        self.progress.at(before);
        Ok(())
    }

    fn before(&self) -> u64 {
        self.stored + self.duplicates
    }

    /// The failure with what was stored before it.
    fn stopped(&self, failure: Failure) -> Failure {
        match self.before() {
            0 => failure,
            before => failure.line(format!("the {} before were stored", counted(before, "event", "events"))),
        }
    }
}
