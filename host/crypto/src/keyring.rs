//! The barrier's keyring: numbered AES-256-GCM keys, of which the newest encrypts and every one decrypts.

use std::sync::atomic::{AtomicU64, Ordering};

use cofferdam_model::Timestamp;
use zeroize::Zeroizing;

use crate::hazmat::{Cipher, KEY};
use crate::key::Key;
use crate::{CryptoError, Result};

/// The format of sealed entries: this byte, the term (u32, big-endian), a nonce of 12 bytes, ciphertext, tag of 16.
const ENTRY_VERSION: u8 = 1;
/// The format of the wrapped keyring.
const BLOB_VERSION: u8 = 1;
const BLOB_AAD: &[u8] = b"cofferdam/keyring/v1";
const BLOB_PURPOSE: &str = "keyring/wrap";
const HEADER: usize = 5;

/// What a key may encrypt with random nonces before two of them become likely to be equal (2^32, NIST SP 800-38D).
const HARD_LIMIT: u64 = 1 << 32;
/// The encryptions after which a key should be rotated, as the peers have it: 90 % of the hard limit.
pub const SOFT_LIMIT: u64 = 3_865_470_566;

/// What may be told about a key term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermInfo {
    /// Its number, from 1.
    pub term: u32,
    /// When it became the active one.
    pub install_time: Timestamp,
    /// How often it encrypted; of a retired term not known.
    pub encryptions: u64,
}

struct Term {
    number: u32,
    installed: Timestamp,
    key: Key,
    cipher: Cipher,
}

impl Term {
    fn new(number: u32, installed: Timestamp, key: Key) -> Self {
        let cipher = Cipher::new(key.expose());
        Self { number, installed, key, cipher }
    }
}

/// All key terms, and a root for keys that must outlive every rotation.
pub struct Keyring {
    /// Ascending by number, all below that of the active one.
    retired: Vec<Term>,
    active: Term,
    derivation: Key,
    encryptions: AtomicU64,
}

impl Keyring {
    /// A keyring with one fresh term, numbered 1.
    pub fn new(now: Timestamp) -> Self {
        Self {
            retired: Vec::new(),
            active: Term::new(1, now, Key::random()),
            derivation: Key::random(),
            encryptions: AtomicU64::new(0),
        }
    }

    /// The same keyring with a fresh active term. Wrap and store it before anything is sealed with it: what a lost
    /// term sealed is lost.
    pub fn rotated(&self, now: Timestamp) -> Self {
        let copy = |term: &Term| Term::new(term.number, term.installed, term.key.clone());
        Self {
            retired: self.retired.iter().chain([&self.active]).map(copy).collect(),
            active: Term::new(self.active.number.saturating_add(1), now, Key::random()),
            derivation: self.derivation.clone(),
            encryptions: AtomicU64::new(0),
        }
    }

