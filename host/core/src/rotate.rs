//! Rotation of root secrets: propose, commit the candidate, apply, prove, promote. A crash resumes with the same
//! candidate, and no secret is forgotten before another one is proven.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_failpoints::point;
use cofferdam_model::engine::{BackendAccess, CallError, Cause, Lane, Target};
use cofferdam_model::view::Version;
use cofferdam_model::{Error, Result, SecretText, ids};
use cofferdam_storage::port::{Batch, Check, Op, Outcome};
use serde::{Deserialize, Serialize};

use crate::calls::{BACKEND_DEADLINE, told};
use crate::mounts::MountEntry;
use crate::spaces;
use crate::targets::Targets;
use crate::vault::Vault;

/// A rotation under way. The store seals it.
#[derive(Serialize, Deserialize)]
struct Candidate {
    mount: String,
    slot: String,
    /// Whose root secret it is. The secret belongs to the address, whatever becomes of the configuration.
    target: Option<Target>,
    candidate: String,
}

/// A rotation as it is stored.
struct Begun {
    key: String,
    version: Version,
    candidate: Candidate,
}

/// Rotations that a task of this process works on.
#[derive(Default)]
pub(crate) struct Rotating(Mutex<HashSet<String>>);

/// Given back on drop.
struct Claim<'a> {
    rotating: &'a Rotating,
    key: &'a str,
}

impl Rotating {
    /// None: another task has it.
    fn claim<'a>(&'a self, key: &'a str) -> Option<Claim<'a>> {
        let mut claimed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.insert(key.to_owned()).then(|| Claim { rotating: self, key })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.rotating.0.lock().unwrap_or_else(PoisonError::into_inner).remove(self.key);
    }
}

/// Rotates the root secret in a slot now. A rotation that a crash or a failure left behind is brought to its end first.
pub(crate) async fn rotate(vault: &Arc<Vault>, mount: &MountEntry, slot: &str) -> Result<()> {
    let access = vault.targets.access(mount, slot).await?;
    let address = access.target.as_ref().map_or_else(|| "-".to_owned(), |t| format!("{}:{}", t.host, t.port));
    let key = format!("{}/{slot}/{address}", mount.uuid);
    let _claim = vault.rotating.claim(&key).ok_or_else(|| under_way(slot))?;
    match begun(vault, &key).await? {
        Some(begun) => finish(vault, mount, begun, false).await,
        None => {
            propose(vault, mount, slot, &key, access).await?;
            let begun = begun(vault, &key).await?.ok_or_else(|| under_way(slot))?;
            finish(vault, mount, begun, true).await
        }
    }
}

fn under_way(slot: &str) -> Error {
    Error::unavailable(format!("{slot}: a rotation is under way already"))
}

async fn begun(vault: &Vault, key: &str) -> Result<Option<Begun>> {
    let Some(entry) = vault.storage.entry(spaces::ROTATIONS, key).await? else { return Ok(None) };
    Ok(Some(Begun { candidate: read(key, &entry.value)?, key: entry.key, version: entry.version }))
}

async fn propose(vault: &Vault, mount: &MountEntry, slot: &str, key: &str, access: BackendAccess) -> Result<()> {
    let current = current(&access, slot)?;
    let engine = vault.engine(mount).await?;
    let call = vault.call(mount, &ids::uuid(), None, None, crate::calls::LOCAL_DEADLINE, Lane::Serve);
    let proposed = engine.propose(call, slot, &current).await.map_err(told)?;
    let candidate = Candidate {
        mount: mount.uuid.clone(),
        slot: slot.to_owned(),
        target: access.target,
        candidate: proposed.expose().to_owned(),
    };
    let value = serde_json::to_vec(&candidate).map_err(|e| Error::internal(format!("a rotation's record: {e}")))?;
    let (space, key) = (spaces::ROTATIONS.to_owned(), key.to_owned());
    let batch = Batch {
        checks: vec![Check::Entry { space: space.clone(), key: key.clone(), version: 0 }],
        ops: vec![Op::PutEntry { space, key, value }],
    };
    match vault.storage.apply(batch).await? {
        Outcome::Applied => Ok(()),
        Outcome::Conflict(_) => Err(under_way(slot)),
    }
}

