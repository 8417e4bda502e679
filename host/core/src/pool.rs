//! Pools: credentials that are made ahead, so that one which a backend needs time to accept is ready when it is handed
//! out. `fill.rs` keeps them full; the ledger's `stock.rs` holds what waits and hands it out once.
//!
//! A pool is never a reason to fail: where nothing is ready, a credential is made as if there were none.

pub(crate) mod fill;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cofferdam_leases::{Stocked, Wanted};
use cofferdam_model::{Error, ErrorKind, LeaseInfo, Operation, Response, Result, Timestamp};
use cofferdam_storage::port::{Batch, Op};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::dispatch::Asked;
use crate::mounts::MountEntry;
use crate::spaces;
use crate::vault::Vault;

/// Credentials in one pool.
pub(crate) const SIZE_MAX: u64 = 50;
/// Seconds: the longest `min_age`.
pub(crate) const MIN_AGE_MAX: u64 = 3_600;
/// All pools of a server.
pub(crate) const POOLS_MAX: usize = 100;
/// Seconds that a credential waits at most, however long its term is.
const SHELF_MAX: u64 = 86_400;
/// How long a pool that could not be filled is left alone: doubled each time, up to a limit.
const RETRY: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(300);
/// What is read of one pool: more than it holds while its size is being lowered.
const PAGE: usize = 200;

/// Seconds that a credential of this term may wait: half of it, and no longer than a day.
pub(crate) fn shelf(ttl: u64) -> u64 {
    (ttl / 2).min(SHELF_MAX)
}

/// A pool's row. The store seals it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pool {
    /// The mount's uuid.
    pub(crate) mount: String,
    /// Below the mount.
    pub(crate) path: String,
    pub(crate) size: u64,
    /// Seconds for which a credential must have been there before it is handed out.
    pub(crate) min_age: u64,
}

impl Pool {
    pub(crate) fn key(&self) -> String {
        key(&self.mount, &self.path)
    }

    /// Where its credentials wait. A pool's path has no empty part, so that no folder lies in another one.
    pub(crate) fn folder(&self) -> String {
        format!("{}//", self.key())
    }

    /// From then on it is handed out.
    pub(crate) fn ready_at(&self, stocked: &Stocked) -> Timestamp {
        stocked.made_at.plus_seconds(i64::try_from(self.min_age).unwrap_or(i64::MAX))
    }
}

pub(crate) fn key(mount: &str, path: &str) -> String {
    format!("{mount}/{path}")
}

/// What is known of pools outside of the store: nothing that a crash could lose.
#[derive(Default)]
pub(crate) struct Pools {
    /// Their keys; none: nobody has looked yet, and any path may have one.
    known: RwLock<Option<BTreeSet<String>>>,
    /// Entries that are being handed out, and pools that are being filled.
    claimed: Mutex<HashSet<String>>,
    troubles: Mutex<HashMap<String, Trouble>>,
    /// Wakes the filler.
    pub(crate) wake: Notify,
    /// One change of the rows at a time.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

/// Why a pool was not filled.
#[derive(Clone)]
struct Trouble {
    attempts: u32,
    until: Instant,
    message: String,
}

/// A claim, given back on drop.
struct Claim<'a> {
    pools: &'a Pools,
    key: String,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        lock(&self.pools.claimed).remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pools {
    fn claim(&self, key: &str) -> Option<Claim<'_>> {
        let new = lock(&self.claimed).insert(key.to_owned());
        new.then(|| Claim { pools: self, key: key.to_owned() })
    }

    /// Asked by every read: most servers have few pools or none.
    fn knows(&self, mount: &str, path: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().is_none_or(|known| !known.is_empty() && known.contains(&key(mount, path)))
    }

    fn saw(&self, keys: BTreeSet<String>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }

    /// Entries of a mount changed: what waits may no longer be right, and what failed may work now.
    pub(crate) fn changed(&self, mount: &str) {
        let prefix = key(mount, "");
        let concerned = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.iter().flatten().any(|key| key.starts_with(&prefix))
        };
        if concerned {
            lock(&self.troubles).retain(|key, _| !key.starts_with(&prefix));
            self.wake.notify_one();
        }
    }

    fn failed(&self, key: &str, message: String) {
        let mut troubles = lock(&self.troubles);
        let attempts = troubles.get(key).map_or(0, |trouble| trouble.attempts).saturating_add(1);
        let pause = RETRY.saturating_mul(1 << (attempts - 1).min(8)).min(RETRY_MAX);
        troubles.insert(key.to_owned(), Trouble { attempts, until: Instant::now() + pause, message });
    }

    fn worked(&self, key: &str) {
        lock(&self.troubles).remove(key);
    }

    fn is_left_alone(&self, key: &str) -> bool {
        lock(&self.troubles).get(key).is_some_and(|trouble| Instant::now() < trouble.until)
    }

    /// Why it was not filled last.
    pub(crate) fn trouble(&self, key: &str) -> Option<String> {
        lock(&self.troubles).get(key).map(|trouble| trouble.message.clone())
    }
}

