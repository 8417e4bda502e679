//! Credentials that are made ahead. Each has a lease that is nobody's yet, and its secret lies sealed beside the row;
//! one commit makes the lease a token's and wipes the secret, so that it is handed out once or not at all.

use std::sync::atomic::Ordering;

use cofferdam_failpoints::point;
use cofferdam_model::engine::{Done, Issued};
use cofferdam_model::view::Changes;
use cofferdam_model::{Error, Result, SecretText, Timestamp};
use cofferdam_storage::port::{Batch, Check, Conflict, LeaseState, Op, Outcome};
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::record::{Lease, Shelved};
use crate::ttl::{Clamped, clamp};

/// The space of the secrets that wait.
pub const STOCK: &str = "host/stock";

/// Where a credential is to wait, and for how long.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// Its key begins so.
    pub folder: String,
    /// Seconds. Its backend ends it that much later than it would.
    pub seconds: u64,
    /// What must still hold when it is handed out, besides the gates and what the plan read.
    pub conditions: Vec<Check>,
}

/// The entry beside the row. The store seals it.
#[derive(Serialize, Deserialize)]
struct Entry {
    lease: String,
    data: String,
    made_at: Timestamp,
    conditions: Vec<Check>,
}

/// A credential that waits.
#[derive(Debug)]
pub struct Stocked {
    /// Of its entry; in the order in which they were made.
    pub key: String,
    /// Its lease's id.
    pub lease: String,
    /// When it could be used first, as far as its create knows.
    pub made_at: Timestamp,
    data: SecretText,
    conditions: Vec<Check>,
}

/// What whoever asks would get if it were made now.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The path of the request.
    pub path: &'a str,
    /// The component's digest.
    pub digest: &'a str,
    /// Of the mount, in seconds.
    pub default_ttl: u64,
    /// Of the mount, in seconds.
    pub max_ttl: u64,
}

/// A credential that has become a token's.
#[derive(Debug)]
pub struct HandedOut {
    /// With its owner and its end.
    pub lease: Lease,
    /// Seconds from now.
    pub ttl: Clamped,
    /// For the client, JSON text of an object.
    pub data: SecretText,
}

impl Shelf {
    pub(crate) fn place(self, now: Timestamp, unique: &str) -> Shelved {
        let seconds = i64::try_from(self.seconds).unwrap_or(i64::MAX);
        Shelved { key: format!("{}{:020}-{unique}", self.folder, now.0), until: now.plus_seconds(seconds) }
    }
}

/// What must hold when it is handed out: the gates, what the plan read, and what the host adds.
pub(crate) fn terms(shelf: &mut Shelf, mount: &str, gates: &[String], plan: &Changes) -> Result<Vec<Check>> {
    if !plan.is_empty() {
        return Err(writes());
    }
    let mut conditions = std::mem::take(&mut shelf.conditions);
    conditions.extend(gates.iter().cloned().map(Check::GateOpen));
    conditions.extend(Batch::new().changes(mount, plan).checks);
    Ok(conditions)
}

/// What the plan read would be another thing as soon as the credential is made.
fn writes() -> Error {
    Error::invalid("its engine writes entries when it makes a credential: none can be made ahead")
}

/// Puts the secret, with the activation; what the create read must hold too.
pub(crate) fn put(
    lease: &Lease,
    shelved: &Shelved,
    done: &Done<Issued>,
    mut conditions: Vec<Check>,
    now: Timestamp,
) -> Result<Op> {
    if !done.changes.is_empty() {
        return Err(writes());
    }
    conditions.extend(Batch::new().changes(&lease.mount, &done.changes).checks);
    let data = done.value.data.expose().to_owned();
    let entry = Entry { lease: lease.id.clone(), data, made_at: now, conditions };
    let value = serde_json::to_vec(&entry).map_err(|e| Error::internal(format!("a stocked credential: {e}")))?;
    Ok(Op::PutEntry { space: STOCK.to_owned(), key: shelved.key.clone(), value })
}

/// Wipes the secret, with whatever ends its waiting.
pub(crate) fn wipe(shelved: &Shelved) -> Op {
    Op::DeleteEntry { space: STOCK.to_owned(), key: shelved.key.clone() }
}

impl Ledger {
    /// What waits in a folder ("" for all), oldest first. What does not read is left out (and logged).
    ///
    /// # Errors
    /// Store trouble.
    pub async fn stocked(&self, folder: &str, after: Option<&str>, limit: usize) -> Result<Vec<Stocked>> {
        let entries = self.storage.each_entry(STOCK, folder, after, limit).await?;
        let read = entries.into_iter().filter_map(|(key, row)| {
            let found = row.and_then(|row| {
                serde_json::from_slice::<Entry>(&row.value)
                    .map_err(|e| Error::internal(format!("it does not read: {e}")))
            });
            let found =
                found.inspect_err(|error| tracing::error!(entry = key, %error, "a stocked credential is left out"));
            let Entry { lease, data, made_at, conditions } = found.ok()?;
            Some(Stocked { key, lease, made_at, data: SecretText::new(data), conditions })
        });
        Ok(read.collect())
    }

