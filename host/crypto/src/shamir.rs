//! The root key in shares: any `threshold` of them give it back, fewer say nothing about it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blahaj::{Share, Sharks};
use zeroize::Zeroizing;

use crate::hazmat::{KEY, OsRng};
use crate::key::Key;
use crate::{CryptoError, Result};

/// Bytes of a share: its number and one byte for each of the key's. A lone share is the key itself, without a number.
const SHARE: usize = KEY + 1;

/// One share, wiped on drop.
pub type ShareBytes = Zeroizing<Vec<u8>>;

/// Checks that so many shares with that threshold can be made.
///
/// # Errors
/// [`CryptoError::Shares`], for the client.
pub fn check(shares: u8, threshold: u8) -> Result<()> {
    match (shares, threshold) {
        (0, _) => Err(CryptoError::Shares("shares must be at least one")),
        (_, 0) => Err(CryptoError::Shares("threshold must be at least one")),
        (shares, threshold) if threshold > shares => Err(CryptoError::Shares("threshold cannot be larger than shares")),
        (2.., 1) => Err(CryptoError::Shares("threshold must be greater than one for multiple shares")),
        _ => Ok(()),
    }
}

/// Splits the key. One share of one is the key itself.
///
/// # Errors
/// As [`check`].
pub fn split(key: &Key, shares: u8, threshold: u8) -> Result<Vec<ShareBytes>> {
    check(shares, threshold)?;
    if shares == 1 {
        return Ok(vec![Zeroizing::new(key.expose().to_vec())]);
    }
    let dealer = Sharks(threshold).dealer_rng(key.expose(), &mut OsRng);
    Ok(dealer.take(usize::from(shares)).map(|share| Zeroizing::new(Vec::from(&share))).collect())
}

/// Puts the key together. Whether it is the right one shows only when the keyring is unwrapped with it.
///
/// # Errors
/// [`CryptoError::Share`] where a share has the wrong form, where two have the same number, or where there are too few.
pub fn combine<S: AsRef<[u8]>>(shares: &[S], threshold: u8) -> Result<Key> {
    if shares.len() < usize::from(threshold.max(1)) {
        return Err(CryptoError::Share("not enough shares"));
    }
    if threshold <= 1 {
        return match shares {
            [only] if only.as_ref().len() == KEY => Key::from_slice(only.as_ref()),
            _ => Err(CryptoError::Share("exactly one share of 32 bytes is needed")),
        };
    }
    let mut seen = [false; 256];
    let mut parts = Vec::with_capacity(shares.len());
    for share in shares.iter().map(AsRef::as_ref) {
        let number = match share {
            [number, rest @ ..] if *number > 0 && rest.len() == KEY => *number,
            _ => return Err(CryptoError::Share("a share has the wrong form")),
        };
        // The interpolation counts a number twice that comes twice, and gives a wrong key.
        if std::mem::replace(&mut seen[usize::from(number)], true) {
            return Err(CryptoError::Share("two shares are the same one"));
        }
        parts.push(Share::try_from(share).map_err(|_| CryptoError::Share("a share has the wrong form"))?);
    }
    let secret = Sharks(threshold).recover(&parts).map_err(|_| CryptoError::Share("not enough shares"))?;
    Key::from_slice(&Zeroizing::new(secret))
}

/// A share as lower-case hex.
pub fn to_hex(share: &[u8]) -> String {
    hex::encode(share)
}

/// A share as standard base64 with padding.
pub fn to_base64(share: &[u8]) -> String {
    STANDARD.encode(share)
}

/// Reads a share as either of the two. Hex goes first; what is no share in hex may still be one in base64.
///
/// # Errors
/// [`CryptoError::Share`], for the client.
pub fn parse_share(text: &str) -> Result<ShareBytes> {
    let text = text.trim();
    if text.is_empty() {
        return Err(CryptoError::Share("'key' must be specified in request body as JSON, or 'reset' set to true"));
    }
    if let Ok(share) = hex::decode(text).map(Zeroizing::new)
        && matches!(share.len(), KEY | SHARE)
    {
        return Ok(share);
    }
    let share = STANDARD
        .decode(text)
        .map(Zeroizing::new)
        .map_err(|_| CryptoError::Share("'key' must be a valid hex or base64 string"))?;
    match share.len() {
        KEY | SHARE => Ok(share),
        ..KEY => Err(CryptoError::Share("key is shorter than minimum 32 bytes")),
        _ => Err(CryptoError::Share("key is longer than maximum 33 bytes")),
    }
}

#[cfg(test)]
mod tests;
