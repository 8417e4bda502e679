//! Renewal: the backend first, the row second, by compare-and-set on its version.

use cofferdam_failpoints::point;
use cofferdam_model::{Error, Result};
use cofferdam_storage::port::{Batch, Op, Outcome};

use crate::issue::client_error;
use crate::ledger::Ledger;
use crate::record::Lease;
use crate::ttl::clamp_renewal;

/// A lease that was renewed.
#[derive(Debug)]
pub struct RenewedLease {
    /// With its new end.
    pub lease: Lease,
    /// Seconds from now.
    pub ttl: u64,
    /// For the client.
    pub warnings: Vec<String>,
}

impl Ledger {
    /// Extends a lease. `increment` 0: as at issue. `default_ttl` and `max_ttl` are the mount's today.
    ///
    /// # Errors
    /// Invalid, where the lease is unknown, ended, not renewable or past its maximum; the backend's failure.
    pub async fn renew(&self, id: &str, increment: u64, default_ttl: u64, max_ttl: u64) -> Result<RenewedLease> {
        let Some(lease) = self.active(id).await? else { return Err(Error::invalid("lease not found")) };
        if !lease.record.renewable {
            return Err(Error::invalid("lease is not renewable"));
        }
        let now = self.clock.now();
        let age = u64::try_from(now.seconds_since(lease.record.issued_at)).unwrap_or(0);
        let Some(clamped) = clamp_renewal(increment, age, &lease.limits(default_ttl, max_ttl)) else {
            return Err(Error::invalid("past the max TTL, cannot renew"));
        };
        let mut next = lease.clone();
        next.version = lease.version + 1;
        next.record.expires_at = now.plus_seconds(i64::try_from(clamped.ttl).unwrap_or(i64::MAX));
        next.record.last_renewal = Some(now);
        next.due_at = Some(next.record.expires_at);
        point!("renew.begun");
        let done = self.backends.renew(&lease, next.for_engine()).await.map_err(client_error)?;
        point!("renew.extended");
        if let Some(handle) = done.value.handle {
            next.record.handle = handle;
        }
        let mut batch = Batch::default();
        batch.extend_changes(&lease.mount, &done.changes);
        batch.ops.push(Op::UpdateLease { expect: lease.version, row: next.row()? });
        if self.storage.apply(batch).await? != Outcome::Applied {
            return Err(Error::invalid("lease not found: it was revoked or renewed at the same moment"));
        }
        self.events.renewed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.wake_before(next.record.expires_at, now);
        let warnings = clamped.warning.into_iter().chain(done.value.warnings).collect();
        Ok(RenewedLease { lease: next, ttl: clamped.ttl, warnings })
    }
}
