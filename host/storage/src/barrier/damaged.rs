//! Rows that do not open, beside those that do. Of a lease the plain columns are all there is then, and enough to end it.

use cofferdam_model::Result;

use super::Storage;
use super::seal::Sealed as _;
use crate::port::{LeaseFilter, LeaseRow, StoredEntry};

impl Storage {
    /// As [`Storage::entries`], of entries that have nothing to do with each other: one that does not open stands for
    /// itself, under its key.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn each_entry(
        &self,
        space: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Result<StoredEntry>)>> {
        let keyring = self.keyring()?;
        let rows = self.0.physical.entries(space, prefix, after, limit).await?;
        Ok(rows.into_iter().map(|row| (row.key.clone(), row.open(&keyring, space))).collect())
    }

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
