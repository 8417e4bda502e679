//! How often a key has encrypted: durable, and never too low.
//!
//! Encryptions are allowed in blocks, and a block is on the disk before the first of it is used. A crash loses what is
//! left of one block: the count is then too high, which only makes the next rotation come earlier.

use std::sync::{Mutex, MutexGuard, PoisonError};

use cofferdam_crypto::Keyring;
use cofferdam_crypto::digest::{keyed_digest, same};
use cofferdam_model::Result;

use crate::port::Physical;

/// The plain value that holds the count.
const META: &str = "encryptions";
/// Encryptions for one write of the count.
pub(super) const BLOCK: u64 = 1 << 16;

/// The count of one term, while the barrier is open.
pub(super) struct Count {
    claims: Mutex<Claims>,
    writing: tokio::sync::Mutex<()>,
}

struct Claims {
    made: u64,
    /// What the disk knows of.
    allowed: u64,
}

impl Count {
    pub(super) fn new(made: u64, allowed: u64) -> Self {
        Self { claims: Mutex::new(Claims { made, allowed }), writing: tokio::sync::Mutex::new(()) }
    }

    /// Allows `n` more encryptions; they may happen once this has returned.
    pub(super) async fn claim(&self, n: u64, keyring: &Keyring, store: &dyn Physical) -> Result<()> {
        if self.take(n) {
            return Ok(());
        }
        let _writing = self.writing.lock().await;
        if self.take(n) {
            return Ok(());
        }
        let allowed = self.claims().made.saturating_add(n).saturating_add(BLOCK);
        store.set_meta(vec![record(keyring, allowed)]).await?;
        let mut claims = self.claims();
        claims.allowed = allowed;
        claims.made += n;
        Ok(())
    }

    /// Gives back what is left of the block: the disk knows the exact count then.
    pub(super) async fn settle(&self, keyring: &Keyring, store: &dyn Physical) -> Result<()> {
        let _writing = self.writing.lock().await;
        let made = {
            let mut claims = self.claims();
            claims.allowed = claims.made;
            claims.made
        };
        store.set_meta(vec![record(keyring, made)]).await
    }

    fn take(&self, n: u64) -> bool {
        let mut claims = self.claims();
        let fits = claims.made.saturating_add(n) <= claims.allowed;
        if fits {
            claims.made += n;
        }
        fits
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The plain value. Authenticated: whoever can write to the store can bring back an old one, but not make one up.
pub(super) fn record(keyring: &Keyring, count: u64) -> (String, Vec<u8>) {
    let text = format!("{}:{count}", keyring.info().term);
    let tag = tag(keyring, &text);
    (META.to_owned(), format!("{text}:{tag}").into_bytes())
}

/// The count of the active term; none where the store does not know it.
pub(super) async fn recall(keyring: &Keyring, store: &dyn Physical) -> Result<Option<u64>> {
    let Some(bytes) = store.meta(META).await? else { return Ok(None) };
    Ok(read(keyring, &bytes))
}

fn read(keyring: &Keyring, bytes: &[u8]) -> Option<u64> {
    let (text, told) = std::str::from_utf8(bytes).ok()?.rsplit_once(':')?;
    let (term, count) = text.split_once(':')?;
    let ours = same(tag(keyring, text), told) && term == keyring.info().term.to_string();
    ours.then(|| count.parse().ok()).flatten()
}

fn tag(keyring: &Keyring, text: &str) -> String {
    keyed_digest(&keyring.derive("count of encryptions"), text)
}
