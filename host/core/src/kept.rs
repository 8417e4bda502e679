//! Credentials of accounts that exist already, kept in rotation: a row for each says how often, and since when. The
//! rotation itself is `rotate.rs`; a crash loses neither the row nor the candidate. All times are `Clock::proven`'s: a
//! clock that leaps ahead must not rotate everything at once.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_model::engine::{self, Keeping};
use cofferdam_model::view::{Changes, Version};
use cofferdam_model::{Clock, Error, Response, Result, SecretText, Timestamp, ids};
use cofferdam_storage::port::{Batch, Check, Op, StoredEntry};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::dispatch::broken;
use crate::mounts::MountEntry;
use crate::repeat::repeat;
use crate::rotate;
use crate::spaces;
use crate::vault::Vault;

/// The keeper looks at its rows at least this often.
const NAP: Duration = Duration::from_secs(60);
/// Rotations at once.
const AT_ONCE: usize = 8;
/// Seconds until a rotation that failed is tried again: doubled each time, up to a limit.
const RETRY: i64 = 10;
const RETRY_MAX: i64 = 600;
const PAGE: usize = 1_000;

/// A row. The store seals it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// A rotation that was begun for another row of this slot is not this one's.
    #[serde(default)]
    pub(crate) id: String,
    pub(crate) mount: String,
    pub(crate) slot: String,
    pub(crate) backend: String,
    /// Seconds.
    every: u64,
    /// None: it was never rotated.
    pub(crate) secret: Option<String>,
    rotated_at: Option<Timestamp>,
    next_at: Timestamp,
    /// Rotations in a row that failed.
    attempts: u32,
}

impl Kept {
    fn key(&self) -> String {
        key(&self.mount, &self.slot)
    }

    fn after(&self, from: Timestamp) -> Timestamp {
        from.plus_seconds(i64::try_from(self.every).unwrap_or(i64::MAX))
    }

    fn put(&self) -> Result<Op> {
        let value = serde_json::to_vec(self).map_err(|e| Error::internal(format!("a kept credential: {e}")))?;
        Ok(Op::PutEntry { space: spaces::KEPT.to_owned(), key: self.key(), value })
    }
}

fn key(mount: &str, slot: &str) -> String {
    format!("{mount}/{slot}")
}

/// The row, and its version.
pub(crate) async fn read(vault: &Vault, mount: &str, slot: &str) -> Result<Option<(Kept, Version)>> {
    find(&vault.storage, mount, slot).await
}

async fn find(storage: &cofferdam_storage::Storage, mount: &str, slot: &str) -> Result<Option<(Kept, Version)>> {
    let key = key(mount, slot);
    let Some(entry) = storage.entry(spaces::KEPT, &key).await? else { return Ok(None) };
    parse(&entry).map(Some)
}

fn parse(entry: &StoredEntry) -> Result<(Kept, Version)> {
    let kept = serde_json::from_slice(&entry.value)
        .map_err(|e| Error::internal(format!("the kept credential {} does not read: {e}", entry.key)))?;
    Ok((kept, entry.version))
}

/// What an engine may know of it. Engines see the clock's time: when the next rotation is due is told in it.
pub(crate) async fn shown(
    storage: &cofferdam_storage::Storage,
    clock: &dyn Clock,
    mount: &str,
    backend: &str,
    slot: &str,
) -> Result<Option<engine::Kept>> {
    let found = find(storage, mount, slot).await?.map(|(kept, _)| kept).filter(|kept| kept.backend == backend);
    let ahead = clock.now().0.saturating_sub(clock.proven().0);
    let unix = |at: Timestamp| u64::try_from(at.seconds()).unwrap_or(0);
    Ok(found.and_then(|kept| {
        let (secret, rotated_at) = (kept.secret?, kept.rotated_at?);
        Some(engine::Kept {
            secret: SecretText::new(secret),
            rotated_at: unix(rotated_at),
            next_at: unix(Timestamp(kept.next_at.0.saturating_add(ahead))),
        })
    }))
}

fn unchanged(kept: &Kept, version: Version) -> Check {
    Check::Entry { space: spaces::KEPT.to_owned(), key: kept.key(), version }
}

/// What makes a proven secret the one that clients get, if the row is still there as it was read.
pub(crate) fn promoted(mut kept: Kept, version: Version, secret: &SecretText, now: Timestamp) -> Result<(Check, Op)> {
    let check = unchanged(&kept, version);
    kept.secret = Some(secret.expose().to_owned());
    kept.rotated_at = Some(now);
    kept.next_at = kept.after(now);
    kept.attempts = 0;
    Ok((check, kept.put()?))
}

