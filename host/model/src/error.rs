//! One closed error inside. Only the HTTP crate knows which status each kind has.

use serde_json::Value;

/// A result of this server.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the terms that decide the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client's input; names the field.
    Invalid,
    /// The token may not do this.
    Denied,
    /// Nothing there.
    NotFound,
    /// No such path, or no mount.
    UnsupportedPath,
    /// The path, but not this verb.
    UnsupportedOperation,
    /// A patch without its content type.
    UnsupportedMedia,
    /// A body beyond the limit.
    TooLarge,
    /// Too many requests.
    Throttled,
    /// A backend or an engine failed; the message is for the client.
    Backend,
    /// The server's own fault; the client learns only that.
    Internal,
    /// The server is sealed, or was never initialised.
    Sealed,
    /// Cannot be served now (store read-only, mount broken, draining).
    Unavailable,
}

/// An error with one message for the client and, where they differ, one for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind:?}: {}", log.as_deref().unwrap_or(&messages.join("; ")))]
pub struct Error {
    /// What decides the status.
    pub kind: ErrorKind,
    /// For the client: the `errors` array.
    pub messages: Vec<String>,
    /// For the log, never for the client.
    pub log: Option<String>,
    /// A `data` object beside the errors, in the few places that have one.
    pub data: Option<Value>,
}

impl Error {
    /// An error with one message for both.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, messages: vec![message.into()], log: None, data: None }
    }

    /// Bad input. The message names the field.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// The ACL said no: the text that clients match on.
    pub fn permission_denied() -> Self {
        Self::new(ErrorKind::Denied, "1 error occurred:\n\t* permission denied\n\n")
    }

    /// The token is missing, unknown, expired or revoked.
    pub fn bad_token() -> Self {
        Self::new(ErrorKind::Denied, "permission denied")
    }

    /// Nothing there: an empty list of errors.
    pub fn not_found() -> Self {
        Self { kind: ErrorKind::NotFound, messages: Vec::new(), log: None, data: None }
    }

    /// The server's own fault: `log` says what, the client only that.
    pub fn internal(log: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Internal,
            messages: vec!["internal error".to_owned()],
            log: Some(log.into()),
            data: None,
        }
    }

    /// A backend or an engine failed; `message` is already redacted.
    pub fn backend(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Backend, message)
    }

    /// Cannot be served now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }
}
