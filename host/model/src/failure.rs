//! Why an engine said no, or said nothing.

use crate::Error;

/// Why an engine said no. See `wit/types.wit`, `cause`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The client's input.
    Invalid,
    /// The backend refused the engine's credential.
    Denied,
    /// Does not exist.
    Missing,
    /// Somebody else's.
    Conflict,
    /// No answer.
    Unreachable,
    /// Said no.
    Refused,
    /// Later.
    Throttled,
    /// Something depends on it.
    Dependent,
    /// No such ability.
    Unsupported,
    /// The engine's fault.
    Internal,
}

/// A failure that the guest saw coming. The message is already redacted and cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the host acts on.
    pub cause: Cause,
    /// For the client.
    pub message: String,
    /// Seconds.
    pub retry_after: Option<u64>,
    /// Certainly nothing was made, and nothing will appear.
    pub untouched: bool,
}

/// A call that did not return a result.
#[derive(Debug)]
pub enum CallError {
    /// The guest answered with a failure.
    Failure(Failure),
    /// A trap, a deadline, a broken promise of the contract: the outcome is unknown. Names engine and mount.
    Fault(Error),
    /// The host's own trouble, or a gate that said no. Nothing of the call is committed; what it did in a backend before
    /// is unknown, as with a fault.
    Host(Error),
    /// The call never reached the engine: nothing was free for it in time. Certainly nothing was done.
    NotStarted(Error),
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}
