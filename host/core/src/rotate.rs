//! Rotation of root secrets: propose, commit the candidate, apply, prove, promote. A crash resumes with the same
//! candidate, and no secret is forgotten before another one is proven.

use std::sync::Arc;

use cofferdam_model::engine::{BackendAccess, CallError, Lane};
use cofferdam_model::{Error, Result, SecretText, ids};
use cofferdam_storage::port::{Batch, Check, Op, Outcome};
use serde::{Deserialize, Serialize};

use crate::calls::BACKEND_DEADLINE;
use crate::mounts::MountEntry;
use crate::spaces;
use crate::targets::Targets;
use crate::vault::Vault;

/// A rotation under way. The store seals it.
#[derive(Serialize, Deserialize)]
struct Candidate {
    mount: String,
    slot: String,
    /// Of the target whose root secret it is.
    generation: Option<u64>,
    candidate: String,
}

/// Rotates the root secret in a slot now. A rotation that a crash or a failure left behind is brought to its end first.
pub(crate) async fn rotate(vault: &Arc<Vault>, mount: &MountEntry, slot: &str) -> Result<()> {
    let key = format!("{}/{slot}", mount.uuid);
    let begun = vault.storage.entry(spaces::ROTATIONS, &key).await?;
    let candidate = match begun {
        Some(entry) => read(&key, &entry.value)?,
        None => propose(vault, mount, slot, &key).await?,
    };
    finish(vault, mount, &key, candidate).await
}

async fn propose(vault: &Vault, mount: &MountEntry, slot: &str, key: &str) -> Result<Candidate> {
    let access = vault.targets.access(mount, slot).await?;
    let current = current(&access, slot)?;
    let engine = vault.engine(mount).await?;
    let call = vault.call(mount, &ids::uuid(), None, None, crate::calls::LOCAL_DEADLINE, Lane::Serve);
    let proposed = engine.propose(call, slot, &current).await.map_err(told)?;
    let candidate = Candidate {
        mount: mount.uuid.clone(),
        slot: slot.to_owned(),
        generation: access.target.as_ref().map(|t| t.generation),
        candidate: proposed.expose().to_owned(),
    };
    let value = serde_json::to_vec(&candidate).map_err(|e| Error::internal(format!("a rotation's record: {e}")))?;
    let (space, key) = (spaces::ROTATIONS.to_owned(), key.to_owned());
    let batch = Batch {
        checks: vec![Check::Entry { space: space.clone(), key: key.clone(), version: 0 }],
        ops: vec![Op::PutEntry { space, key, value }],
    };
    match vault.storage.apply(batch).await? {
        Outcome::Applied => Ok(candidate),
        Outcome::Conflict(_) => Err(Error::unavailable(format!("{slot}: a rotation is under way already"))),
    }
}

/// Applies and proves the candidate, then promotes it. Repeatable at every point.
async fn finish(vault: &Vault, mount: &MountEntry, key: &str, candidate: Candidate) -> Result<()> {
    let slot = candidate.slot.as_str();
    let access = match candidate.generation {
        Some(generation) => vault.targets.access_of(mount, slot, generation).await?,
        None => vault.targets.access(mount, slot).await?,
    };
    let current = current(&access, slot)?;
    let secret = SecretText::new(candidate.candidate.clone());
    let engine = vault.engine(mount).await?;
    let call = || {
        let mut call =
            vault.call(mount, &ids::uuid(), None, Some(access.clone()), BACKEND_DEADLINE, Lane::Serve);
        call.secrets.push(secret.clone());
        call
    };
    if let Err(failed) = engine.apply(call(), slot, &current, &secret).await {
        // It may have been applied before a crash, or the answer was lost: the candidate itself tells.
        if engine.prove(call(), slot, &secret).await.is_err() {
            return give_up(vault, key, engine.prove(call(), slot, &current).await.is_ok(), told(failed)).await;
        }
    } else {
        engine.prove(call(), slot, &secret).await.map_err(told)?;
    }
    let ops = vec![
        Targets::put_slot(&mount.uuid, slot, access.target.as_ref(), &secret),
        Op::DeleteEntry { space: spaces::ROTATIONS.to_owned(), key: key.to_owned() },
    ];
    vault.storage.apply(Batch { checks: Vec::new(), ops }).await.map(|_| ())
}

/// The candidate did not take. If the current secret still works it goes; if neither is known to, both are kept.
async fn give_up(vault: &Vault, key: &str, current_works: bool, why: Error) -> Result<()> {
    if current_works {
        let ops = vec![Op::DeleteEntry { space: spaces::ROTATIONS.to_owned(), key: key.to_owned() }];
        vault.storage.apply(Batch { checks: Vec::new(), ops }).await?;
    }
    Err(why)
}

fn current(access: &BackendAccess, slot: &str) -> Result<SecretText> {
    access
        .secret
        .clone()
        .ok_or_else(|| Error::backend(format!("unable to rotate root credentials: {slot:?} has no root secret")))
}

fn told(error: CallError) -> Error {
    match error {
        CallError::Failure(f) => Error::backend(f.message),
        CallError::Fault(e) | CallError::Host(e) => e,
    }
}

fn read(key: &str, value: &[u8]) -> Result<Candidate> {
    serde_json::from_slice(value).map_err(|e| Error::internal(format!("rotation {key} does not read: {e}")))
}

/// Brings rotations to their end that a crash or a failure interrupted.
pub(crate) async fn resume(vault: &Arc<Vault>) -> Result<()> {
    for entry in vault.storage.entries(spaces::ROTATIONS, "", None, 1_000).await? {
        let candidate = read(&entry.key, &entry.value)?;
        let Some(mount) = vault.mounts.by_uuid(&candidate.mount) else { continue };
        if let Err(e) = finish(vault, &mount, &entry.key, candidate).await {
            tracing::warn!(rotation = entry.key, error = %e, "a rotation is still unfinished");
        }
    }
    Ok(())
}
