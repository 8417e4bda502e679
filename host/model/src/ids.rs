//! Identifiers: random. What must not be guessed comes from the operating system's generator.

use rand::rngs::{OsRng, ThreadRng};
use rand::{RngCore, TryRngCore};

const BASE62: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `len` letters and digits, each uniformly chosen: 5.95 bits a character.
///
/// # Panics
/// Where the operating system has no random bytes to give: nothing in this server may go on then.
pub fn base62(len: usize) -> String {
    let mut out = String::with_capacity(len);
    let mut pool = [0u8; 64];
    while out.len() < len {
        fill(&mut pool);
        // 248 = 4 * 62: bytes above it would make some letters likelier.
        out.extend(
            pool.iter().filter(|b| **b < 248).take(len - out.len()).map(|b| BASE62[usize::from(*b % 62)] as char),
        );
    }
    out
}

/// `len` lower-case hex digits.
///
/// # Panics
/// As [`base62`].
pub fn hex_digits(len: usize) -> String {
    let mut bytes = vec![0u8; len.div_ceil(2)];
    fill(&mut bytes);
    let mut out: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    out.truncate(len);
    out
}

/// A random (version 4) UUID in its usual form. It names things and keeps no secret: every request gets one, so it comes
/// from a generator of the thread's own, seeded by the operating system.
pub fn uuid() -> String {
    let mut bytes = [0u8; 16];
    ThreadRng::default().fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

#[expect(clippy::expect_used, reason = "without randomness no secret may be made, and no caller could go on")]
fn fill(bytes: &mut [u8]) {
    OsRng.try_fill_bytes(bytes).expect("the operating system's random generator");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_alphabets() {
        let id = base62(200);
        assert_eq!(id.len(), 200);
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(hex_digits(8).len(), 8);
        assert_ne!(base62(24), base62(24));
    }
}
