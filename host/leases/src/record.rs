//! What is remembered of a lease.

use cofferdam_model::engine::{EngineLease, Handle};
use cofferdam_model::{Error, Result, Timestamp};
use cofferdam_storage::port::{LeaseRow, LeaseState};
use serde::{Deserialize, Serialize};

use crate::ttl::Limits;

/// The sealed body of a lease's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// The path of the request that made it.
    pub path: String,
    /// The engine's kind.
    pub kind: String,
    /// The role, for people.
    pub role: String,
    /// The exact name of the object.
    pub object: String,
    /// Private to the engine; holds what revocation needs.
    pub handle: Handle,
    /// Written onto the object.
    pub stamp: String,
    /// The component that made it (hex SHA-256).
    pub digest: String,
    /// When.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// No effect of the create may appear from then on.
    pub not_after: Timestamp,
    /// Seconds after `not_after` until which an undecided create may still show.
    pub settles_after: u64,
    /// The backend ends the credential by itself: nobody asks for a revocation.
    #[serde(default)]
    pub ends_itself: bool,
    /// May be renewed.
    pub renewable: bool,
    /// Role's wishes at issue, in seconds.
    pub role_ttl: u64,
    /// As above.
    pub role_max_ttl: u64,
    /// The last renewal.
    pub last_renewal: Option<Timestamp>,
    /// The create was seen to have succeeded.
    pub confirmed: bool,
    /// Revocations that the backend answered with no.
    pub attempts: u32,
    /// What the last one said; redacted.
    pub last_error: Option<String>,
    /// It was made ahead and is nobody's yet: where its secret waits.
    #[serde(default)]
    pub shelved: Option<Shelved>,
}

/// The place of a credential that waits for whoever asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelved {
    /// Of the entry with its secret, in [`crate::STOCK`].
    pub key: String,
    /// It is taken back then.
    pub until: Timestamp,
}

/// A lease: its row, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// `<request path>/<24 letters and digits>`.
    pub id: String,
    /// The mount's uuid.
    pub mount: String,
    /// The backend's name in that mount.
    pub backend: String,
    /// Of the backend's target.
    pub generation: u64,
    /// Digest of the token that asked.
    pub token: Option<String>,
    /// Unique among live leases.
    pub object_key: Option<String>,
    /// State.
    pub state: LeaseState,
    /// Counts changes of the row.
    pub version: i64,
    /// When something is to be done next.
    pub due_at: Option<Timestamp>,
    /// The rest.
    pub record: LeaseRecord,
}

impl Lease {
    /// Opens a row.
    ///
    /// # Errors
    /// A body that does not read; the row then waits for an operator and stops nothing else.
    pub fn open(row: LeaseRow) -> Result<Self> {
        let record = serde_json::from_slice(&row.body)
            .map_err(|e| Error::internal(format!("lease {}: its record does not read: {e}", row.id)))?;
        Ok(Self {
            id: row.id,
            mount: row.mount,
            backend: row.backend,
            generation: u64::try_from(row.generation).unwrap_or(0),
            token: row.token,
            object_key: row.object_key,
            state: row.state,
            version: row.version,
            due_at: row.due_at,
            record,
        })
    }

    /// The row that holds this lease.
    ///
    /// # Errors
    /// Where the record does not become JSON, which is a fault of ours.
    pub fn row(&self) -> Result<LeaseRow> {
        let body = serde_json::to_vec(&self.record).map_err(|e| Error::internal(format!("lease record: {e}")))?;
        Ok(LeaseRow {
            id: self.id.clone(),
            mount: self.mount.clone(),
            backend: self.backend.clone(),
            generation: i64::try_from(self.generation).unwrap_or(i64::MAX),
            token: self.token.clone(),
            object_key: self.object_key.clone(),
            state: self.state,
            version: self.version,
            due_at: self.due_at,
            body,
        })
    }

    /// As the engine sees it.
    pub fn for_engine(&self) -> EngineLease {
        let unix = |t: Timestamp| u64::try_from(t.seconds()).unwrap_or(0);
        EngineLease {
            id: self.id.clone(),
            kind: self.record.kind.clone(),
            role: self.record.role.clone(),
            backend: self.backend.clone(),
            object: self.record.object.clone(),
            handle: self.record.handle.clone(),
            stamp: self.record.stamp.clone(),
            issued_at: unix(self.record.issued_at),
            expires_at: unix(self.record.expires_at),
            not_after: unix(self.record.not_after),
            confirmed: self.record.confirmed,
        }
    }

    /// From then on an undecided create can no longer show an effect.
    pub fn settled_at(&self) -> Timestamp {
        self.record.not_after.plus_seconds(i64::try_from(self.record.settles_after).unwrap_or(i64::MAX))
    }

    /// The limits of a renewal, given those of the mount today.
    pub fn limits(&self, default_ttl: u64, max_ttl: u64) -> Limits {
        Limits { default_ttl, max_ttl, role_ttl: self.record.role_ttl, role_max_ttl: self.record.role_max_ttl }
    }
}
