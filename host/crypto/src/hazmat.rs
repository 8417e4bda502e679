//! The only file that touches cryptographic primitives: AES-256-GCM, HMAC-SHA256, SHA-256, the system's randomness.

use aes_gcm::aead::rand_core::RngCore;
use aes_gcm::{AeadInPlace, Aes256Gcm, KeyInit, Nonce, Tag};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{CryptoError, Result};

pub(crate) use aes_gcm::aead::OsRng;

/// Bytes of a key.
pub(crate) const KEY: usize = 32;
/// Bytes of a nonce.
pub(crate) const NONCE: usize = 12;
/// Bytes of an authentication tag.
pub(crate) const TAG: usize = 16;

/// Random bytes from the operating system.
///
/// # Panics
/// Where it has none to give: no secret may be made then, and no caller could go on.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

/// AES-256-GCM with its key schedule, which is wiped on drop.
#[derive(Clone)]
pub(crate) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(crate) fn new(key: &[u8; KEY]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// `header`, a fresh random nonce, ciphertext, tag. The header is not authenticated here.
    pub(crate) fn seal(&self, header: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE] = random();
        let start = header.len() + NONCE;
        let mut out = Vec::with_capacity(start + plaintext.len() + TAG);
        out.extend_from_slice(header);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plaintext);
        let tag = self
            .0
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), aad, &mut out[start..])
            .map_err(|_| CryptoError::Format)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// Opens what [`Cipher::seal`] wrote after its header.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE).ok_or(CryptoError::Format)?;
        let end = rest.len().checked_sub(TAG).ok_or(CryptoError::Format)?;
        let (ciphertext, tag) = rest.split_at(end);
        let mut out = Zeroizing::new(ciphertext.to_vec());
        self.0
            .decrypt_in_place_detached(Nonce::from_slice(nonce), aad, &mut out, Tag::from_slice(tag))
            .map_err(|_| CryptoError::Unauthentic)?;
        Ok(out)
    }
}

/// HMAC-SHA256 over the parts, one after the other.
pub(crate) fn hmac_sha256(key: &[u8; KEY], parts: &[&[u8]]) -> [u8; 32] {
    // A key of 32 bytes is shorter than a block: HMAC takes it as it is.
    let mut block = Zeroizing::new([0u8; 64]);
    block[..KEY].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_agrees_with_the_standard_vector() {
        // RFC 4231, case 1, whose key of 20 bytes HMAC pads with zeros just as it pads ours.
        let mut key = [0u8; KEY];
        key[..20].fill(0x0b);
        assert_eq!(
            hex::encode(hmac_sha256(&key, &[b"Hi ", b"There"])),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn sha256_agrees_with_the_standard_vector() {
        assert_eq!(hex::encode(sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_cipher_opens_only_what_it_sealed() -> Result<()> {
        let cipher = Cipher::new(&random());
        let sealed = cipher.seal(b"head", b"aad", b"text")?;
        assert_eq!(sealed.len(), 4 + NONCE + 4 + TAG);
        assert_eq!(&*cipher.open(b"aad", &sealed[4..])?, b"text");
        assert_eq!(cipher.open(b"other", &sealed[4..]), Err(CryptoError::Unauthentic));
        assert_eq!(Cipher::new(&random()).open(b"aad", &sealed[4..]), Err(CryptoError::Unauthentic));
        assert_eq!(cipher.open(b"aad", &sealed[4..30]), Err(CryptoError::Format));
        Ok(())
    }
}
