//! Keeps pools full: what is no longer right is taken back, and what is missing is made, by the same way as for
//! clients, under the name `pool`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cofferdam_crypto::digest::keyed_digest;
use cofferdam_leases::IssueError;
use cofferdam_model::engine::{Caller, Engine, Lane, Outcome, Plan};
use cofferdam_model::route::Description;
use cofferdam_model::view::Changes;
use cofferdam_model::{Error, Operation, Result, fields, ids};
use cofferdam_storage::port::Check;
use serde_json::Map;
use tokio::sync::watch;

use super::{Pool, stock, wanted};
use crate::calls::{LOCAL_DEADLINE, told};
use crate::dispatch::{engine_request, fields_text, serves};
use crate::issue::{self, Ahead, For, Order};
use crate::mounts::MountEntry;
use crate::repeat::repeat;
use crate::spaces;
use crate::vault::Vault;

/// Pools are looked at this often, and without any, this often.
const NAP: Duration = Duration::from_secs(5);
const NAP_IDLE: Duration = Duration::from_secs(60);
/// How often a plan is made anew because what it read had changed.
const RUNS_MAX: u32 = 8;
const PAGE: usize = 500;

/// Under this name credentials are made ahead.
const NAME: &str = "pool";

/// Looks after all pools until `stop`.
pub(crate) async fn work(vault: Arc<Vault>, stop: watch::Receiver<bool>) {
    let round = || async {
        round(&vault).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "pools cannot be looked at");
            NAP
        })
    };
    repeat(stop, Some(&vault.pools.wake), round).await;
}

/// Answers how long there will be nothing to do. A pool whose backend hangs holds up no other one.
async fn round(vault: &Arc<Vault>) -> Result<Duration> {
    let all = super::all(vault).await?;
    let (mut served, mut known) = (HashMap::new(), BTreeSet::new());
    for pool in all {
        match vault.mounts.find(&pool.mount) {
            Ok(Some(mount)) if !mount.draining => {
                known.insert(pool.key());
                served.insert(pool.folder(), (mount, pool));
            }
            Ok(Some(_)) => {}
            Ok(None) => super::delete(vault, &pool).await?,
            // It waits for its mount.
            Err(_) => {}
        }
    }
    vault.pools.saw(known);
    clear_away(vault, &served).await?;
    let nap = if served.is_empty() { NAP_IDLE } else { NAP };
    for (_, (mount, pool)) in served {
        let vault = vault.clone();
        tokio::spawn(async move { tend(&vault, &mount, &pool).await });
    }
    Ok(nap)
}

/// Takes back what waits in no pool.
async fn clear_away(vault: &Vault, served: &HashMap<String, (Arc<MountEntry>, Pool)>) -> Result<()> {
    let mut after = None::<String>;
    loop {
        let page = vault.ledger().stocked("", after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.key.clone());
        for stocked in page {
            let folder = stocked.key.rfind('/').map_or("", |at| &stocked.key[..=at]);
            let mount = folder.split('/').next().unwrap_or_default();
            if !served.contains_key(folder) && vault.mounts.find(mount).is_ok() {
                vault.ledger().clear_away(&stocked).await?;
            }
        }
    }
}

/// Looks after one pool, if nobody does.
async fn tend(vault: &Arc<Vault>, mount: &Arc<MountEntry>, pool: &Pool) {
    let key = pool.key();
    let Some(_claim) = vault.pools.claim(&key) else { return };
    match fill(vault, mount, pool).await {
        Ok(()) => {}
        Err(_) if vault.is_closed() => {}
        Err(e) => {
            tracing::warn!(mount = mount.path, path = pool.path, error = %e, "a pool is filled later");
            vault.pools.failed(&key, e.messages.join("; "));
        }
    }
}

