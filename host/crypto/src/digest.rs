//! Digests: keyed ones for what may be looked up but not read (tokens, audit), plain ones for components.

use subtle::ConstantTimeEq;

use crate::hazmat;
use crate::key::Key;

/// Hex HMAC-SHA256 of the text.
pub fn keyed_digest(key: &Key, text: impl AsRef<[u8]>) -> String {
    hex::encode(mac(key, text))
}

/// HMAC-SHA256 of the bytes.
pub fn mac(key: &Key, bytes: impl AsRef<[u8]>) -> [u8; 32] {
    hazmat::hmac_sha256(key.expose(), &[bytes.as_ref()])
}

/// Whether `tag` is the bytes' [`mac`]; in constant time.
pub fn verify_mac(key: &Key, bytes: impl AsRef<[u8]>, tag: &[u8]) -> bool {
    mac(key, bytes).ct_eq(tag).into()
}

/// Hex SHA-256 of the bytes.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(hazmat::sha256(bytes.as_ref()))
}

/// Whether two secrets are equal; in constant time for equal lengths.
pub fn same(a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> bool {
    a.as_ref().ct_eq(b.as_ref()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_key_and_text() {
        let key = Key::from_bytes([1; 32]);
        let digest = keyed_digest(&key, "token");
        assert_eq!(digest.len(), 64);
        assert_eq!(digest, keyed_digest(&key, b"token"));
        assert_ne!(digest, keyed_digest(&key, "tokem"));
        assert_ne!(digest, keyed_digest(&Key::from_bytes([2; 32]), "token"));
    }

    #[test]
    fn a_mac_is_verified_whole() {
        let key = Key::random();
        let tag = mac(&key, "bytes");
        assert!(verify_mac(&key, "bytes", &tag));
        assert!(!verify_mac(&key, "bytez", &tag));
        assert!(!verify_mac(&key, "bytes", &tag[..31]));
        assert!(same("a", "a") && !same("a", "b") && !same("a", "aa"));
    }
}
