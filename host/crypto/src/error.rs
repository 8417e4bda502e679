//! What can go wrong with keys and ciphertext.

use cofferdam_model::{Error, ErrorKind};

/// Why a cryptographic operation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// Tampered with, moved to another place, or sealed under another key: they cannot be told apart.
    #[error("the ciphertext does not authenticate")]
    Unauthentic,
    /// Too short, or of a format that this build does not know.
    #[error("the ciphertext has an unknown format")]
    Format,
    /// Sealed under a key term that the keyring does not hold.
    #[error("the keyring holds no term {0}")]
    UnknownTerm(u32),
    /// The active key encrypted as often as is safe with random nonces.
    #[error("the active key is used up: rotate it")]
    Exhausted,
    /// A key of the wrong length.
    #[error("a key has 32 bytes, not {0}")]
    KeyLength(usize),
    /// Shares and threshold do not go together.
    #[error("{0}")]
    Shares(&'static str),
    /// A share that is no share.
    #[error("{0}")]
    Share(&'static str),
}

impl From<CryptoError> for Error {
    /// Shares come from clients; everything else is the server's own trouble.
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::Shares(_) | CryptoError::Share(_) => Self::new(ErrorKind::Invalid, error.to_string()),
            other => Self::internal(other.to_string()),
        }
    }
}
