use std::{
    io::{IsTerminal, Write, stderr},
    time::{Duration, Instant},
};

use crate::text::count;

/// How often the line is drawn at most.
const EVERY: Duration = Duration::from_millis(100);

/// A line on standard error that tells how far long work is; nothing where nobody sees it.
#[derive(Debug)]
pub(crate) struct Progress {
    verb: &'static str,
    total: Option<u64>,
    drawn: Option<Instant>,
    seen: bool,
}

impl Progress {
    /// Of work that is `verb` so many times.
    pub(crate) fn new(verb: &'static str, total: Option<u64>) -> Self {
        Self { verb, total, drawn: None, seen: stderr().is_terminal() }
    }

    /// So many are done.
    pub(crate) fn at(&mut self, done: u64) {
        if !self.seen || self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        let of = self.total.map(|total| format!(" of {}", count(total))).unwrap_or_default();
        eprint!("\r\u{1b}[K{} {}{of}", self.verb, count(done));
        // Nothing is lost with a line that nobody gets to see.
        let _ = stderr().flush();
        self.drawn = Some(Instant::now());
    }

    /// Takes the line away.
    pub(crate) fn end(&mut self) {
        if self.drawn.take().is_some() {
            eprint!("\r\u{1b}[K");
        }
    }
}
