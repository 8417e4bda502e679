//! Identifiers: random, some with the time before that. What must not be guessed comes from the operating system's
//! generator.

use rand::rngs::{OsRng, ThreadRng};
use rand::{RngCore, TryRngCore};

use crate::Timestamp;

/// In the order of their bytes.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters at the beginning of a [`timed`] id that tell when it was made.
pub const TIME_CHARACTERS: usize = 7;
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

/// The millisecond, and `random` characters as of [`base62`]. What is made later sorts behind, byte by byte: rows that are
/// made together stand together in an index, and a commit of many touches few of its pages.
pub fn timed(now: Timestamp, random: usize) -> String {
    let mut rest = u64::try_from(now.0 / 1_000_000).unwrap_or(0);
    let mut time = [DIGITS[0]; TIME_CHARACTERS];
    for place in time.iter_mut().rev() {
        *place = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    time.iter().map(|digit| char::from(*digit)).chain(base62(random).chars()).collect()
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

    #[test]
    fn what_is_made_later_sorts_behind() {
        let millis = [0, 61, 62, 1_795_315_264_004, 1_795_315_264_005, 3_000_000_000_000];
        let made = millis.map(|millis| timed(Timestamp(millis * 1_000_000), 17));
        assert!(made.is_sorted(), "{made:?}");
        assert!(made.iter().all(|id| id.len() == TIME_CHARACTERS + 17));
        assert_eq!(&made[2][..TIME_CHARACTERS], "0000010");
        assert_ne!(timed(Timestamp(5), 17), timed(Timestamp(5), 17));
    }
}
