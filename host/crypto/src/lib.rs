//! Keys and ciphertext: the keyring of the barrier, keyed digests and unseal shares. No I/O.
//!
//! Read `keyring.rs` first; the primitives are in `hazmat.rs` and nowhere else.

mod hazmat;

pub mod digest;
pub mod error;
pub mod key;
pub mod keyring;
pub mod shamir;

pub use error::CryptoError;
pub use key::Key;
pub use keyring::{Keyring, TermInfo, aad};
pub use zeroize::Zeroizing;

/// A result of this crate.
pub type Result<T, E = CryptoError> = std::result::Result<T, E>;
