//! Rotation of root secrets: propose, commit the candidate, apply, prove, promote, retire. A crash resumes with the
//! same candidate, and no secret is forgotten before another one is proven. A candidate that nobody wants any more is
//! given up: what came of it ends before its row does.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cofferdam_failpoints::point;
use cofferdam_model::engine::{BackendAccess, Call, CallError, Cause, Engine, Lane, Target};
use cofferdam_model::view::Version;
use cofferdam_model::{Error, Result, SecretText, ids};
use cofferdam_storage::port::{Batch, Check, Op, Outcome};
use serde::{Deserialize, Serialize};

use crate::calls::told;
use crate::dispatch::broken;
use crate::kept::Kept;
use crate::mounts::MountEntry;
use crate::spaces;
use crate::targets::Targets;
use crate::vault::Vault;

/// A rotation under way. The store seals it.
#[derive(Serialize, Deserialize)]
struct Candidate {
    mount: String,
    slot: String,
    /// Of a credential that is kept in rotation: the backend that it is on. None: it is the backend's root secret.
    #[serde(default)]
    kept_on: Option<String>,
    /// The row of that credential for which this was begun.
    #[serde(default)]
    kept_id: String,
    /// Whose root secret it is. The secret belongs to the address, whatever becomes of the configuration.
    target: Option<Target>,
    candidate: String,
    /// The candidate is the root secret now, and this is the old one: it is to be ended.
    #[serde(default)]
    old: Option<String>,
}

impl Candidate {
    fn backend(&self) -> &str {
        self.kept_on.as_deref().unwrap_or(&self.slot)
    }
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

/// How often the engine may learn a new candidate in one go.
const ROUNDS: u32 = 4;
/// Rotations read in one go.
const PAGE: usize = 1_000;
/// How long one step may take: some backends take their time until they know a new secret.
const STEP: Duration = Duration::from_secs(30);

/// Rotates the root secret in a slot now. A rotation that a crash or a failure left behind is brought to its end
/// instead. The answer is what the engine tells of the new secret, JSON text.
pub(crate) async fn rotate(vault: &Arc<Vault>, mount: &MountEntry, slot: &str) -> Result<Option<String>> {
    rotate_in(vault, mount, slot, None).await
}

/// The same with a credential that is kept in rotation on this backend.
pub(crate) async fn rotate_kept(vault: &Arc<Vault>, mount: &MountEntry, backend: &str, slot: &str) -> Result<()> {
    rotate_in(vault, mount, slot, Some(backend)).await.map(drop)
}

async fn rotate_in(
    vault: &Arc<Vault>,
    mount: &MountEntry,
    slot: &str,
    kept_on: Option<&str>,
) -> Result<Option<String>> {
    vault.fence.check()?;
    let access = vault.targets.access(mount, kept_on.unwrap_or(slot)).await?;
    let address = access.target.as_ref().map_or_else(|| "-".to_owned(), |t| format!("{}:{}", t.host, t.port));
    let key = format!("{}/{slot}/{address}", mount.uuid);
    let _claim = vault.rotating.claim(&key).ok_or_else(|| under_way(slot))?;
    if let Some(begun) = begun(vault, &key).await? {
        let is_given_up = is_given_up(vault, &begun.candidate).await?;
        let name = finish(vault, mount, begun, false).await?;
        // What another credential of this name left behind is no rotation of this one.
        if !is_given_up {
            return Ok(name);
        }
    }
    propose(vault, mount, slot, kept_on, &key, access).await?;
    let begun = begun(vault, &key).await?.ok_or_else(|| under_way(slot))?;
    finish(vault, mount, begun, true).await
}

/// Ends what is left of the rotations of a credential that is kept no longer. An error: they are under way.
pub(crate) async fn settle(vault: &Arc<Vault>, mount: &str, slot: &str) -> Result<()> {
    let prefix = format!("{mount}/{slot}/");
    for entry in vault.storage.entries(spaces::ROTATIONS, &prefix, None, PAGE).await? {
        if read(&entry.key, &entry.value)?.slot != slot {
            continue;
        }
        resume_one(vault, &entry.key).await?;
        if begun(vault, &entry.key).await?.is_some() {
            return Err(under_way(slot));
        }
    }
    Ok(())
}

/// Whether the credential that was to be rotated is kept no longer.
async fn is_given_up(vault: &Vault, candidate: &Candidate) -> Result<bool> {
    if candidate.kept_on.is_none() {
        return Ok(false);
    }
    let kept = crate::kept::read(vault, &candidate.mount, &candidate.slot).await?;
    Ok(kept.is_none_or(|(kept, _)| kept.id != candidate.kept_id))
}

fn under_way(slot: &str) -> Error {
    Error::unavailable(format!("{slot}: a rotation is under way already"))
}

async fn begun(vault: &Vault, key: &str) -> Result<Option<Begun>> {
    let Some(entry) = vault.storage.entry(spaces::ROTATIONS, key).await? else { return Ok(None) };
    Ok(Some(Begun { candidate: read(key, &entry.value)?, key: entry.key, version: entry.version }))
}

async fn propose(
    vault: &Vault,
    mount: &MountEntry,
    slot: &str,
    kept_on: Option<&str>,
    key: &str,
    access: BackendAccess,
) -> Result<()> {
    let engine = vault.engine(mount).await?;
    let (current, kept_id) = match kept_on {
        None if access.target.is_none() && access.secret.is_none() => {
            return Err(broken(&*engine, mount, &format!("a rotation of {slot:?}, which was never configured")));
        }
        None => (current(&access, slot)?, String::new()),
        Some(_) => {
            let (kept, _) = crate::kept::read(vault, &mount.uuid, slot).await?.ok_or_else(|| released(slot))?;
            (secret_of(&kept), kept.id)
        }
    };
    let call = vault.call(mount, &ids::uuid(), None, None, crate::calls::LOCAL_DEADLINE, Lane::Serve);
    let proposed = engine.propose(call, slot, &current).await.map_err(told)?;
    let candidate = Candidate {
        mount: mount.uuid.clone(),
        slot: slot.to_owned(),
        kept_on: kept_on.map(str::to_owned),
        kept_id,
        target: access.target,
        candidate: proposed.expose().to_owned(),
        old: None,
    };
    let checks = vec![Check::Entry { space: spaces::ROTATIONS.to_owned(), key: key.to_owned(), version: 0 }];
    commit(vault, slot, checks, vec![record(key, &candidate)?]).await
}

/// The row of a rotation.
fn record(key: &str, candidate: &Candidate) -> Result<Op> {
    let value = serde_json::to_vec(candidate).map_err(|e| Error::internal(format!("a rotation's record: {e}")))?;
    Ok(Op::PutEntry { space: spaces::ROTATIONS.to_owned(), key: key.to_owned(), value })
}

async fn commit(vault: &Vault, slot: &str, checks: Vec<Check>, ops: Vec<Op>) -> Result<()> {
    match vault.storage.apply(Batch { checks, ops }).await? {
        Outcome::Applied => Ok(()),
        Outcome::Conflict(_) => Err(under_way(slot)),
    }
}

/// A rotation in the hands of this task.
struct Work<'a> {
    vault: &'a Arc<Vault>,
    mount: &'a MountEntry,
    engine: Arc<dyn Engine>,
    access: BackendAccess,
    begun: Begun,
}

