//! What every store can do: rows, checks and atomic batches. SQLite implements it; PostgreSQL can, without a caller
//! noticing.
//!
//! A [`Batch`] is data, not a closure: stores commit many batches with one sync, each in a savepoint of its own, and a
//! batch whose check fails changes nothing and does not disturb its neighbours. In a `Batch` bodies are in the clear on
//! the [`crate::Storage`] side and sealed on the [`Physical`] side.

use async_trait::async_trait;
use cofferdam_model::view::Version;
use cofferdam_model::{Result, Timestamp};
use serde::{Deserialize, Serialize};

/// Changes that happen together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// All must hold, inside the transaction, before the first change.
    pub checks: Vec<Check>,
    /// In order.
    pub ops: Vec<Op>,
}

/// What must hold for a batch to be applied. It can be kept in a row, for a batch to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Check {
    /// The entry has this version (0: it is not there).
    Entry {
        /// Owner of the entry (a mount's uuid, or a space of the host's own).
        space: String,
        /// Its key.
        key: String,
        /// What was seen.
        version: Version,
    },
    /// Below the prefix lie so many entries, the newest of this version.
    Range {
        /// Owner of the entries.
        space: String,
        /// "" for all.
        prefix: String,
        /// How many.
        count: i64,
        /// The largest version (0: none).
        newest: Version,
    },
    /// The gate is there and open. See [`Op::SetGate`].
    GateOpen(String),
    /// The token's row is there, live, and not past its end.
    TokenLive {
        /// Keyed digest, hex.
        digest: String,
        /// The time by which it is judged.
        now: Timestamp,
    },
    /// No lease row in a state other than gone has this object key.
    ObjectFree {
        /// Keyed digest of (backend identity, object).
        object_key: String,
    },
}

/// One change. Printed without bodies.
#[derive(Clone)]
pub enum Op {
    /// Puts an entry; it gets a new version.
    PutEntry {
        /// Owner.
        space: String,
        /// Key.
        key: String,
        /// Body.
        value: Vec<u8>,
    },
    /// Deletes an entry, if it is there.
    DeleteEntry {
        /// Owner.
        space: String,
        /// Key.
        key: String,
    },
    /// Deletes all entries of a space.
    DeleteSpace(String),
    /// Sets a gate: a plain row whose openness other batches check (a mount is live, a target may be issued on).
    SetGate {
        /// Name.
        gate: String,
        /// Open or shut.
        open: bool,
    },
    /// Removes a gate.
    DeleteGate(String),
    /// Inserts a lease; fails the batch ([`Outcome::Conflict`]) if the id is taken.
    InsertLease(LeaseRow),
    /// Replaces a lease whose row still has version `expect`; else fails the batch.
    UpdateLease {
        /// The version that was seen.
        expect: i64,
        /// The new row; its version is `expect + 1`.
        row: LeaseRow,
    },
    /// Deletes a lease whose row still has this version; else fails the batch.
    DeleteLease {
        /// Id.
        id: String,
        /// The version that was seen.
        expect: i64,
    },
    /// Inserts a token; fails the batch if the digest or accessor is taken.
    InsertToken(TokenRow),
    /// Replaces a token whose row still has version `expect`; else fails the batch. `uses_left` stays as it is in the
    /// store: a use may have been taken since the row was read.
    UpdateToken {
        /// The version that was seen.
        expect: i64,
        /// The new row; its version is `expect + 1`.
        row: TokenRow,
    },
    /// Takes one use from a live token with a limit; fails the batch if none is left.
    UseToken {
        /// Keyed digest.
        digest: String,
    },
    /// Deletes a token's row, if it is there.
    DeleteToken {
        /// Keyed digest.
        digest: String,
    },
}

/// How a batch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Durable.
    Applied,
    /// A check or an expectation did not hold; nothing changed. Names the first one, for the log and for tests.
    Conflict(Conflict),
}

/// Why a batch was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// An entry or range changed since it was read: run the call anew.
    Stale,
    /// A gate is shut or gone.
    GateShut(String),
    /// The token is revoked, expired or gone.
    TokenGone,
    /// Another live lease has this object.
    ObjectTaken,
    /// A row's version moved on, an id is taken, or no use is left.
    RowMoved,
}

/// States of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeaseState {
    /// The intent is durable; the create may be running.
    Pending,
    /// Handed out.
    Active,
    /// To be taken back.
    Revoking,
    /// Seen absent, but the create may still show an effect.
    Settling,
    /// Only an operator can decide: not ours, or not on the backend that we look at.
    Blocked,
}

/// A lease's row. `body` holds what counts; the plain columns are there to be searched.
#[derive(Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// `<request path>/<24 letters and digits>`.
    pub id: String,
    /// The mount's uuid.
    pub mount: String,
    /// The backend's name in that mount ("" for none).
    pub backend: String,
    /// Of the backend's target.
    pub generation: i64,
    /// Keyed digest of the token that asked (hex), if it hangs on one.
    pub token: Option<String>,
    /// Keyed digest of (backend identity, object): unique among rows.
    pub object_key: Option<String>,
    /// State.
    pub state: LeaseState,
    /// Counts changes of the row.
    pub version: i64,
    /// When something is to be done next; none: never.
    pub due_at: Option<Timestamp>,
    /// Sealed by the barrier.
    pub body: Vec<u8>,
}

