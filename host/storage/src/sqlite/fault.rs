//! What SQLite can complain about, and what follows from it.

use cofferdam_model::{Error, ErrorKind};

/// A failure of the store below.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{cause:?}: {detail}")]
pub(super) struct Fault {
    pub(super) cause: Cause,
    detail: String,
}

/// What went wrong, as far as anything follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// No space left. The transaction is undone; the next may find space again.
    Full,
    /// Somebody else keeps the file locked, or memory is short: the next transaction may succeed.
    Passing,
    /// The file must not be written.
    ReadOnly,
    /// The file is no database, or a broken one.
    Damaged,
    /// Reading, writing or syncing failed: what is in the operating system's cache need not be on the disk.
    Io,
    /// The store was closed.
    Closed,
    /// A file that this program does not open.
    Refused,
    /// Anything else: a mistake in this program.
    Bug,
}

/// `SQLITE_IOERR_SHMSIZE`: the index of the log could not grow.
const IOERR_SHMSIZE: i64 = 4874;

impl Fault {
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self { cause: Cause::Refused, detail: detail.into() }
    }

    pub(super) fn damaged(detail: impl Into<String>) -> Self {
        Self { cause: Cause::Damaged, detail: detail.into() }
    }

    pub(super) fn closed() -> Self {
        Self { cause: Cause::Closed, detail: "the store was closed".to_owned() }
    }

    pub(super) fn io(detail: impl Into<String>) -> Self {
        Self { cause: Cause::Io, detail: detail.into() }
    }

    pub(super) fn full(detail: impl Into<String>) -> Self {
        Self { cause: Cause::Full, detail: detail.into() }
    }

    pub(super) fn bug(detail: impl Into<String>) -> Self {
        Self { cause: Cause::Bug, detail: detail.into() }
    }

    /// Whether writing must stop until the store is opened anew.
    pub(super) fn is_lasting(&self) -> bool {
        matches!(self.cause, Cause::ReadOnly | Cause::Damaged | Cause::Io | Cause::Closed)
    }

    /// Whether one batch alone can be the reason, so that its neighbours may fare better without it.
    pub(super) fn may_be_of_one(&self) -> bool {
        matches!(self.cause, Cause::Full | Cause::Bug)
    }

    /// The same as the failure of a commit: unless SQLite says that the next one may succeed, nobody knows what is on
    /// the disk.
    pub(super) fn of_commit(self) -> Self {
        match self.cause {
            Cause::Bug => Self { cause: Cause::Io, ..self },
            _ => self,
        }
    }

    fn message(&self) -> String {
        match self.cause {
            Cause::Full => "the storage is full: nothing was written; writing resumes when there is space".to_owned(),
            Cause::Passing => "the storage is busy".to_owned(),
            Cause::ReadOnly => "the storage is read-only".to_owned(),
            Cause::Damaged => "the storage is damaged: restore it from a backup".to_owned(),
            Cause::Io => "the storage failed to read, write or sync: repair it and restart the server".to_owned(),
            Cause::Closed => "the storage is closed".to_owned(),
            Cause::Refused => format!("the storage cannot be opened: {}", self.detail),
            Cause::Bug => "internal error".to_owned(),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault.cause {
            Cause::Bug => ErrorKind::Internal,
            _ => ErrorKind::Unavailable,
        };
        let message = fault.message();
        let log = format!("{message} ({})", fault.detail);
        Self { log: Some(log), ..Self::new(kind, message) }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code()?.parse::<i64>().ok());
        let cause = match (&error, code) {
            (_, Some(IOERR_SHMSIZE)) => Cause::Full,
            // The low byte is the primary code.
            (_, Some(code)) => match code & 0xff {
                13 => Cause::Full,
                5..=7 => Cause::Passing,
                8 => Cause::ReadOnly,
                11 | 26 => Cause::Damaged,
                10 | 14 => Cause::Io,
                _ => Cause::Bug,
            },
            (sqlx::Error::WorkerCrashed | sqlx::Error::Io(_), None) => Cause::Io,
            // Only what another hand wrote cannot be decoded: tables are strict.
            (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_), None) => Cause::Damaged,
            _ => Cause::Bug,
        };
        Self { cause, detail: error.to_string() }
    }
}
