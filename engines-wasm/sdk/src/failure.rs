//! Failures by their cause. Messages are for the client: one line, never a secret.

use crate::types::{Cause, Failure};

/// A failure of this cause.
pub fn new(cause: Cause, message: impl Into<String>) -> Failure {
    Failure { cause, message: message.into(), retry_after: None, untouched: false }
}

/// The client's input is wrong.
pub fn invalid(message: impl Into<String>) -> Failure {
    new(Cause::Invalid, message)
}

/// The backend refused the engine's own credential.
pub fn denied(message: impl Into<String>) -> Failure {
    new(Cause::Denied, message)
}

/// What was asked for does not exist.
pub fn missing(message: impl Into<String>) -> Failure {
    new(Cause::Missing, message)
}

/// The object exists already, belongs to somebody else, or lives on another backend.
pub fn conflict(message: impl Into<String>) -> Failure {
    new(Cause::Conflict, message)
}

/// The backend did not answer.
pub fn unreachable(message: impl Into<String>) -> Failure {
    new(Cause::Unreachable, message)
}

/// The backend answered, and said no.
pub fn refused(message: impl Into<String>) -> Failure {
    new(Cause::Refused, message)
}

/// The backend asked to come again later.
pub fn throttled(message: impl Into<String>) -> Failure {
    new(Cause::Throttled, message)
}

/// Something in the backend still depends on the object.
pub fn dependent(message: impl Into<String>) -> Failure {
    new(Cause::Dependent, message)
}

/// The engine has no such ability.
pub fn unsupported(message: impl Into<String>) -> Failure {
    new(Cause::Unsupported, message)
}

/// The engine's own fault.
pub fn internal(message: impl Into<String>) -> Failure {
    new(Cause::Internal, message)
}

/// A value that could not be written as JSON: the engine's own fault.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub fn json(error: serde_json::Error) -> Failure {
    internal(format!("cannot write JSON: {error}"))
}

impl Failure {
    /// The backend certainly does not hold, and never will hold, what the call was to make.
    #[must_use]
    pub fn untouched(mut self) -> Self {
        self.untouched = true;
        self
    }

    /// Not to be tried again before so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}
