//! Leases that will not go by themselves.

use cofferdam_model::Result;
use cofferdam_storage::port::{LeaseFilter, LeaseState};

use crate::ledger::Ledger;
use crate::record::Lease;

/// Revocations that a backend answered with no, from which on a lease counts as stuck.
const ATTEMPTS: u32 = 6;
const UNREADABLE: &str = "the lease does not read; revoke-force forgets it";

/// A lease that an operator must look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// `<request path>/<24 letters and digits>`.
    pub id: String,
    /// The mount's uuid.
    pub mount: String,
    /// What was last said of it.
    pub why: Option<String>,
}

impl Ledger {
    /// Leases that a backend refuses to give back, that are blocked, or that came up and could not be read.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn stuck(&self) -> Result<Vec<Stuck>> {
        const PAGE: usize = 1_000;
        let mut out = Vec::new();
        for state in [LeaseState::Revoking, LeaseState::Blocked] {
            let mut filter = LeaseFilter { state: Some(state), ..LeaseFilter::default() };
            loop {
                let page = self.storage.leases(&filter, PAGE).await?;
                let Some(last) = page.last() else { break };
                filter.after = Some(last.id.clone());
                for row in page {
                    let (id, mount) = (row.id.clone(), row.mount.clone());
                    let why = match Lease::open(row) {
                        Ok(lease) if state == LeaseState::Revoking && lease.record.attempts < ATTEMPTS => continue,
                        Ok(lease) => lease.record.last_error,
                        // What opens and does not read is put off as blocked when it comes up.
                        Err(_) if state == LeaseState::Revoking => continue,
                        Err(_) => Some(UNREADABLE.to_owned()),
                    };
                    out.push(Stuck { id, mount, why });
                }
            }
        }
        let damaged = self.storage.damaged_leases(&LeaseFilter::default()).await?.into_iter();
        out.extend(damaged.map(|row| Stuck { id: row.id, mount: row.mount, why: Some(UNREADABLE.to_owned()) }));
        Ok(out)
    }
}
