//! Leases whose rows do not open or do not read: nobody can ask a backend for them, but they can be seen and forgotten.

use cofferdam_model::{Error, Result};
use cofferdam_storage::port::{Batch, LeaseFilter, Op, Outcome};

use crate::ledger::Ledger;

impl Ledger {
    /// Whether there is a lease of this id, readable or not.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn holds(&self, id: &str) -> Result<bool> {
        Ok(self.storage.lease_columns(id).await?.is_some())
    }

    /// An operator's explicit word on all that the filter finds and that does not open. A search with the filter must
    /// have come before.
    pub(crate) async fn abandon_damaged(&self, filter: &LeaseFilter) -> Result<()> {
        for row in self.storage.damaged_leases(filter).await? {
            self.abandon_unreadable(&row.id, &Error::internal("its row does not open")).await?;
        }
        Ok(())
    }

    /// An operator's explicit word: the row goes, whatever it was for.
    pub(crate) async fn abandon_unreadable(&self, id: &str, why: &Error) -> Result<()> {
        while let Some(row) = self.storage.lease_columns(id).await? {
            let ops = vec![Op::DeleteLease { id: row.id.clone(), expect: row.version }];
            if self.storage.apply(Batch { checks: Vec::new(), ops }).await? == Outcome::Applied {
                tracing::warn!(lease = id, error = %why, "forgotten by force; the backend may still hold what it was for");
                self.events.removed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                self.backends.released(&row.mount, &row.backend, u64::try_from(row.generation).unwrap_or(0)).await;
                break;
            }
        }
        Ok(())
    }

    /// What cannot be taken back because it does not read must not look as if it were gone.
    pub(crate) async fn none_damaged(&self, filter: &LeaseFilter) -> Result<()> {
        match self.storage.damaged_leases(filter).await?.first() {
            None => Ok(()),
            Some(row) => Err(only_by_force(&row.id)),
        }
    }
}

/// What whoever wants such a lease revoked is told.
pub(crate) fn only_by_force(id: &str) -> Error {
    Error::backend(format!("lease {id:?} does not read and cannot be revoked, only forgotten (revoke-force)"))
}
