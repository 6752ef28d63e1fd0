use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Response, body::Incoming};
use tokio::time::timeout;

/// A server sends at least a comment every 15 s; one that is silent for longer is gone.
const SILENCE: Duration = Duration::from_secs(40);

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Its name.
    pub(crate) event: String,
    /// Its content.
    pub(crate) data: String,
}

/// The server-sent events of an answer.
#[derive(Debug)]
pub(crate) struct Frames {
    body: Incoming,
    parser: Parser,
}

impl Frames {
    /// Those of this answer.
    pub(crate) fn new(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), parser: Parser::default() }
    }

    /// Where to go on after what was read.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.parser.last_id.as_deref()
    }

    /// The next one; `None` once the stream has ended or the server is silent.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.parser.next() {
                return Some(frame);
            }
            let frame = timeout(SILENCE, self.body.frame()).await.ok()??.ok()?;
            if let Some(bytes) = frame.data_ref() {
                self.parser.feed(bytes);
            }
        }
    }
}

/// Bytes in, frames out.
#[derive(Debug, Default)]
struct Parser {
    waiting: Vec<u8>,
    looked: usize,
    last_id: Option<String>,
    frame: Frame,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) {
        self.waiting.drain(..self.looked);
        self.looked = 0;
        self.waiting.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Option<Frame> {
        while let Some(length) = self.waiting[self.looked..].iter().position(|byte| *byte == b'\n') {
            let line = &self.waiting[self.looked..self.looked + length];
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
            self.looked += length + 1;
            if line.is_empty() {
                let frame = std::mem::take(&mut self.frame);
                if !frame.data.is_empty() || !frame.event.is_empty() {
                    return Some(frame);
                }
            } else {
                self.field(&line);
            }
        }
        None
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.last_id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.frame.event),
            "data" if self.frame.data.is_empty() => value.clone_into(&mut self.frame.data),
            "data" => {
                self.frame.data.push('\n');
                self.frame.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_without_an_event_is_kept() {
        let mut parser = Parser::default();
        parser.feed(b"retry: 2000\nid: 1.0\n\n");
        assert_eq!((parser.next(), parser.last_id.as_deref()), (None, Some("1.0")));
    }

    #[test]
    fn frames_are_found_however_the_bytes_arrive() {
        let text = ": hello\nretry: 2000\n\nid: 1.a\nevent: ticket.created\ndata: {\"a\":1}\n\nid: 1.b\r\nevent: x\r\ndata: 1\r\ndata: 2\r\n\r\n";
        for size in 1..text.len() {
            let (mut parser, mut frames) = (Parser::default(), Vec::new());
            for bytes in text.as_bytes().chunks(size) {
                parser.feed(bytes);
                frames.extend(std::iter::from_fn(|| parser.next()));
            }
            let frame = |event: &str, data: &str| Frame { event: event.into(), data: data.into() };
            assert_eq!(frames, [frame("ticket.created", "{\"a\":1}"), frame("x", "1\n2")]);
            assert_eq!(parser.last_id.as_deref(), Some("1.b"));
        }
    }
}
