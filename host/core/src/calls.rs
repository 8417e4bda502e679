//! What an engine call may use: assembled here, for every call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cofferdam_crypto::digest::keyed_digest;
use cofferdam_model::engine::{BackendAccess, Call, CallError, Caller, Engine, Kept, Lane, Services};
use cofferdam_model::view::Changes;
use cofferdam_model::{Clock, Error, Result, SecretText};
use cofferdam_storage::Storage;
use cofferdam_storage::port::{Batch, Conflict, Outcome};
use cofferdam_tokens::Token;

use crate::mounts::MountEntry;
use crate::passwords::Passwords;
use crate::targets::Targets;
use crate::vault::Vault;

/// A call that reaches no backend.
pub(crate) const LOCAL_DEADLINE: Duration = Duration::from_secs(10);
/// A call that checks or changes a backend's configuration.
pub(crate) const BACKEND_DEADLINE: Duration = Duration::from_secs(10);
/// A call that brings stored entries to another format.
pub(crate) const MIGRATE_DEADLINE: Duration = Duration::from_secs(60);

/// What operators and the host keep for engines outside of their storage.
struct HostServices {
    passwords: Passwords,
    storage: Storage,
    clock: Arc<dyn Clock>,
    /// The mount's uuid.
    mount: String,
}

#[async_trait]
impl Services for HostServices {
    async fn generate_password(&self, policy: Option<&str>) -> Result<SecretText, String> {
        self.passwords.generate(policy).await
    }

    async fn kept(&self, backend: &str, slot: &str) -> Result<Option<Kept>> {
        crate::kept::shown(&self.storage, &*self.clock, &self.mount, backend, slot).await
    }
}

/// What is told of a call that the host itself made.
pub(crate) fn told(error: CallError) -> Error {
    match error {
        CallError::Failure(f) => Error::backend(f.message),
        CallError::Fault(e) | CallError::Host(e) | CallError::NotStarted(e) => e,
    }
}

impl Vault {
    /// The engine of a mount.
    ///
    /// # Errors
    /// Unavailable, where it does not load: then this mount answers so, and nothing else does.
    pub(crate) async fn engine(&self, mount: &MountEntry) -> Result<Arc<dyn Engine>> {
        self.catalog
            .engine(&mount.kind)
            .await?
            .ok_or_else(|| Error::unavailable(format!("there is no engine of type {:?}", mount.kind)))
    }

    /// A call for a client (with a token) or for the host itself.
    pub(crate) fn call(
        &self,
        mount: &MountEntry,
        request_id: &str,
        token: Option<&Token>,
        backend: Option<BackendAccess>,
        deadline: Duration,
        lane: Lane,
    ) -> Call {
        let secrets = backend.iter().filter_map(|b| b.secret.clone()).collect();
        Call {
            request_id: request_id.to_owned(),
            mount: Arc::new(mount.view(self.system_ttls())),
            caller: token.map(|t| Caller {
                fingerprint: keyed_digest(&self.fingerprint_key, format!("{}/{}", mount.uuid, t.digest)),
                display_name: t.record.display_name.clone(),
            }),
            view: self.storage.view(&mount.uuid),
            services: Arc::new(HostServices {
                passwords: self.passwords.clone(),
                storage: self.storage.clone(),
                clock: self.clock.clone(),
                mount: mount.uuid.clone(),
            }),
            backend,
            deadline,
            lane,
            secrets,
        }
    }

    /// Commits what a call changed, together with `batch`. False: what it read has changed, run it anew.
    pub(crate) async fn commit(
        &self,
        mount: &MountEntry,
        changes: &Changes,
        access: Option<&BackendAccess>,
        mut batch: Batch,
    ) -> Result<bool> {
        batch.extend_changes(&mount.uuid, changes);
        for (name, secret) in &changes.slots {
            let access = access.filter(|a| a.name == *name).ok_or_else(|| {
                Error::internal(format!(
                    "engine {} at {}: put slot {name:?} of another backend",
                    mount.kind, mount.path
                ))
            })?;
            batch.ops.push(Targets::put_slot(&mount.uuid, name, access.target.as_ref(), secret));
        }
        if batch.ops.is_empty() {
            return Ok(true);
        }
        batch.checks.push(cofferdam_storage::port::Check::GateOpen(mount.gate()));
        match self.storage.apply(batch).await? {
            Outcome::Applied => Ok(true),
            Outcome::Conflict(Conflict::Stale) => Ok(false),
            Outcome::Conflict(Conflict::GateShut(_)) => {
                Err(Error::unavailable("the mount is being removed or changed; try again"))
            }
            Outcome::Conflict(why) => Err(Error::internal(format!("commit of a call: {why:?}"))),
        }
    }
}