/// Does what an engine answered, together with what its call changed. None: what it read has changed, run it anew.
pub(crate) async fn keep(
    vault: &Arc<Vault>,
    engine: &dyn engine::Engine,
    mount: &MountEntry,
    access: Option<&engine::BackendAccess>,
    keeping: Keeping,
    changes: &Changes,
) -> Result<Option<Response>> {
    let Some(backend) = access.map(|access| access.name.clone()) else {
        return Err(broken(engine, mount, "a credential to keep, in a call without a backend"));
    };
    if keeping.slot == backend {
        return Err(broken(engine, mount, "a credential to keep in the slot of its backend's root secret"));
    }
    let found = read(vault, &mount.uuid, &keeping.slot).await?;
    let version = found.as_ref().map_or(0, |(_, version)| *version);
    let now = vault.clock.proven();
    let mut kept = found.map_or_else(
        || Kept {
            id: ids::base62(20),
            mount: mount.uuid.clone(),
            slot: keeping.slot.clone(),
            backend: backend.clone(),
            every: 0,
            secret: None,
            rotated_at: None,
            next_at: now,
            attempts: 0,
        },
        |(kept, _)| kept,
    );
    let op = match keeping.every {
        None => Op::DeleteEntry { space: spaces::KEPT.to_owned(), key: kept.key() },
        Some(every) => {
            kept.every = every;
            kept.backend = backend;
            kept.next_at = kept.rotated_at.map_or(now, |rotated_at| kept.after(rotated_at));
            kept.put()?
        }
    };
    let batch = Batch { checks: vec![unchanged(&kept, version)], ops: vec![op] };
    if !vault.commit(mount, changes, access, batch).await? {
        return Ok(None);
    }
    let data = keeping.data.map(serde_json::value::RawValue::from_string).transpose();
    let data = data.map_err(|e| broken(engine, mount, &format!("broken JSON: {e}")))?;
    let response = Response { data, ..Response::default() };
    if keeping.every.is_none() {
        return Ok(Some(released(vault, mount, &kept, response).await));
    }
    if kept.rotated_at.is_none() {
        rotate_now(vault, mount, &kept).await?;
    }
    vault.keep.notify_one();
    Ok(Some(response))
}

/// It is kept no longer. What a rotation made that was not finished ends, now or by and by.
async fn released(vault: &Arc<Vault>, mount: &MountEntry, kept: &Kept, response: Response) -> Response {
    match rotate::settle(vault, &kept.mount, &kept.slot).await {
        Ok(()) => response,
        Err(e) => {
            tracing::warn!(mount = mount.path, slot = kept.slot, error = %e, "an unfinished rotation is ended later");
            response.warn("its rotation was under way: what that made is ended as soon as possible")
        }
    }
}

/// Rotates now; where that fails, says when it is tried again.
async fn rotate_now(vault: &Arc<Vault>, mount: &MountEntry, kept: &Kept) -> Result<()> {
    let Err(failure) = rotate::rotate_kept(vault, mount, &kept.backend, &kept.slot).await else { return Ok(()) };
    if let Some((mut now, version)) = read(vault, &kept.mount, &kept.slot).await? {
        let doubled = RETRY.saturating_mul(1 << now.attempts.min(8));
        now.next_at = vault.clock.proven().plus_seconds(doubled.min(RETRY_MAX));
        now.attempts = now.attempts.saturating_add(1);
        let batch = Batch { checks: vec![unchanged(&now, version)], ops: vec![now.put()?] };
        // A conflict: somebody was faster, and knows more.
        vault.storage.apply(batch).await?;
    }
    vault.keep.notify_one();
    Err(failure)
}

/// Rotates what is due, until `stop`.
pub(crate) async fn work(vault: Arc<Vault>, stop: watch::Receiver<bool>) {
    let round = || async {
        round(&vault).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "kept credentials cannot be looked at");
            NAP
        })
    };
    repeat(stop, Some(&vault.keep), round).await;
}

/// Answers how long there will be nothing to do.
async fn round(vault: &Arc<Vault>) -> Result<Duration> {
    let (mut after, mut due, mut next) = (None::<String>, Vec::new(), None::<Timestamp>);
    let now = vault.clock.proven();
    loop {
        let page = vault.storage.each_entry(spaces::KEPT, "", after.as_deref(), PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (key, row) in page {
            let (kept, version) = match row.and_then(|entry| parse(&entry)) {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(row = key, %error, "a kept credential is left out");
                    continue;
                }
            };
            match vault.mounts.find(&kept.mount) {
                Ok(Some(mount)) if kept.next_at <= now => due.push((mount, kept)),
                Ok(Some(_)) => next = Some(next.map_or(kept.next_at, |next| next.min(kept.next_at))),
                Ok(None) => forget(vault, &kept, version).await?,
                // It waits for its mount.
                Err(_) => {}
            }
        }
    }
    let busy = !due.is_empty();
    futures::stream::iter(due)
        .for_each_concurrent(AT_ONCE, async |(mount, kept)| {
            if let Err(e) = rotate_now(vault, &mount, &kept).await {
                tracing::warn!(mount = mount.path, slot = kept.slot, error = %e, "a rotation is tried again later");
            }
        })
        .await;
    let until = |at: Timestamp| u64::try_from(at.0.saturating_sub(vault.clock.proven().0)).unwrap_or(0);
    let nap = next.map_or(NAP, |at| Duration::from_nanos(until(at)).min(NAP));
    // What was due has got another time.
    Ok(if busy { nap.min(Duration::from_secs(1)) } else { nap })
}

/// Its mount is gone.
async fn forget(vault: &Vault, kept: &Kept, version: Version) -> Result<()> {
    let ops = vec![Op::DeleteEntry { space: spaces::KEPT.to_owned(), key: kept.key() }];
    vault.storage.apply(Batch { checks: vec![unchanged(kept, version)], ops }).await.map(drop)
}