/// A token's row.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Keyed digest of the token, hex.
    pub digest: String,
    /// Keyed digest of its accessor, hex.
    pub accessor_key: String,
    /// Digest of its parent, if it has one.
    pub parent: Option<String>,
    /// False once it is being revoked.
    pub live: bool,
    /// Counts changes of the row (uses apart).
    pub version: i64,
    /// When it ends; none: never. Also when its revocation is due again.
    pub due_at: Option<Timestamp>,
    /// Uses left; none: without limit.
    pub uses_left: Option<i64>,
    /// Sealed by the barrier.
    pub body: Vec<u8>,
}

/// Which leases to look at. All given conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct LeaseFilter {
    /// Ids that start so.
    pub prefix: Option<String>,
    /// Hanging on this token (digest).
    pub token: Option<String>,
    /// Of this mount (uuid).
    pub mount: Option<String>,
    /// Of this backend; only with `mount`.
    pub backend: Option<String>,
    /// Of this target generation; only with `backend`.
    pub generation: Option<i64>,
    /// In this state.
    pub state: Option<LeaseState>,
    /// Ids greater than this one.
    pub after: Option<String>,
}

impl LeaseFilter {
    /// Whether the filter finds this row.
    pub fn finds(&self, row: &LeaseRow) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        self.prefix.as_deref().is_none_or(|prefix| row.id.starts_with(prefix))
            && self.token.as_deref().is_none_or(|token| row.token.as_deref() == Some(token))
            && is(&self.mount, &row.mount)
            && is(&self.backend, &row.backend)
            && self.generation.is_none_or(|generation| generation == row.generation)
            && self.state.is_none_or(|state| state == row.state)
            && self.after.as_deref().is_none_or(|after| row.id.as_str() > after)
    }
}

/// One stored entry.
pub type StoredEntry = cofferdam_model::view::Entry;

/// A store. Every method may be called from many tasks at once. An error of kind Unavailable means that the store
/// cannot be used now (full, read-only, damaged, failed sync): writes then stay refused until it is reopened.
#[async_trait]
pub trait Physical: Send + Sync {
    /// Applies a batch durably: when this returns [`Outcome::Applied`], the change survives power loss (where the store
    /// is on disk and asked to sync).
    async fn apply(&self, batch: Batch) -> Result<Outcome>;

    /// One entry.
    async fn entry(&self, space: &str, key: &str) -> Result<Option<StoredEntry>>;
    /// Entries below a prefix, sorted by key, greater than `after`.
    async fn entries(&self, space: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<StoredEntry>>;
    /// Names directly below a prefix ("" or ending in a slash), folders once with a slash, sorted, greater than
    /// `after`. Cost grows with the names returned, not with what lies in the folders.
    async fn names(&self, space: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>>;
    /// Count and newest version below a prefix.
    async fn range(&self, space: &str, prefix: &str) -> Result<(i64, Version)>;

    /// One lease.
    async fn lease(&self, id: &str) -> Result<Option<LeaseRow>>;
    /// Leases sorted by id.
    async fn leases(&self, filter: &LeaseFilter, limit: usize) -> Result<Vec<LeaseRow>>;
    /// How many.
    async fn count_leases(&self, filter: &LeaseFilter) -> Result<i64>;
    /// Names directly below a prefix of the ids of leases that were handed out and are not yet taken back, as
    /// [`Physical::names`]. A create under way, or one that only might still show, is not among them.
    async fn lease_names(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>>;
    /// Leases that are due, earliest first.
    async fn leases_due(&self, now: Timestamp, limit: usize) -> Result<Vec<LeaseRow>>;
    /// As [`Physical::leases_due`], without those on the given backends (mount uuid, name): a queue whose head waits for
    /// a backend that does not answer still has a next one. Must work with a thousand of them.
    async fn leases_due_except(
        &self,
        now: Timestamp,
        except: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<LeaseRow>>;
    /// When the next lease or token is due.
    async fn next_due(&self) -> Result<Option<Timestamp>>;

    /// One token.
    async fn token(&self, digest: &str) -> Result<Option<TokenRow>>;
    /// One token by its accessor's digest.
    async fn token_by_accessor(&self, accessor_key: &str) -> Result<Option<TokenRow>>;
    /// Tokens sorted by digest.
    async fn tokens(&self, after: Option<&str>, limit: usize) -> Result<Vec<TokenRow>>;
    /// Direct children.
    async fn token_children(&self, parent: &str, limit: usize) -> Result<Vec<TokenRow>>;
    /// Tokens that are due, earliest first.
    async fn tokens_due(&self, now: Timestamp, limit: usize) -> Result<Vec<TokenRow>>;

    /// A plain value of the store itself (seal configuration, sealed keyring, cluster id).
    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>>;
    /// Sets plain values, all or nothing, durably.
    async fn set_meta(&self, values: Vec<(String, Vec<u8>)>) -> Result<()>;

    /// `sqlite` or `inmem`: `storage_type` of sys/seal-status.
    fn kind(&self) -> &'static str;

    /// Ends in order: what was accepted is written, what comes later is refused. A store that is not closed loses
    /// nothing; it only takes longer to open.
    async fn close(&self) {}
}
