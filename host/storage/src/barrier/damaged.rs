//! Leases that do not open: what their plain columns say is all there is, and enough to end them.

use cofferdam_model::Result;

use super::Storage;
use super::seal::Sealed as _;
use crate::port::{LeaseFilter, LeaseRow};

impl Storage {
    /// The plain columns of a lease, its body empty: also where that does not open.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn lease_columns(&self, id: &str) -> Result<Option<LeaseRow>> {
        self.keyring()?;
        let row = self.0.physical.lease(id).await?.filter(|row| row.id == id);
        Ok(row.map(|row| LeaseRow { body: Vec::new(), ..row }))
    }

    /// The plain columns of those leases that were found not to open, sorted by id. A search over leases, or their due
    /// time, finds them.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn damaged_leases(&self, filter: &LeaseFilter) -> Result<Vec<LeaseRow>> {
        let keyring = self.keyring()?;
        let mut ids = self.0.bad_leases.keys();
        ids.sort();
        let mut found = Vec::new();
        for id in ids {
            let Some(row) = self.0.physical.lease(&id).await?.filter(|row| filter.finds(row)) else { continue };
            if row.clone().open(&keyring, "").is_err() {
                found.push(LeaseRow { body: Vec::new(), ..row });
            }
        }
        Ok(found)
    }
}
