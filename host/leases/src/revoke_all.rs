//! Taking many leases back: all are condemned first, then each is asked for.

use std::collections::HashSet;
use std::sync::Arc;

use cofferdam_failpoints::point;
use cofferdam_model::{Error, Result};
use cofferdam_storage::port::{Batch, LeaseFilter, LeaseState, Op, Outcome};
use futures::{StreamExt, stream};

use crate::breaker::BackendKey;
use crate::ledger::{Ledger, open_all};
use crate::record::Lease;
use crate::revoke::Attempt;
use crate::unreadable::only_by_force;

const PAGE: usize = 500;
/// Leases of one call under way at once; how many of them ask a backend is the breakers' matter.
const AT_ONCE: usize = 16;

impl Ledger {
    /// Takes back everything that the filter finds. All of it is durably on its way out before the first backend is
    /// asked, and a caller that goes away changes nothing. With `sync`, answers when the credentials are gone; a backend
    /// that does not answer is not asked for each of its leases. `force`: forgets also what the backend will not give
    /// back.
    ///
    /// # Errors
    /// The first failure (all leases stay due then); store trouble.
    pub async fn revoke_all(self: &Arc<Self>, filter: LeaseFilter, sync: bool, force: bool) -> Result<()> {
        let ledger = self.clone();
        let task = tokio::spawn(async move {
            let unread = ledger.condemn_all(filter.clone(), force).await?;
            if force {
                ledger.abandon_damaged(&filter).await?;
            }
            ledger.wake.notify_one();
            point!("prefix.condemned");
            if !(sync || force) {
                return Ok(());
            }
            ledger.finish_all(filter.clone(), force).await?;
            ledger.none_damaged(&filter).await?;
            unread.map_or(Ok(()), |id| Err(only_by_force(&id)))
        });
        task.await.unwrap_or_else(|e| Err(Error::internal(format!("the task of a revocation ended: {e}"))))
    }

    /// Answers one of those that do not read, where some are left out.
    async fn condemn_all(&self, mut filter: LeaseFilter, force: bool) -> Result<Option<String>> {
        let mut unread = None;
        loop {
            let rows = self.storage.leases(&filter, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(unread) };
            filter.after = Some(last.id.clone());
            let mut page = Vec::with_capacity(rows.len());
            for row in rows {
                match Lease::open(row.clone()) {
                    Ok(lease) => page.push(lease),
                    Err(e) if force => self.abandon_unreadable(&row.id, &e).await?,
                    Err(e) => {
                        tracing::error!(error = %e, "lease left out");
                        unread = Some(row.id);
                    }
                }
            }
            self.condemn_page(page).await?;
        }
    }

    /// One commit for a whole page; if one of its leases moved meanwhile, they are condemned one by one.
    async fn condemn_page(&self, page: Vec<Lease>) -> Result<()> {
        let page: Vec<Lease> = page.into_iter().filter(|lease| !self.is_condemned(lease)).collect();
        let ops = page
            .iter()
            .map(|old| Ok(Op::UpdateLease { expect: old.version, row: self.condemned(old).row()? }))
            .collect::<Result<Vec<_>>>()?;
        if self.storage.apply(Batch { checks: Vec::new(), ops }).await? == Outcome::Applied {
            return Ok(());
        }
        for lease in page {
            self.condemn(&lease.id, |_| {}).await?;
        }
        Ok(())
    }

    /// One attempt each on what was condemned. The worker may be at it too.
    async fn finish_all(&self, mut filter: LeaseFilter, force: bool) -> Result<()> {
        let mut asked: HashSet<BackendKey> = HashSet::new();
        let mut first = Ok(());
        loop {
            let rows = self.storage.leases(&filter, PAGE).await?;
            let Some(last) = rows.last() else { return first };
            filter.after = Some(last.id.clone());
            let leases = open_all(rows)
                .into_iter()
                .filter(|l| matches!(l.state, LeaseState::Revoking | LeaseState::Blocked))
                .map(|lease| {
                    // Each backend is asked at least once, whatever was heard of it before.
                    let insist = asked.insert((lease.mount.clone(), lease.backend.clone()));
                    (lease, !insist)
                })
                .collect::<Vec<_>>();
            let results = stream::iter(leases)
                .map(|(lease, patient)| async move {
                    match self.attempt(&lease, patient).await {
                        Attempt::Gone | Attempt::Settling => Ok(()),
                        _ if force => self.abandon(&lease.id).await,
                        attempt => attempt.told(&lease),
                    }
                })
                .buffer_unordered(AT_ONCE);
            let mut results = std::pin::pin!(results);
            while let Some(result) = results.next().await {
                if first.is_ok() {
                    first = result;
                }
            }
        }
    }

    /// An operator's explicit word: the row goes although the backend still has, or may have, the object.
    async fn abandon(&self, id: &str) -> Result<()> {
        while let Some(lease) = self.get(id).await? {
            tracing::warn!(
                lease = id,
                object = lease.record.object,
                "forgotten by force; the backend may still hold it"
            );
            if self.remove(&lease).await? {
                break;
            }
        }
        Ok(())
    }
}
