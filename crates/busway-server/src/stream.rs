use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use busway_core::{Clock, Entry, ErrorKind, Patterns, Position, Result, wire};
use busway_engine::{Engine, Tail};
use futures::stream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    events::types,
    problem::Problem,
    query::{Query, bad_query},
};

/// How often a comment shows that the connection is alive.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// Events that may wait for a slow reader; the rest waits in the log.
const AHEAD: usize = 32;
/// Bytes that go out in one piece.
const PIECE: usize = 64 << 10;

/// `GET /api/events/stream`: events as they are stored, as server-sent events.
pub(crate) async fn open(State(app): State<App>, mut query: Query, headers: HeaderMap) -> Result<Response, Problem> {
    let patterns = types(&mut query)?.unwrap_or_else(Patterns::all);
    let tenant = query.tenant()?;
    let since = query.read("since", |text| text.parse::<Position>())?;
    query.finish()?;
    // A browser that reconnects asks for the same address and adds how far it came.
    let since = match last_event_id(&headers)?.or(since) {
        Some(position) => position,
        None => end_of_log(&app.engine).await?,
    };
    let tail = app.engine.tail(patterns, tenant, Some(since.clone())).await?;
    let (sender, pieces) = mpsc::channel(AHEAD);
    tokio::spawn(feed(tail, sender));
    let clock = Arc::clone(app.engine.seam().clock());
    let comment = clock.sleep(COMMENT_EVERY);
    // The position comes first and without an event, so that whoever is cut off before the first one misses none.
    let first = Some(format!("retry: 2000\nid: {since}\n\n"));
    let reader = Reader { first, pieces, comment, clock, stopping: app.stopping };
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(stream::unfold(reader, Reader::next))).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    match headers.get("last-event-id") {
        Some(value) if !value.is_empty() => {
            let text = value.to_str().map_err(|_| bad_query("`Last-Event-ID` is not ASCII"))?;
            Ok(Some(text.parse::<Position>()?))
        }
        _ => Ok(None),
    }
}

async fn end_of_log(engine: &Engine) -> Result<Position> {
    let heads = engine.stores().log.heads().await?;
    Ok(Position { epoch: heads.epoch, lanes: heads.seqs })
}

/// Reads on until the log or the reader ends.
async fn feed(mut tail: Tail, sender: mpsc::Sender<String>) {
    loop {
        let piece = tokio::select! {
            () = sender.closed() => return,
            next = tail.next() => match next {
                Ok((entry, position)) => sent_event(&entry, &position),
                Err(error) if error.kind() == ErrorKind::PositionLost => {
                    let problem = Problem::from(error).to_json();
                    // Nobody is left to be told if it fails.
                    let _ = sender.send(format!("event: position_lost\ndata: {problem}\n\n")).await;
                    return;
                }
                // The reader comes again from where it was, and is then told what is wrong.
                Err(error) => return tracing::warn!(%error, "a stream of events ends"),
            },
        };
        if sender.send(piece).await.is_err() {
            return;
        }
    }
}

/// One server-sent event; of an entry that cannot be decoded, the position alone.
fn sent_event(entry: &Entry, position: &Position) -> String {
    let Some(event) = entry.event() else { return format!("id: {position}\n\n") };
    let mut text = format!("id: {position}\nevent: {}\ndata: ", event.event_type);
    let data = text.len();
    wire::write_event(&mut text, entry);
    // JSON text has line ends between its values only, where a space means the same.
    if text[data..].contains(['\n', '\r']) {
        let line = text[data..].replace(['\n', '\r'], " ");
        text.replace_range(data.., &line);
    }
    text.push_str("\n\n");
    text
}

/// The answer's body.
struct Reader {
    first: Option<String>,
    pieces: mpsc::Receiver<String>,
    comment: Pin<Box<dyn Future<Output = ()> + Send>>,
    clock: Arc<dyn Clock>,
    stopping: CancellationToken,
}

impl Reader {
    /// The next bytes; `None` once the server stops or the tail has ended.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(first.into()), self));
        }
        let mut text = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return None,
            () = &mut self.comment => {
                self.comment = self.clock.sleep(COMMENT_EVERY);
                ":\n\n".to_owned()
            }
            piece = self.pieces.recv() => piece?,
        };
        while text.len() < PIECE {
            match self.pieces.try_recv() {
                Ok(piece) => text.push_str(&piece),
                Err(_) => break,
            }
        }
        Some((Ok(text.into()), self))
    }
}