async fn fill(vault: &Arc<Vault>, mount: &Arc<MountEntry>, pool: &Pool) -> Result<()> {
    let engine = vault.engine(mount).await?;
    let path = format!("{}{}", mount.path, pool.path);
    let wanted = wanted(vault, mount, &path, engine.digest());
    let mut good = vault.ledger().weed(&stock(vault, pool).await?, &wanted, pool.size).await?;
    while good < pool.size && !vault.pools.is_left_alone(&pool.key()) {
        // A seal waits for what is being made.
        let _serving = vault.serve().await;
        if vault.is_closed() {
            return Ok(());
        }
        cofferdam_failpoints::point!("pool.filling");
        make(vault, mount, pool, &path).await?;
        cofferdam_failpoints::point!("pool.filled");
        vault.pools.worked(&pool.key());
        good += 1;
        // What is made now must be what the pool says now.
        if super::read(vault, &pool.mount, &pool.path).await?.is_none_or(|now| now.size < pool.size) {
            vault.pools.wake.notify_one();
            return Ok(());
        }
    }
    Ok(())
}

/// Makes one.
async fn make(vault: &Arc<Vault>, mount: &Arc<MountEntry>, pool: &Pool, path: &str) -> Result<()> {
    for _ in 0..RUNS_MAX {
        let Planned { engine, description, plan, changes, policies } = plan(vault, mount, &pool.path).await?;
        let order = Order {
            mount,
            path,
            request_id: &ids::uuid(),
            engine: &engine,
            description: &description,
            whose: For::Stock(Ahead { pool, caller: caller(vault, mount), policies }),
        };
        match issue::issue(vault, order, plan, changes).await {
            Ok(made) => {
                for warning in made.warnings {
                    tracing::info!(path, warning, "made ahead");
                }
                return Ok(());
            }
            Err(IssueError::Stale) => {}
            Err(IssueError::Failed(e) | IssueError::Taken(e)) => return Err(e),
        }
    }
    Err(Error::unavailable("the entries changed again and again while a credential was planned"))
}

/// A credential as the engine would make it now.
pub(crate) struct Planned {
    engine: Arc<dyn Engine>,
    description: Arc<Description>,
    plan: Plan,
    changes: Changes,
    policies: Check,
}

/// Asks the engine for a plan. No effect.
///
/// # Errors
/// Where a read of this path makes no credential under a lease.
pub(crate) async fn plan(vault: &Vault, mount: &MountEntry, path: &str) -> Result<Planned> {
    let engine = vault.engine(mount).await?;
    let description = engine.describe(&mount.path, &mount.options()).await?;
    let no = || Error::invalid(format!("{}{path}: a read makes no credential under a lease there", mount.path));
    let (route, params) = description.find(path).ok_or_else(no)?;
    // A call with network may have effects, and may not plan.
    if !serves(route, Operation::Read) || route.backend.is_some() {
        return Err(no());
    }
    let checked = fields::check(route, &params, &Map::new())?;
    let (count, newest) = vault.storage.range(spaces::PASSWORDS, "").await?;
    let policies = Check::Range { space: spaces::PASSWORDS.to_owned(), prefix: String::new(), count, newest };
    let request = engine_request(Operation::Read, path, route, params, fields_text(&checked)?);
    let mut call = vault.call(mount, &ids::uuid(), None, None, LOCAL_DEADLINE, Lane::Serve);
    call.caller = Some(caller(vault, mount));
    let done = engine.handle(call, request, None).await.map_err(told)?;
    let Outcome::Issue(plan) = done.value else { return Err(no()) };
    if description.kind(&plan.kind).is_some_and(|kind| kind.ends_itself) {
        return Err(Error::invalid(format!(
            "{}{path}: what is made there ends by itself, and would be half gone when it is handed out",
            mount.path
        )));
    }
    Ok(Planned { engine, description: description.clone(), plan, changes: done.changes, policies })
}

/// As whom the engine sees the host that makes credentials ahead.
fn caller(vault: &Vault, mount: &MountEntry) -> Caller {
    let fingerprint = keyed_digest(&vault.fingerprint_key, format!("{}/{NAME}", mount.uuid));
    Caller { fingerprint, display_name: NAME.to_owned() }
}
