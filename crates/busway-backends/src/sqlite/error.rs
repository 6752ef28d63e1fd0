use std::path::Path;

use busway_core::{Error, ErrorKind, Status};
use rusqlite::{
    Error as NativeError,
    ErrorCode::{
        CannotOpen, ConstraintViolation, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull,
        FileLockingProtocolFailed, NotADatabase, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure, TooBig,
    },
    ffi,
};

/// Why a job came to nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was refused before it wrote anything; the transaction around it is untouched.
    Refused(Error),
    /// SQLite failed in it; what it wrote must be rolled back.
    Native(NativeError),
}

impl From<NativeError> for Fault {
    fn from(error: NativeError) -> Self {
        Self::Native(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Fault {
    pub(super) fn translated(self, path: &Path) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Native(error) => translated(error, path),
        }
    }
}

/// Stored content that cannot be what was written.
pub(super) fn corrupt(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, detail)
}

/// SQLite's error as Busway's.
pub(super) fn translated(error: NativeError, path: &Path) -> Error {
    let (kind, what) = meaning(&error);
    Error::new(kind, format!("the SQLite file `{}` {what}: {error}", path.display())).with_source(error)
}

/// What a failed COMMIT means: after an I/O error the commit may still be found when the log is next recovered.
pub(super) fn commit_failed(error: NativeError, path: &Path) -> Error {
    let translated = translated(error, path);
    if translated.kind() != ErrorKind::Unreachable || translated.status() != Status::Temporary {
        return translated;
    }
    let detail = format!("whether it was stored is not known, repeat it unchanged; {}", translated.detail());
    Error::new(ErrorKind::OutcomeUnknown, detail).with_source(translated)
}

fn meaning(error: &NativeError) -> (ErrorKind, &'static str) {
    let Some(native) = error.sqlite_error() else {
        return (ErrorKind::Corrupt, "holds a value that Busway did not write");
    };
    match (native.code, native.extended_code) {
        (DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed, _) => {
            (ErrorKind::Unreachable, "is locked by another process")
        }
        (DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => {
            (ErrorKind::StorageFull, "cannot grow: the disk is full, or its `maxSize` is reached")
        }
        (ReadOnly | PermissionDenied, _) => (ErrorKind::StorageFull, "is read-only for this process"),
        (DatabaseCorrupt, _) => (ErrorKind::Corrupt, "is damaged"),
        (NotADatabase, _) => (ErrorKind::Corrupt, "is no SQLite database"),
        (SystemIoFailure, _) => (ErrorKind::Unreachable, "cannot be read or written"),
        (CannotOpen, _) => (ErrorKind::Unreachable, "cannot be opened"),
        (OutOfMemory, _) => (ErrorKind::Overloaded, "needs more memory than there is"),
        (TooBig, _) => (ErrorKind::TooLarge, "takes no value as large as this"),
        (ConstraintViolation, _) => (ErrorKind::Corrupt, "contradicts itself"),
        _ if is_schema(error) => (ErrorKind::Corrupt, "lacks a table or column that Busway made"),
        _ => (ErrorKind::Internal, "was not used as it should be"),
    }
}

fn is_schema(error: &NativeError) -> bool {
    match error {
        NativeError::SqlInputError { msg, .. } | NativeError::SqliteFailure(_, Some(msg)) => msg.starts_with("no such"),
        _ => false,
    }
}

/// True if another connection was in the way.
pub(super) fn is_busy(error: &NativeError) -> bool {
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(extended_code: i32) -> NativeError {
        NativeError::SqliteFailure(ffi::Error::new(extended_code), None)
    }

    #[test]
    fn what_may_pass_is_temporary_and_what_needs_a_hand_is_not() {
        let path = Path::new("/data/busway.db");
        for (code, kind, temporary) in [
            (ffi::SQLITE_BUSY, ErrorKind::Unreachable, true),
            (ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::Unreachable, true),
            (ffi::SQLITE_IOERR_READ, ErrorKind::Unreachable, true),
            (ffi::SQLITE_IOERR_SHMSIZE, ErrorKind::StorageFull, false),
            (ffi::SQLITE_FULL, ErrorKind::StorageFull, false),
            (ffi::SQLITE_READONLY_DIRECTORY, ErrorKind::StorageFull, false),
            (ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Corrupt, false),
            (ffi::SQLITE_NOTADB, ErrorKind::Corrupt, false),
            (ffi::SQLITE_MISUSE, ErrorKind::Internal, false),
        ] {
            let error = translated(native(code), path);
            assert_eq!((error.kind(), error.is_temporary()), (kind, temporary), "{error}");
            assert!(error.detail().contains("/data/busway.db"), "{error}");
        }
    }

    #[test]
    fn only_an_io_error_leaves_the_outcome_of_a_commit_unknown() {
        let path = Path::new("a.db");
        assert_eq!(commit_failed(native(ffi::SQLITE_IOERR_FSYNC), path).kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(commit_failed(native(ffi::SQLITE_FULL), path).kind(), ErrorKind::StorageFull);
    }
}
