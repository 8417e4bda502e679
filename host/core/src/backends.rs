//! How the ledger reaches the engine that a lease was made by.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use cofferdam_leases::{Backends, Lease};
use cofferdam_model::engine::{Call, CallError, Done, Ended, Engine, EngineLease, Lane, Renewed};
use cofferdam_model::{Error, Result, ids};

use crate::calls::BACKEND_DEADLINE;
use crate::mounts::MountEntry;
use crate::vault::Vault;

const REVOKE_DEADLINE: Duration = Duration::from_secs(15);

/// The engines of a vault, seen from its ledger.
pub(crate) struct EngineBackends {
    vault: Weak<Vault>,
}

impl EngineBackends {
    pub(crate) fn new(vault: Weak<Vault>) -> Self {
        Self { vault }
    }

    async fn reach(&self, lease: &Lease, deadline: Duration, lane: Lane) -> Result<(Arc<dyn Engine>, Call)> {
        let vault = self.vault.upgrade().ok_or_else(|| Error::unavailable("the server is being sealed"))?;
        vault.fence.check()?;
        let mount = vault
            .mounts
            .find(&lease.mount)?
            .ok_or_else(|| Error::internal(format!("lease {}: its mount is gone", lease.id)))?;
        let engine = vault.engine(&mount).await?;
        self.check_format(&*engine, &mount, lease).await?;
        let access = vault.targets.access_of(&mount, &lease.backend, lease.generation).await?;
        if access.target.is_none() {
            // Without its backend an engine could only guess, and a guessed "absent" would forget the object.
            return Err(Error::unavailable(format!("lease {}: the address of its backend is gone", lease.id)));
        }
        let call = vault.call(&mount, &format!("lease-{}", ids::uuid()), None, Some(access), deadline, lane);
        Ok((engine, call))
    }

    /// An engine that cannot read what an earlier build remembered must not guess.
    async fn check_format(&self, engine: &dyn Engine, mount: &MountEntry, lease: &Lease) -> Result<()> {
        let description = engine.describe(&mount.path, &mount.options()).await?;
        let reads =
            description.kind(&lease.record.kind).is_some_and(|k| k.reads_formats.contains(&lease.record.handle.format));
        if reads {
            return Ok(());
        }
        Err(Error::unavailable(format!(
            "lease {}: this build of the engine does not read format {} of {:?}",
            lease.id, lease.record.handle.format, lease.record.kind
        )))
    }
}

#[async_trait]
impl Backends for EngineBackends {
    async fn revoke(&self, lease: &Lease) -> Result<Ended, CallError> {
        let (engine, call) = self.reach(lease, REVOKE_DEADLINE, Lane::Revoke).await?;
        let mut answers = engine.revoke(call, vec![lease.for_engine()]).await?;
        match answers.pop() {
            Some(answer) if answers.is_empty() => answer.map_err(CallError::Failure),
            _ => Err(CallError::Fault(Error::backend("the engine answered for other leases than it was asked about"))),
        }
    }

    async fn renew(&self, lease: &Lease, extended: EngineLease) -> Result<Done<Renewed>, CallError> {
        let (engine, call) = self.reach(lease, BACKEND_DEADLINE, Lane::Serve).await?;
        engine.renew(call, extended).await
    }

    async fn released(&self, mount: &str, backend: &str, generation: u64) {
        let Some(vault) = self.vault.upgrade() else { return };
        let Some(mount) = vault.mounts.by_uuid(mount) else { return };
        vault.release_target(&mount, backend, generation).await;
    }
}
