//! Objects that bear a stamp of ours and have no lease: they get one, to live or to be ended.
//!
//! Nothing is ended here. What is to go gets a condemned row, and from then on it is a revocation as any other.

use cofferdam_model::engine::Handle;
use cofferdam_model::{Error, Result};
use cofferdam_storage::port::{Batch, Check, Conflict, LeaseState, Op, Outcome};

use crate::ledger::Ledger;
use crate::record::{Lease, LeaseRecord};

/// Such an object, as the engine found it.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// The lease's id begins so.
    pub path: String,
    /// The mount's uuid.
    pub mount: String,
    /// Must be open.
    pub gates: Vec<String>,
    /// Where it lives.
    pub backend: String,
    /// Of the backend's target.
    pub generation: u64,
    /// Names the backend itself (its address).
    pub identity: String,
    /// The engine's kind.
    pub kind: String,
    /// The exact name.
    pub object: String,
    /// What revocation needs.
    pub handle: Handle,
    /// What stands on it.
    pub stamp: String,
    /// The component's digest.
    pub digest: String,
}

impl Ledger {
    /// How every stamp of this mount begins.
    pub fn mark(&self, mount: &str) -> String {
        self.stamp(mount, "")
    }

    /// Gives the object a lease that ends in so many seconds. It cannot be renewed: what it was made for is not known.
    ///
    /// # Errors
    /// Where there is a lease of it, or the mount is being removed; store trouble.
    pub async fn adopt(&self, orphan: Orphan, ttl: u64) -> Result<Lease> {
        let lease = self.new_lease(orphan, ttl);
        self.insert(&lease.1, &lease.0).await?;
        self.wake_before(lease.0.record.expires_at, self.clock.now());
        Ok(lease.0)
    }

    /// Gives the object a lease that has ended, and takes that one back.
    ///
    /// # Errors
    /// As [`Ledger::adopt`]; and the backend's failure (the lease stays due then).
    pub async fn end(&self, orphan: Orphan) -> Result<Lease> {
        let (mut lease, gates) = self.new_lease(orphan, 0);
        // Only what bears the stamp goes.
        lease.record.confirmed = false;
        let lease = Lease { version: 1, ..self.condemned(&lease) };
        self.insert(&gates, &lease).await?;
        self.attempt(&lease, false).await.told(&lease)?;
        Ok(lease)
    }

    fn new_lease(&self, orphan: Orphan, ttl: u64) -> (Lease, Vec<String>) {
        let now = self.clock.now();
        let unique = orphan.stamp.rsplit('/').next().unwrap_or_default();
        let expires_at = now.plus_seconds(i64::try_from(ttl).unwrap_or(i64::MAX));
        let lease = Lease {
            id: format!("{}/{unique}", orphan.path),
            object_key: Some(self.object_key(&orphan.identity, &orphan.object)),
            mount: orphan.mount,
            backend: orphan.backend,
            generation: orphan.generation,
            token: None,
            state: LeaseState::Active,
            version: 1,
            due_at: Some(expires_at),
            record: LeaseRecord {
                path: orphan.path,
                kind: orphan.kind,
                role: String::new(),
                object: orphan.object,
                handle: orphan.handle,
                stamp: orphan.stamp,
                digest: orphan.digest,
                issued_at: now,
                expires_at,
                not_after: now,
                settles_after: 0,
                ends_itself: false,
                renewable: false,
                role_ttl: 0,
                role_max_ttl: 0,
                last_renewal: None,
                confirmed: true,
                attempts: 0,
                last_error: None,
                shelved: None,
            },
        };
        (lease, orphan.gates)
    }

    async fn insert(&self, gates: &[String], lease: &Lease) -> Result<()> {
        let free = lease.object_key.iter().map(|key| Check::ObjectFree { object_key: key.clone() });
        let checks = gates.iter().cloned().map(Check::GateOpen).chain(free).collect();
        let ops = vec![Op::InsertLease(lease.row()?)];
        match self.storage.apply(Batch { checks, ops }).await? {
            Outcome::Applied => Ok(()),
            Outcome::Conflict(Conflict::GateShut(_)) => Err(Error::unavailable("the mount is being removed")),
            Outcome::Conflict(_) => Err(Error::invalid(format!("{:?} has got a lease meanwhile", lease.record.object))),
        }
    }
}