/// The pool of a path.
pub(crate) async fn read(vault: &Vault, mount: &str, path: &str) -> Result<Option<Pool>> {
    let key = key(mount, path);
    let Some(entry) = vault.storage.entry(spaces::POOLS, &key).await? else { return Ok(None) };
    parse(&key, &entry.value).map(Some)
}

fn parse(key: &str, value: &[u8]) -> Result<Pool> {
    serde_json::from_slice(value).map_err(|e| Error::internal(format!("the pool {key} does not read: {e}")))
}

/// All pools, by key. A row that does not read is logged and left out.
pub(crate) async fn all(vault: &Vault) -> Result<Vec<Pool>> {
    let entries = vault.storage.each_entry(spaces::POOLS, "", None, POOLS_MAX.saturating_mul(2)).await?;
    let read = entries.into_iter().filter_map(|(key, row)| {
        let pool = row.and_then(|row| parse(&key, &row.value));
        pool.inspect_err(|e| tracing::error!(error = %e, "a pool is left out")).ok()
    });
    Ok(read.collect())
}

/// Writes a pool.
pub(crate) async fn put(vault: &Vault, pool: &Pool) -> Result<()> {
    let _changing = vault.pools.changing.lock().await;
    let pools = all(vault).await?;
    if pools.len() >= POOLS_MAX && !pools.iter().any(|there| there.key() == pool.key()) {
        return Err(Error::invalid(format!("there are {POOLS_MAX} pools already")));
    }
    let value = serde_json::to_vec(pool).map_err(|e| Error::internal(format!("a pool: {e}")))?;
    let ops = vec![Op::PutEntry { space: spaces::POOLS.to_owned(), key: pool.key(), value }];
    vault.storage.apply(Batch { checks: Vec::new(), ops }).await?;
    vault.pools.worked(&pool.key());
    vault.pools.wake.notify_one();
    Ok(())
}

/// Ends a pool; what waits in it is taken back.
pub(crate) async fn delete(vault: &Vault, pool: &Pool) -> Result<()> {
    let _changing = vault.pools.changing.lock().await;
    let ops = vec![Op::DeleteEntry { space: spaces::POOLS.to_owned(), key: pool.key() }];
    vault.storage.apply(Batch { checks: Vec::new(), ops }).await?;
    vault.pools.worked(&pool.key());
    vault.pools.wake.notify_one();
    Ok(())
}

/// What waits in a pool, oldest first.
pub(crate) async fn stock(vault: &Vault, pool: &Pool) -> Result<Vec<Stocked>> {
    vault.ledger().stocked(&pool.folder(), None, PAGE).await
}

/// What would be made on this mount now.
fn wanted<'a>(vault: &Vault, mount: &MountEntry, path: &'a str, digest: &'a str) -> Wanted<'a> {
    let (default_ttl, max_ttl) = mount.ttls(vault.system_ttls());
    Wanted { path, digest, default_ttl, max_ttl }
}

/// Hands out a credential that waits for exactly this request. None: there is none, and one is to be made.
///
/// # Errors
/// Only where the token is no longer live.
pub(crate) async fn take(vault: &Arc<Vault>, asked: &Asked<'_>, digest: &str) -> Result<Option<Response>> {
    match try_take(vault, asked, digest).await {
        Err(e) if e.kind != ErrorKind::Denied => {
            tracing::error!(path = asked.request.path, error = %e, "nothing is handed out of a pool");
            Ok(None)
        }
        taken => taken,
    }
}

async fn try_take(vault: &Arc<Vault>, asked: &Asked<'_>, digest: &str) -> Result<Option<Response>> {
    if vault.fence.reason().is_some() {
        // The ordinary way says so.
        return Ok(None);
    }
    let (request, mount) = (asked.request, &asked.mount);
    let plain = request.operation == Operation::Read && request.data.is_empty() && !request.has_body;
    // A token on its last use gets no lease.
    if !plain || asked.token.uses_left == Some(1) || !vault.pools.knows(&mount.uuid, asked.rest) {
        return Ok(None);
    }
    let Some(pool) = read(vault, &mount.uuid, asked.rest).await? else { return Ok(None) };
    let wanted = wanted(vault, mount, &request.path, digest);
    for stocked in stock(vault, &pool).await? {
        // What is young in a time that leapt is not old enough.
        if pool.ready_at(&stocked) > vault.clock.proven() {
            break;
        }
        let Some(_claim) = vault.pools.claim(&stocked.key) else { continue };
        let Some(given) = vault.ledger().hand_out(&stocked, &wanted, &asked.token.digest).await? else { continue };
        vault.pools.wake.notify_one();
        let data = serde_json::value::RawValue::from_string(given.data.expose().to_owned())
            .map_err(|e| Error::internal(format!("a stocked credential does not read: {e}")))?;
        let renewable = given.lease.record.renewable;
        return Ok(Some(Response {
            data: Some(data),
            warnings: given.ttl.warning.into_iter().collect(),
            lease: LeaseInfo { id: given.lease.id, duration: given.ttl.ttl, renewable },
            ready_at: Some(pool.ready_at(&stocked)),
            ..Response::default()
        }));
    }
    vault.pools.wake.notify_one();
    Ok(None)
}