/// Applies and proves the candidate, promotes it, and retires the old secret. Repeatable at every point. `fresh`:
/// nobody has tried before.
async fn finish(vault: &Arc<Vault>, mount: &MountEntry, begun: Begun, fresh: bool) -> Result<Option<String>> {
    point!("rotate.proposed");
    let backend = begun.candidate.backend();
    let access = match &begun.candidate.target {
        Some(target) => match vault.targets.at(&mount.uuid, backend, (&target.host, target.port)).await? {
            Some(target) => vault.targets.open(mount, backend, Some(target)).await?,
            // Configuration and leases are gone, and the slot with them.
            None => return forget(vault, &begun).await.map(|()| None),
        },
        None => vault.targets.access(mount, backend).await?,
    };
    let engine = vault.engine(mount).await?;
    let mut work = Work { vault, mount, engine, access, begun };
    if work.begun.candidate.old.is_none()
        && let Err(failed) = work.advance(fresh).await
    {
        // It may have been released at any step.
        return if is_given_up(vault, &work.begun.candidate).await? { work.give_up().await } else { Err(failed) };
    }
    work.retire().await
}

impl Work<'_> {
    fn slot(&self) -> &str {
        &self.begun.candidate.slot
    }

    fn secret(&self) -> SecretText {
        SecretText::new(self.begun.candidate.candidate.clone())
    }

    fn call(&self, secret: &SecretText) -> Call {
        let (mount, access) = (self.mount, self.access.clone());
        let mut call = self.vault.call(mount, &ids::uuid(), None, Some(access), STEP, Lane::Serve);
        call.secrets.push(secret.clone());
        call
    }

    /// From a candidate to the secret that is in use.
    async fn advance(&mut self, fresh: bool) -> Result<()> {
        if is_given_up(self.vault, &self.begun.candidate).await? {
            return Err(released(self.slot()));
        }
        self.apply(fresh).await?;
        self.promote().await
    }

    /// The backend accepts the candidate, or another one that came of it.
    async fn apply(&mut self, fresh: bool) -> Result<()> {
        let current = self.current().await?;
        for _ in 0..ROUNDS {
            let secret = self.secret();
            let applied = self.engine.apply(self.call(&secret), self.slot(), &current, &secret).await;
            point!("rotate.applied");
            match applied {
                Ok(Some(learnt)) => self.learn(&learnt).await?,
                Ok(None) => return self.prove(&secret).await.map_err(told),
                Err(failed) => {
                    // It may have been applied before a crash, or the answer was lost: the candidate itself tells.
                    if self.prove(&secret).await.is_ok() {
                        return Ok(());
                    }
                    // A lost call may still take effect, however well the current secret works: its candidate is kept,
                    // and tried again. Only a no to the first call of all says that the candidate is nobody's.
                    if fresh && is_no(&failed) && self.still_works(&current).await {
                        forget(self.vault, &self.begun).await?;
                    }
                    return Err(told(failed));
                }
            }
        }
        Err(Error::backend(format!("{}: the engine learns new candidates again and again", self.slot())))
    }

    async fn prove(&self, secret: &SecretText) -> Result<(), CallError> {
        self.engine.prove(self.call(secret), self.slot(), secret).await
    }

    /// What is to be replaced.
    async fn current(&self) -> Result<SecretText> {
        match &self.begun.candidate.kept_on {
            None => current(&self.access, self.slot()),
            Some(_) => Ok(secret_of(&self.kept().await?.0)),
        }
    }

    /// The credential for which this was begun.
    async fn kept(&self) -> Result<(Kept, Version)> {
        let found = crate::kept::read(self.vault, &self.mount.uuid, self.slot()).await?;
        found.filter(|(kept, _)| kept.id == self.begun.candidate.kept_id).ok_or_else(|| released(self.slot()))
    }

    /// What was never rotated is not ours to prove.
    async fn still_works(&self, current: &SecretText) -> bool {
        current.expose() == NEVER || self.prove(current).await.is_ok()
    }

    /// The candidate is another one from now on.
    async fn learn(&mut self, learnt: &SecretText) -> Result<()> {
        learnt.expose().clone_into(&mut self.begun.candidate.candidate);
        self.keep(Vec::new(), Vec::new()).await
    }

    /// The candidate becomes the root secret; what is to be done to the old one is kept with it.
    async fn promote(&mut self) -> Result<()> {
        point!("rotate.proven");
        let secret = self.secret();
        if self.begun.candidate.kept_on.is_none() {
            self.begun.candidate.old = Some(self.current().await?.expose().to_owned());
            let put = Targets::put_slot(&self.mount.uuid, self.slot(), self.access.target.as_ref(), &secret);
            return self.keep(Vec::new(), vec![put]).await;
        }
        let (kept, version) = self.kept().await?;
        self.begun.candidate.old = Some(secret_of(&kept).expose().to_owned());
        let (check, put) = crate::kept::promoted(kept, version, &secret, self.vault.clock.proven())?;
        self.keep(vec![check], vec![put]).await
    }

    /// Ends what came of the candidate, and forgets it.
    async fn give_up(&self) -> Result<Option<String>> {
        // What was promoted in a commit whose answer was lost is a candidate no longer.
        let stored = begun(self.vault, &self.begun.key).await?;
        if stored.is_none_or(|stored| stored.version != self.begun.version) {
            return Err(under_way(self.slot()));
        }
        let (candidate, nothing) = (self.secret(), SecretText::new(NEVER));
        point!("rotate.given-up");
        self.engine.retire(self.call(&candidate), self.slot(), &candidate, &nothing).await.map_err(told)?;
        forget(self.vault, &self.begun).await.map(|()| None)
    }

    /// Commits the rotation as it is now, and these changes with it.
    async fn keep(&mut self, mut checks: Vec<Check>, mut ops: Vec<Op>) -> Result<()> {
        ops.push(record(&self.begun.key, &self.begun.candidate)?);
        checks.push(unchanged(&self.begun));
        commit(self.vault, self.slot(), checks, ops).await?;
        let entry = self.vault.storage.entry(spaces::ROTATIONS, &self.begun.key).await?;
        self.begun.version = entry.ok_or_else(|| under_way(self.slot()))?.version;
        Ok(())
    }

    /// Ends what the old secret may still do.
    async fn retire(&self) -> Result<Option<String>> {
        point!("rotate.promoted");
        let new = self.secret();
        let old = SecretText::new(self.begun.candidate.old.clone().unwrap_or_default());
        let known = self.engine.retire(self.call(&new), self.slot(), &old, &new).await.map_err(told)?;
        commit(self.vault, self.slot(), vec![unchanged(&self.begun)], vec![removal(&self.begun)]).await?;
        Ok(known)
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

/// What stands in place of a secret that was never rotated, or that nothing takes the place of.
const NEVER: &str = "null";

fn secret_of(kept: &Kept) -> SecretText {
    SecretText::new(kept.secret.as_deref().unwrap_or(NEVER))
}

fn released(slot: &str) -> Error {
    Error::unavailable(format!("{slot}: it is kept in rotation no longer"))
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
    let mut after: Option<String> = None;
    loop {
        let page = vault.storage.each_entry(spaces::ROTATIONS, "", after.as_deref(), PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        for (key, _) in page {
            if let Err(e) = resume_one(vault, &key).await {
                tracing::warn!(rotation = key, error = %e, "a rotation is still unfinished");
            }
        }
    }
}

async fn resume_one(vault: &Arc<Vault>, key: &str) -> Result<()> {
    let Some(_claim) = vault.rotating.claim(key) else { return Ok(()) };
    let Some(begun) = begun(vault, key).await? else { return Ok(()) };
    match vault.mounts.find(&begun.candidate.mount)? {
        Some(mount) => finish(vault, &mount, begun, false).await.map(drop),
        None => forget(vault, &begun).await,
    }
}
