//! The barrier's key: who rotates it, when, and with what.
//!
//! The root key lies in the store, sealed by the keyring that it wraps: so an unsealed server can write a changed
//! keyring without asking for the shares.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_crypto::keyring::{SOFT_LIMIT, TermInfo};
use cofferdam_crypto::{CryptoError, Key};
use cofferdam_model::{Error, Result, Timestamp};
use cofferdam_storage::Storage;
use cofferdam_storage::port::{Batch, Op};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::repeat::repeat;
use crate::spaces;
use crate::vault::Vault;

/// The wrapped keyring, a plain value of the store.
pub(crate) const META_KEYRING: &str = "keyring";
/// The root key, sealed.
pub(crate) const META_ROOT: &str = "root";
const ENTRY_ROTATION: &str = "rotation";
/// How soon the keeper sees that a key is used up. At a million encryptions a second, that is far from the hard limit.
const NAP: Duration = Duration::from_secs(10);

/// The fewest and the most encryptions after which a key may be rotated.
pub(crate) const OPERATIONS: std::ops::RangeInclusive<u64> = 1_000_000..=SOFT_LIMIT;
/// The shortest time.
pub(crate) const INTERVAL_MIN: u64 = 24 * 3_600;

/// When the key is rotated without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rotation {
    pub(crate) enabled: bool,
    pub(crate) max_operations: u64,
    /// Seconds; 0: however old it is.
    pub(crate) interval: u64,
}

impl Default for Rotation {
    fn default() -> Self {
        // A quarter of what a key with random nonces may encrypt.
        Self { enabled: true, max_operations: 1 << 30, interval: 0 }
    }
}

impl Rotation {
    fn is_due(&self, key: &TermInfo, now: Timestamp) -> bool {
        let age = u64::try_from(now.seconds_since(key.install_time)).unwrap_or(0);
        self.enabled && (key.encryptions >= self.max_operations || (self.interval > 0 && age >= self.interval))
    }
}

/// Puts a fresh term in front. The disk has it before anything is encrypted with it.
pub(crate) async fn rotate(storage: &Storage, now: Timestamp) -> Result<()> {
    let root = storage.sealed_meta(META_ROOT).await?.ok_or_else(|| Error::internal("the store has no root key"))?;
    let root = Key::from_slice(&root).map_err(broken)?;
    let next = storage.keyring()?.rotated(now);
    let values = vec![
        (META_ROOT.to_owned(), Storage::seal_meta(&next, META_ROOT, root.expose())?),
        (META_KEYRING.to_owned(), next.wrap(&root).map_err(broken)?),
    ];
    let term = next.info().term;
    storage.replace_keyring(Arc::new(next), values).await?;
    tracing::info!(term, "new entries are encrypted with a new key");
    Ok(())
}

/// Keeps the root key that unsealed the server, where the store does not have it. What the store has instead does not
/// matter, nor whether it opens: an init that broke off left its own.
pub(crate) async fn keep_root(storage: &Storage, root: &Key) -> Result<()> {
    let kept = storage.sealed_meta(META_ROOT).await.unwrap_or_else(|e| {
        tracing::warn!(error = %e, "the root key is written down anew");
        None
    });
    match kept {
        Some(kept) if Key::from_slice(&kept).is_ok_and(|kept| kept == *root) => Ok(()),
        _ => storage.set_sealed_meta(META_ROOT, root.expose()).await,
    }
}

impl Vault {
    /// Rotates the barrier's key.
    pub(crate) async fn rotate_key(&self) -> Result<()> {
        let _one = self.keying.lock().await;
        rotate(&self.storage, self.clock.now()).await
    }

    pub(crate) async fn rotation(&self) -> Result<Rotation> {
        let Some(entry) = self.storage.entry(spaces::KEYS, ENTRY_ROTATION).await? else {
            return Ok(Rotation::default());
        };
        serde_json::from_slice(&entry.value).map_err(|e| Error::internal(format!("the rotation's settings: {e}")))
    }

    pub(crate) async fn set_rotation(&self, rotation: Rotation) -> Result<()> {
        let value = serde_json::to_vec(&rotation).map_err(|e| Error::internal(format!("the settings: {e}")))?;
        let op = Op::PutEntry { space: spaces::KEYS.to_owned(), key: ENTRY_ROTATION.to_owned(), value };
        self.storage.apply(Batch { checks: Vec::new(), ops: vec![op] }).await?;
        self.keys_changed.notify_one();
        Ok(())
    }

    async fn rotate_if_due(&self) -> Result<()> {
        let rotation = self.rotation().await?;
        let _one = self.keying.lock().await;
        if rotation.is_due(&self.storage.keyring()?.info(), self.clock.now()) {
            rotate(&self.storage, self.clock.now()).await?;
        }
        Ok(())
    }
}

/// Rotates what is due until `stop`.
pub(crate) async fn work(vault: Arc<Vault>, stop: watch::Receiver<bool>) {
    let round = || async {
        if let Err(e) = vault.rotate_if_due().await {
            tracing::error!(error = %e, "the barrier's key cannot be rotated");
        }
        NAP
    };
    repeat(stop, Some(&vault.keys_changed), round).await;
}

fn broken(error: CryptoError) -> Error {
    Error::internal(format!("keys: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_due_by_its_use_or_by_its_age() {
        let key = |encryptions| TermInfo { term: 1, install_time: Timestamp::from_seconds(1_000), encryptions };
        let at = |seconds: i64| Timestamp::from_seconds(1_000 + seconds);
        let usual = Rotation::default();
        assert!(!usual.is_due(&key((1 << 30) - 1), at(1_000_000_000)));
        assert!(usual.is_due(&key(1 << 30), at(0)));
        assert!(!Rotation { enabled: false, ..usual }.is_due(&key(u64::MAX), at(0)));
        let daily = Rotation { interval: INTERVAL_MIN, ..usual };
        assert!(!daily.is_due(&key(0), at(86_399)) && daily.is_due(&key(0), at(86_400)));
        assert!(!daily.is_due(&key(0), at(-86_400)), "a clock that was set back rotates nothing");
    }
}
