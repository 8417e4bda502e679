//! What can go wrong with a server, in the contract's terms.

use std::io;

use engine_sdk::types::{Cause, Failure};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Something went wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    /// In the contract's terms.
    pub(crate) cause: Cause,
    /// For the client: never a secret.
    pub(crate) message: String,
    /// SQLSTATE, if the server said so.
    pub(crate) code: Option<String>,
    /// What was asked for certainly had no effect, and will have none.
    pub(crate) untouched: bool,
}

/// Something depends on the object.
pub(crate) const DEPENDENT: &str = "2BP01";

impl Error {
    pub(crate) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), code: None, untouched: false }
    }

    /// The server is not what it should be, or the role is somebody else's: nothing was done.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self { untouched: true, ..Self::new(Cause::Conflict, message) }
    }

    /// Nobody answered, or not in time.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Cause::Unreachable, message)
    }

    /// The server was asked, and it said no: nothing was done.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { untouched: true, ..Self::new(Cause::Refused, message) }
    }

    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Hides secrets that the server may have quoted, as they are or as they stood in the statement.
    pub(crate) fn without(mut self, secrets: &[&str]) -> Self {
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            for form in [*secret, &secret.replace('\'', "''")] {
                self.message = self.message.replace(form, "[redacted]");
            }
        }
        self
    }

    fn answer(error: &PgDatabaseError) -> Self {
        let code = error.code();
        let cause = match code {
            // Wrong password, no such user, not let in.
            "28P01" | "28000" => Cause::Denied,
            DEPENDENT => Cause::Dependent,
            // Too many connections, out of memory; a lock not had, or a statement not done, in time; a deadlock.
            "53300" | "53200" | "53000" | "55P03" | "57014" | "40P01" | "40001" => Cause::Throttled,
            // Shutting down, starting up, crashed; a transaction that may only read: a standby.
            "57P01" | "57P02" | "57P03" | "25006" => Cause::Unreachable,
            _ => Cause::Refused,
        };
        let detail = match (cause, error.detail()) {
            (Cause::Dependent, Some(detail)) => format!(": {detail}"),
            _ => String::new(),
        };
        Self {
            cause,
            message: format!("{} (SQLSTATE {code})", one_line(&format!("{}{detail}", error.message()))),
            code: Some(code.to_owned()),
            untouched: error.severity() == PgSeverity::Error,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
                Some(error) => Self::answer(error),
                None => Self::new(Cause::Refused, error.message()),
            },
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => tls(&error),
            sqlx::Error::Io(error) => Self::unreachable(format!("connection failed: {error}")),
            sqlx::Error::Tls(error) => tls(&error),
            sqlx::Error::Configuration(error) => Self::new(Cause::Invalid, error.to_string()),
            other => Self::unreachable(format!("unexpected answer: {other}")),
        }
    }
}

/// A server's words, which may quote whole statements.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 400;
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > LONGEST {
        line.truncate(line.floor_char_boundary(LONGEST));
        line.push('…');
    }
    line
}

fn tls(error: &impl ToString) -> Error {
    Error::unreachable(format!("TLS failed: {}", error.to_string()))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        engine_sdk::failure::new(error.cause, error.message)
    }
}