    /// Makes a waiting credential the token's, with a term that begins now. None: it cannot be had (any more), or is
    /// not what would be made now; in the latter case it is on its way out.
    ///
    /// # Errors
    /// Where the token is no longer live; store trouble.
    pub async fn hand_out(&self, stocked: &Stocked, wanted: &Wanted<'_>, token: &str) -> Result<Option<HandedOut>> {
        let Some(lease) = self.waiting(stocked).await? else { return Ok(None) };
        let now = self.clock.now();
        let Some(ttl) = term(&lease, wanted, now) else {
            self.discard(&lease).await?;
            return Ok(None);
        };
        let mut next = lease.clone();
        next.version = lease.version + 1;
        next.token = Some(token.to_owned());
        next.record.shelved = None;
        next.record.issued_at = now;
        next.record.expires_at = now.plus_seconds(i64::try_from(ttl.ttl).unwrap_or(i64::MAX));
        next.due_at = Some(next.record.expires_at);
        let mut checks = stocked.conditions.clone();
        checks.push(Check::TokenLive { digest: token.to_owned(), now });
        let mut ops = vec![Op::UpdateLease { expect: lease.version, row: next.row()? }];
        ops.extend(lease.record.shelved.as_ref().map(wipe));
        point!("stock.handing");
        match self.storage.apply(Batch { checks, ops }).await {
            Ok(Outcome::Applied) => {}
            Ok(Outcome::Conflict(Conflict::TokenGone)) => return Err(Error::bad_token()),
            Ok(Outcome::Conflict(Conflict::Stale | Conflict::GateShut(_))) => {
                self.discard(&lease).await?;
                return Ok(None);
            }
            Ok(Outcome::Conflict(_)) => return Ok(None),
            // The outcome of the commit is unknown: the row tells.
            Err(trouble) => match self.get(&lease.id).await {
                Ok(Some(found)) if found == next => {}
                _ => return Err(trouble),
            },
        }
        self.events.issued.fetch_add(1, Ordering::Relaxed);
        self.wake_before(next.record.expires_at, now);
        point!("stock.handed");
        Ok(Some(HandedOut { lease: next, ttl, data: stocked.data.clone() }))
    }

    /// Takes back what is no longer what would be made now, and what is more than `size`; answers how many are left.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn weed(&self, stock: &[Stocked], wanted: &Wanted<'_>, size: u64) -> Result<u64> {
        // A leap ahead ends nothing before it has lasted.
        let now = self.clock.proven();
        let mut good = 0;
        // Most of them were made by the same entries.
        let mut known: Option<(&[Check], bool)> = None;
        for stocked in stock {
            let Some(lease) = self.waiting(stocked).await? else { continue };
            let holds = match known {
                Some((conditions, holds)) if conditions == stocked.conditions => holds,
                _ => self.still_hold(&stocked.conditions).await?,
            };
            known = Some((&stocked.conditions, holds));
            if good < size && holds && term(&lease, wanted, now).is_some() {
                good += 1;
            } else {
                self.discard(&lease).await?;
            }
        }
        Ok(good)
    }

    /// Takes back what waits for nobody. An entry whose lease is gone is wiped.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn clear_away(&self, stocked: &Stocked) -> Result<()> {
        match self.get(&stocked.lease).await? {
            Some(lease) if is_at(&lease, &stocked.key) => self.discard(&lease).await,
            // Its revocation wipes the entry, or has done so.
            Some(lease) if lease.record.shelved.is_some() => Ok(()),
            _ => {
                let ops = vec![Op::DeleteEntry { space: STOCK.to_owned(), key: stocked.key.clone() }];
                self.storage.apply(Batch { checks: Vec::new(), ops }).await.map(drop)
            }
        }
    }

    /// The lease of a credential that waits, if it still does.
    async fn waiting(&self, stocked: &Stocked) -> Result<Option<Lease>> {
        Ok(self.get(&stocked.lease).await?.filter(|lease| is_at(lease, &stocked.key)))
    }

    /// Condemns exactly the row that was seen: what was handed out meanwhile is a client's.
    async fn discard(&self, seen: &Lease) -> Result<()> {
        if self.expire(seen).await?.is_some() {
            self.wake.notify_one();
        }
        Ok(())
    }

    async fn still_hold(&self, conditions: &[Check]) -> Result<bool> {
        let batch = Batch { checks: conditions.to_vec(), ops: Vec::new() };
        Ok(self.storage.apply(batch).await? == Outcome::Applied)
    }
}

fn is_at(lease: &Lease, key: &str) -> bool {
    lease.state == LeaseState::Active && lease.record.shelved.as_ref().is_some_and(|shelved| shelved.key == key)
}

/// The term that the lease would have from now on; none where it is not what would be made now, has waited its time, or
/// would outlive what its backend was told.
fn term(lease: &Lease, wanted: &Wanted<'_>, now: Timestamp) -> Option<Clamped> {
    let record = &lease.record;
    let ttl = clamp(0, &lease.limits(wanted.default_ttl, wanted.max_ttl));
    let end = now.plus_seconds(i64::try_from(ttl.ttl).unwrap_or(i64::MAX));
    let waits = record.shelved.as_ref().is_some_and(|shelved| now < shelved.until);
    let same = record.path == wanted.path && record.digest == wanted.digest;
    (waits && same && end <= record.expires_at).then_some(ttl)
}
