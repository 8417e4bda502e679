//! A key of 256 bits: never printed, compared in constant time, wiped on drop.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hazmat::{self, KEY};
use crate::{CryptoError, Result};

/// Separates derived keys from any other use of HMAC under the same key.
const DERIVE: &[u8] = b"cofferdam/derive/v1\0";

/// 32 secret bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; KEY]);

impl Key {
    /// A fresh key from the operating system's generator.
    ///
    /// # Panics
    /// Where the operating system has no random bytes to give.
    pub fn random() -> Self {
        Self(hazmat::random())
    }

    /// A key of these bytes.
    pub fn from_bytes(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }

    /// A key of these bytes.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`] unless there are 32.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| CryptoError::KeyLength(bytes.len()))
    }

    /// A key for one purpose, from which this key cannot be found.
    pub fn derive(&self, purpose: &str) -> Self {
        Self(hazmat::hmac_sha256(&self.0, &[DERIVE, purpose.as_bytes()]))
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8; KEY] {
        &self.0
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_separate() {
        let key = Key::from_bytes([7; 32]);
        assert_eq!(key.derive("a"), key.derive("a"));
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_ne!(key.derive("a"), key);
        assert_ne!(key.derive("a"), Key::random().derive("a"));
    }

    #[test]
    fn is_never_printed() {
        assert_eq!(format!("{:?}", Key::from_bytes([0x41; 32])), "Key([redacted])");
    }

    #[test]
    fn has_one_length() {
        assert_eq!(Key::from_slice(&[1; 31]), Err(CryptoError::KeyLength(31)));
        assert_eq!(Key::from_slice(&[1; 33]), Err(CryptoError::KeyLength(33)));
        assert_eq!(Key::from_slice(&[1; 32]), Ok(Key::from_bytes([1; 32])));
    }
}
