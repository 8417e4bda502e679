//! How a command ends early: an exit code and a text for stderr.

use crate::api::CallError;

/// Shorthand for commands.
pub(crate) type Result<T = i32, E = Failure> = std::result::Result<T, E>;

/// Why a command ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Says `text` on stderr.
    #[error("{text}")]
    Told {
        /// The exit code.
        code: i32,
        /// The text.
        text: String,
    },
    /// Nothing was sent: the user wanted to see the call instead. Says `0` on stdout and ends well.
    #[error("{0}")]
    Described(String),
}

impl Failure {
    /// A mistake on this side: usage, a flag, a file.
    pub(crate) fn local(text: impl Into<String>) -> Self {
        Self::Told { code: 1, text: text.into() }
    }

    /// The server said no, did not answer, or has nothing.
    pub(crate) fn remote(text: impl Into<String>) -> Self {
        Self::Told { code: 2, text: text.into() }
    }

    /// The same failure with another exit code.
    #[must_use]
    pub(crate) fn code(self, code: i32) -> Self {
        match self {
            Self::Told { text, .. } => Self::Told { code, text },
            described => described,
        }
    }
}

/// Says what was being done when a call failed.
pub(crate) trait Doing<T> {
    /// `<what>: <error>`, exit code 2.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
    /// `<error>` alone, exit code 2.
    fn plain(self) -> Result<T>;
}

impl<T> Doing<T> for std::result::Result<T, CallError> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| match e {
            CallError::Client(e) => Failure::remote(format!("{}: {e}", what())),
            CallError::Described(text) => Failure::Described(text),
        })
    }

    fn plain(self) -> Result<T> {
        self.map_err(|e| match e {
            CallError::Client(e) => Failure::remote(e.to_string()),
            CallError::Described(text) => Failure::Described(text),
        })
    }
}
