use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use busway_core::{Error, ErrorKind, Result, Seam};
use rusqlite::{Connection, Result as NativeResult};
use tokio::sync::oneshot;

use super::{
    error::{Fault, commit_failed, is_busy, translated},
    file_system,
    heads::Heads,
    lookout::Lookout,
    queue::Found,
    shared::Shared,
};

/// The weight of the jobs that one transaction takes, so that none of them waits long for the others.
const MOST_WEIGHT: usize = 4_096;
/// Between attempts to begin while another process writes. SQLite's own waiting grows to 100 ms, by which a writer
/// among busy ones would starve.
const RETRY: Duration = Duration::from_micros(250);
/// How long a begin waits once the store is being closed.
const CLOSING_PATIENCE: Duration = Duration::from_secs(1);

/// What a job works with.
#[derive(Debug)]
pub(super) struct Writing<'a> {
    pub(super) connection: &'a Connection,
    pub(super) heads: &'a mut Heads,
    pub(super) seam: &'a Seam,
    /// To be set by whoever appends: readers are woken after the commit.
    pub(super) appended: bool,
}

/// Something to be written. It may be run more than once, its transaction being rolled back in between.
pub(super) trait Job: Send {
    fn weight(&self) -> usize;
    fn run(&mut self, writing: &mut Writing<'_>) -> NativeResult<()>;
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// A job whose caller waits for a value.
struct Asked<T, W> {
    weight: usize,
    work: W,
    outcome: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

impl<T, W> Job for Asked<T, W>
where
    T: Send,
    W: FnMut(&mut Writing<'_>) -> Result<T, Fault> + Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn run(&mut self, writing: &mut Writing<'_>) -> NativeResult<()> {
        self.outcome = Some(match (self.work)(writing) {
            Ok(value) => Ok(value),
            Err(Fault::Refused(error)) => Err(error),
            Err(Fault::Native(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let Self { outcome, caller, .. } = *self;
        let outcome = committed.and_then(|()| outcome.unwrap_or_else(|| Err(never_run())));
        // An error means that the caller is gone: nobody wants to know.
        let _ = caller.send(outcome);
    }
}

fn never_run() -> Error {
    Error::new(ErrorKind::Internal, "a job was answered before it ran")
}

/// Has the writer thread do something in a transaction and returns what came of it once that is committed.
pub(super) async fn write<T, W>(shared: &Shared, weight: usize, work: W) -> Result<T>
where
    T: Send + 'static,
    W: FnMut(&mut Writing<'_>) -> Result<T, Fault> + Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    if !shared.writes.push(Box::new(Asked { weight: weight.max(1), work, outcome: None, caller })) {
        return Err(shared.closed());
    }
    answer.await.unwrap_or_else(|_| Err(shared.unanswered()))
}

/// Why a transaction did not come about.
struct Failed {
    error: Error,
    /// True if its jobs may fare better one by one.
    apart: bool,
}

/// The thread that writes: it takes all that waits, does it in one transaction, commits once, then answers all.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) shared: Arc<Shared>,
    pub(super) heads: Heads,
    pub(super) lookout: Lookout,
    pub(super) seam: Seam,
    pub(super) busy_timeout: Duration,
    /// True while other processes write too.
    pub(super) rivals: bool,
}

impl Writer {
    /// Works until the store is closed and nothing is left to do.
    pub(super) fn run(mut self) -> Connection {
        let mut group: Vec<Box<dyn Job>> = Vec::new();
        loop {
            let mut weight = 0;
            let found = self.shared.writes.take(&mut group, self.lookout.patience(), |job| {
                let fits = weight == 0 || weight + job.weight() <= MOST_WEIGHT;
                weight += job.weight();
                fits
            });
            match found {
                Found::Work(()) => self.carry_out(&mut group),
                Found::Nothing => self.look_around(),
                Found::Closed => return self.connection,
            }
        }
    }

    fn carry_out(&mut self, group: &mut Vec<Box<dyn Job>>) {
        let outcome = self.transact(group);
        match outcome {
            Ok(()) => group.drain(..).for_each(|job| job.answer(Ok(()))),
            Err(failed) if failed.apart && group.len() > 1 => {
                for mut job in group.drain(..) {
                    let outcome = self.transact(std::slice::from_mut(&mut job));
                    job.answer(outcome.map_err(|failed| failed.error));
                }
            }
            Err(failed) => group.drain(..).for_each(|job| job.answer(Err(copy(&failed.error)))),
        }
    }

    /// Runs jobs in one transaction; nothing of a failed one stays.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failed> {
        self.begin().map_err(|error| Failed { error, apart: false })?;
        let appended = self.run_all(jobs).map_err(|error| {
            self.roll_back();
            Failed { error: translated(error, &self.shared.path), apart: true }
        })?;
        if let Err(error) = execute(&self.connection, "COMMIT") {
            self.roll_back();
            let error = commit_failed(error, &self.shared.path);
            return Err(Failed { apart: error.kind() != ErrorKind::OutcomeUnknown, error });
        }
        if appended {
            self.shared.wake();
        }
        Ok(())
    }

    fn run_all(&mut self, jobs: &mut [Box<dyn Job>]) -> NativeResult<bool> {
        if self.heads.refresh(&self.connection)? {
            self.rivals = true;
            self.lookout.note_append();
            self.shared.wake();
        }
        let mut writing =
            Writing { connection: &self.connection, heads: &mut self.heads, seam: &self.seam, appended: false };
        for job in jobs {
            job.run(&mut writing)?;
        }
        Ok(writing.appended)
    }

    /// Takes SQLite's write lock.
    fn begin(&mut self) -> Result<()> {
        self.check_file()?;
        if std::mem::take(&mut self.rivals) {
            // Whoever asks again at once always finds the lock free before a rival that has to wake up.
            thread::sleep(RETRY);
        }
        let start = Instant::now();
        loop {
            match execute(&self.connection, "BEGIN IMMEDIATE") {
                Ok(()) => return Ok(()),
                Err(error) if is_busy(&error) && start.elapsed() < self.patience() => {
                    self.rivals = true;
                    thread::sleep(RETRY);
                }
                Err(error) => return Err(translated(error, &self.shared.path)),
            }
        }
    }

    fn patience(&self) -> Duration {
        if self.shared.writes.is_closed() { self.busy_timeout.min(CLOSING_PATIENCE) } else { self.busy_timeout }
    }

    fn roll_back(&mut self) {
        self.heads.forget();
        // SQLite has rolled back by itself after the gravest errors, and then there is nothing left to undo.
        if !self.connection.is_autocommit() {
            let _ = execute(&self.connection, "ROLLBACK");
        }
    }

    /// What an idle writer does: it notices what other processes appended, and that its file is gone.
    fn look_around(&mut self) {
        // What fails here fails again, and is told, when somebody writes.
        if self.lookout.is_due() && self.check_file().is_ok() && self.heads.refresh(&self.connection).unwrap_or(false) {
            self.lookout.note_append();
            self.shared.wake();
        }
    }

    fn check_file(&self) -> Result<()> {
        if file_system::identity(&self.shared.path) != self.shared.identity {
            self.shared.lose();
        }
        self.shared.check()
    }
}

fn execute(connection: &Connection, sql: &'static str) -> NativeResult<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// The same error for one more caller.
fn copy(error: &Error) -> Error {
    Error::new(error.kind(), error.detail()).with_status(error.status())
}