/// Applies and proves the candidate, then promotes it. Repeatable at every point. `fresh`: nobody has tried before.
async fn finish(vault: &Vault, mount: &MountEntry, begun: Begun, fresh: bool) -> Result<()> {
    point!("rotate.proposed");
    let candidate = &begun.candidate;
    let slot = candidate.slot.as_str();
    let access = match &candidate.target {
        Some(target) => match vault.targets.at(&mount.uuid, slot, (&target.host, target.port)).await? {
            Some(target) => vault.targets.open(mount, slot, Some(target)).await?,
            // Configuration and leases are gone, and the slot with them.
            None => return forget(vault, &begun).await,
        },
        None => vault.targets.access(mount, slot).await?,
    };
    let current = current(&access, slot)?;
    let secret = SecretText::new(candidate.candidate.clone());
    let engine = vault.engine(mount).await?;
    let call = || {
        let mut call = vault.call(mount, &ids::uuid(), None, Some(access.clone()), BACKEND_DEADLINE, Lane::Serve);
        call.secrets.push(secret.clone());
        call
    };
    let applied = engine.apply(call(), slot, &current, &secret).await;
    point!("rotate.applied");
    if let Err(failed) = applied {
        // It may have been applied before a crash, or the answer was lost: the candidate itself tells.
        if engine.prove(call(), slot, &secret).await.is_err() {
            // A lost call may still take effect, however well the current secret works: its candidate is kept, and
            // tried again. Only a no to the first call of all says that the candidate is nobody's.
            if fresh && is_no(&failed) && engine.prove(call(), slot, &current).await.is_ok() {
                forget(vault, &begun).await?;
            }
            return Err(told(failed));
        }
    } else {
        engine.prove(call(), slot, &secret).await.map_err(told)?;
    }
    point!("rotate.proven");
    let batch = Batch {
        checks: vec![unchanged(&begun)],
        ops: vec![Targets::put_slot(&mount.uuid, slot, access.target.as_ref(), &secret), removal(&begun)],
    };
    match vault.storage.apply(batch).await? {
        Outcome::Applied => Ok(()),
        Outcome::Conflict(_) => Err(under_way(slot)),
    }
}

/// Whether the backend itself answered, and said no.
fn is_no(error: &CallError) -> bool {
    matches!(error, CallError::Failure(f) if !matches!(f.cause, Cause::Unreachable | Cause::Throttled | Cause::Internal))
}

async fn forget(vault: &Vault, begun: &Begun) -> Result<()> {
    let batch = Batch { checks: vec![unchanged(begun)], ops: vec![removal(begun)] };
    vault.storage.apply(batch).await.map(|_| ())
}

fn unchanged(begun: &Begun) -> Check {
    Check::Entry { space: spaces::ROTATIONS.to_owned(), key: begun.key.clone(), version: begun.version }
}

fn removal(begun: &Begun) -> Op {
    Op::DeleteEntry { space: spaces::ROTATIONS.to_owned(), key: begun.key.clone() }
}

fn current(access: &BackendAccess, slot: &str) -> Result<SecretText> {
    access
        .secret
        .clone()
        .ok_or_else(|| Error::backend(format!("unable to rotate root credentials: {slot:?} has no root secret")))
}

fn read(key: &str, value: &[u8]) -> Result<Candidate> {
    serde_json::from_slice(value).map_err(|e| Error::internal(format!("rotation {key} does not read: {e}")))
}

/// Brings rotations to their end that a crash or a failure interrupted.
pub(crate) async fn resume(vault: &Arc<Vault>) -> Result<()> {
    const PAGE: usize = 1_000;
    let mut after: Option<String> = None;
    loop {
        let page = vault.storage.entries(spaces::ROTATIONS, "", after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.key.clone());
        for entry in page {
            if let Err(e) = resume_one(vault, &entry.key).await {
                tracing::warn!(rotation = entry.key, error = %e, "a rotation is still unfinished");
            }
        }
    }
}

async fn resume_one(vault: &Arc<Vault>, key: &str) -> Result<()> {
    let Some(_claim) = vault.rotating.claim(key) else { return Ok(()) };
    let Some(begun) = begun(vault, key).await? else { return Ok(()) };
    match vault.mounts.by_uuid(&begun.candidate.mount) {
        Some(mount) => finish(vault, &mount, begun, false).await,
        None => forget(vault, &begun).await,
    }
}