    /// Encrypts under the active term. `aad` says where the ciphertext belongs (see [`aad`]).
    ///
    /// # Errors
    /// [`CryptoError::Exhausted`] once the active term has encrypted 2^32 times.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        if self.encryptions.fetch_add(1, Ordering::Relaxed) >= HARD_LIMIT {
            return Err(CryptoError::Exhausted);
        }
        // The header needs no authentication: another term is another key.
        let mut header = [ENTRY_VERSION; HEADER];
        header[1..].copy_from_slice(&self.active.number.to_be_bytes());
        self.active.cipher.seal(&header, aad, plaintext)
    }

    /// Decrypts what any of the terms sealed for the same place.
    ///
    /// # Errors
    /// [`CryptoError::Unauthentic`] for what was tampered with or moved, [`CryptoError::UnknownTerm`],
    /// [`CryptoError::Format`].
    pub fn open(&self, aad: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let number = term_of(ciphertext)?;
        let term = self.term(number).ok_or(CryptoError::UnknownTerm(number))?;
        term.cipher.open(aad, &ciphertext[HEADER..])
    }

    /// The active term.
    pub fn info(&self) -> TermInfo {
        TermInfo { term: self.active.number, install_time: self.active.installed, encryptions: self.encryptions() }
    }

    /// How often the active term encrypted.
    pub fn encryptions(&self) -> u64 {
        self.encryptions.load(Ordering::Relaxed)
    }

    /// Raises the count to what is known from elsewhere (an earlier run, another node). Never lowers it.
    pub fn set_base(&self, encryptions: u64) {
        self.encryptions.fetch_max(encryptions, Ordering::Relaxed);
    }

    /// A key for one purpose, the same before and after every rotation.
    pub fn derive(&self, purpose: &str) -> Key {
        self.derivation.derive(purpose)
    }

    /// The keyring as bytes that only `root` opens. Holds the count of encryptions as of now.
    ///
    /// # Errors
    /// None that a keyring of a reasonable size could meet.
    pub fn wrap(&self, root: &Key) -> Result<Vec<u8>> {
        let terms = self.retired.len() + 1;
        // Sized beforehand: a buffer that grows would leave copies of keys behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(KEY + 8 + terms * TERM_BYTES));
        plain.extend_from_slice(self.derivation.expose());
        plain.extend_from_slice(&self.encryptions().to_be_bytes());
        for term in self.retired.iter().chain([&self.active]) {
            plain.extend_from_slice(&term.number.to_be_bytes());
            plain.extend_from_slice(&term.installed.0.to_be_bytes());
            plain.extend_from_slice(term.key.expose());
        }
        Cipher::new(root.derive(BLOB_PURPOSE).expose()).seal(&[BLOB_VERSION], BLOB_AAD, &plain)
    }

    /// Opens what [`Keyring::wrap`] made.
    ///
    /// # Errors
    /// [`CryptoError::Unauthentic`] where `root` is not the key, which is how wrong shares are found out;
    /// [`CryptoError::Format`].
    pub fn unwrap(root: &Key, blob: &[u8]) -> Result<Self> {
        let Some((&BLOB_VERSION, sealed)) = blob.split_first() else {
            return Err(CryptoError::Format);
        };
        let plain = Cipher::new(root.derive(BLOB_PURPOSE).expose()).open(BLOB_AAD, sealed)?;
        let mut rest = Reader(&plain);
        let derivation = Key::from_bytes(rest.take()?);
        let encryptions = AtomicU64::new(u64::from_be_bytes(rest.take()?));
        let mut retired: Vec<Term> = Vec::with_capacity(rest.0.len() / TERM_BYTES);
        while !rest.0.is_empty() {
            let number = u32::from_be_bytes(rest.take()?);
            let installed = Timestamp(i64::from_be_bytes(rest.take()?));
            if retired.last().is_some_and(|last| last.number >= number) {
                return Err(CryptoError::Format);
            }
            retired.push(Term::new(number, installed, Key::from_bytes(rest.take()?)));
        }
        let active = retired.pop().ok_or(CryptoError::Format)?;
        Ok(Self { retired, active, derivation, encryptions })
    }

    fn term(&self, number: u32) -> Option<&Term> {
        if number == self.active.number {
            return Some(&self.active);
        }
        self.retired.binary_search_by_key(&number, |t| t.number).ok().map(|i| &self.retired[i])
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring(term {})", self.active.number)
    }
}

/// Number, time and key.
const TERM_BYTES: usize = 4 + 8 + KEY;

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(CryptoError::Format)?;
        self.0 = rest;
        Ok(*head)
    }
}

/// The term that sealed this.
///
/// # Errors
/// [`CryptoError::Format`].
pub fn term_of(ciphertext: &[u8]) -> Result<u32> {
    match ciphertext.split_first_chunk::<HEADER>() {
        Some((&[ENTRY_VERSION, a, b, c, d], _)) => Ok(u32::from_be_bytes([a, b, c, d])),
        _ => Err(CryptoError::Format),
    }
}

/// Associated data for one entry: which table it is in, whose it is (a mount's UUID, or empty), and its key.
pub fn aad(table: &str, owner: &str, key: &str) -> Vec<u8> {
    aad_of(&[table.as_bytes(), owner.as_bytes(), key.as_bytes()])
}

/// Associated data of any parts, such as an entry's place and the plain columns that must not be forged. Different
/// lists of parts never give the same bytes: each part is preceded by its length.
pub fn aad_of(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + parts.iter().map(|p| p.len() + 8).sum::<usize>());
    out.push(1);
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests;
