//! What every process of a test writes down as it happens, in one file.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Bytes of a line. All are equal and divide a page: appends of them never tear, not even by a kill, and their order
/// in the file is the order in which they happened.
const LINE: usize = 64;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A publisher is about to publish.
    Published { process: u64, event: u64 },
    /// It was told that the event is stored.
    Acknowledged { process: u64, event: u64 },
    /// A handler started.
    Started { process: u64, run: u64, event: u64, attempt: u64, fence: u64 },
    /// It acknowledged.
    Done { process: u64, run: u64 },
    /// It failed, to be tried again.
    Failed { process: u64, run: u64 },
    /// It failed for good.
    Refused { process: u64, run: u64 },
    /// The process is killed now.
    Killed { process: u64 },
    /// The process was found killed by its handler of an event.
    KilledBy { process: u64, event: u64 },
    /// A process that was killed is gone: it has written its last line.
    Gone { process: u64 },
    /// The process is frozen now.
    Frozen { process: u64 },
}

impl Line {
    fn to_text(self) -> String {
        match self {
            Self::Published { process, event } => format!("published {process} {event}"),
            Self::Acknowledged { process, event } => format!("acknowledged {process} {event}"),
            Self::Started { process, run, event, attempt, fence } => {
                format!("started {process} {run} {event} {attempt} {fence}")
            }
            Self::Done { process, run } => format!("done {process} {run}"),
            Self::Failed { process, run } => format!("failed {process} {run}"),
            Self::Refused { process, run } => format!("refused {process} {run}"),
            Self::Killed { process } => format!("killed {process}"),
            Self::KilledBy { process, event } => format!("killed-by {process} {event}"),
            Self::Gone { process } => format!("gone {process}"),
            Self::Frozen { process } => format!("frozen {process}"),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let what = words.next()?;
        let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(match (what, numbers.as_slice()) {
            ("published", &[process, event]) => Self::Published { process, event },
            ("acknowledged", &[process, event]) => Self::Acknowledged { process, event },
            ("started", &[process, run, event, attempt, fence]) => {
                Self::Started { process, run, event, attempt, fence }
            }
            ("done", &[process, run]) => Self::Done { process, run },
            ("failed", &[process, run]) => Self::Failed { process, run },
            ("refused", &[process, run]) => Self::Refused { process, run },
            ("killed", &[process]) => Self::Killed { process },
            ("killed-by", &[process, event]) => Self::KilledBy { process, event },
            ("gone", &[process]) => Self::Gone { process },
            ("frozen", &[process]) => Self::Frozen { process },
            _ => return None,
        })
    }
}

/// The file, open for appending.
#[derive(Debug)]
pub(crate) struct Diary {
    path: PathBuf,
    file: File,
}

impl Diary {
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        Self { path: path.into(), file }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&self, lines: impl IntoIterator<Item = Line>) {
        for line in lines {
            let text = format!("{:<width$}\n", line.to_text(), width = LINE - 1);
            assert_eq!(text.len(), LINE, "{line:?} does not fit");
            (&self.file).write_all(text.as_bytes()).unwrap();
        }
    }

    /// Lines written so far, by whomever.
    pub(crate) fn len(&self) -> u64 {
        self.file.metadata().unwrap().len() / LINE as u64
    }

    /// Every line so far, in order.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines_after(0)
    }

    /// The lines after the first so many.
    pub(crate) fn lines_after(&self, first: u64) -> Vec<Line> {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(first * LINE as u64)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let line = |line: &str| Line::from_text(line).unwrap_or_else(|| panic!("not a line of a diary: {line:?}"));
        text.lines().map(line).collect()
    }
}
