//! The barrier: plain rows above, sealed rows below.

mod count;
mod damaged;
mod quarantine;
mod scoped;
mod seal;

use std::sync::{Arc, PoisonError, RwLock};

use cofferdam_crypto::keyring::aad;
use cofferdam_crypto::{Keyring, Zeroizing};
use cofferdam_model::view::{Version, View};
use cofferdam_model::{Error, ErrorKind, Result, Timestamp};
use futures::future::BoxFuture;

use crate::port::{Batch, LeaseFilter, LeaseRow, Op, Outcome, Physical, StoredEntry, TokenRow};
use count::Count;
use quarantine::Quarantine;
use seal::Sealed;

/// The store behind its barrier. A clone is another handle of the same store.
#[derive(Clone)]
pub struct Storage(Arc<Inner>);

struct Inner {
    physical: Arc<dyn Physical>,
    open: RwLock<Option<Arc<Open>>>,
    bad_leases: Quarantine,
    bad_tokens: Quarantine,
}

/// What there is only while the barrier is open.
struct Open {
    keyring: Arc<Keyring>,
    count: Count,
}

impl Storage {
    /// A sealed store: everything but plain values answers Sealed.
    pub fn new(physical: Arc<dyn Physical>) -> Self {
        Self(Arc::new(Inner {
            physical,
            open: RwLock::new(None),
            bad_leases: Quarantine::default(),
            bad_tokens: Quarantine::default(),
        }))
    }

    /// Tells the keyring what its active term has encrypted in earlier runs. False: the store does not know, and the
    /// term should not be used any more.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn recall_count(&self, keyring: &Keyring) -> Result<bool> {
        let known = count::recall(keyring, &*self.0.physical).await?;
        keyring.set_base(known.unwrap_or(0));
        Ok(known.is_some())
    }

    /// Opens the barrier.
    pub fn unseal(&self, keyring: Arc<Keyring>) {
        self.0.bad_leases.clear();
        self.0.bad_tokens.clear();
        let made = keyring.encryptions();
        self.set_open(Some(Open { keyring, count: Count::new(made, made) }));
    }

    /// Exchanges the keyring of an open barrier for one that was rotated from it, and sets plain values with it (the
    /// wrapped keyring first of all), all or nothing.
    ///
    /// # Errors
    /// Sealed: the barrier was closed meanwhile, the new keyring is only on the disk. Unavailable: it may be there.
    pub async fn replace_keyring(&self, keyring: Arc<Keyring>, mut values: Vec<(String, Vec<u8>)>) -> Result<()> {
        values.push(count::record(&keyring, count::BLOCK));
        self.0.physical.set_meta(values).await?;
        let mut open = self.0.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            return Err(sealed());
        }
        let made = keyring.encryptions();
        *open = Some(Arc::new(Open { keyring, count: Count::new(made, count::BLOCK) }));
        Ok(())
    }

    /// A plain value, sealed by this keyring.
    ///
    /// # Errors
    /// The key is used up.
    pub fn seal_meta(keyring: &Keyring, key: &str, value: &[u8]) -> Result<Vec<u8>> {
        Ok(keyring.seal(&aad("meta", "", key), value)?)
    }

    /// Sets a plain value, sealed.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn set_sealed_meta(&self, key: &str, value: &[u8]) -> Result<()> {
        let open = self.opened()?;
        open.count.claim(1, &open.keyring, &*self.0.physical).await?;
        let value = Self::seal_meta(&open.keyring, key, value)?;
        self.set_meta(vec![(key.to_owned(), value)]).await
    }

    /// What [`Storage::set_sealed_meta`] set.
    ///
    /// # Errors
    /// Sealed; Unavailable; Internal where it does not open.
    pub async fn sealed_meta(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let keyring = self.keyring()?;
        let Some(value) = self.meta(key).await? else { return Ok(None) };
        let open = keyring.open(&aad("meta", "", key), &value);
        open.map(Some).map_err(|e| seal::damaged(format!("the plain value {key:?} cannot be opened: {e}")))
    }

    /// Writes down exactly how often the active key has encrypted, for an orderly end.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn settle_count(&self) -> Result<()> {
        let open = self.opened()?;
        open.count.settle(&open.keyring, &*self.0.physical).await
    }

    /// Closes the barrier. Keys are wiped as soon as the calls that still use them have ended.
    pub fn seal(&self) {
        self.set_open(None);
    }

    fn set_open(&self, open: Option<Open>) {
        *self.0.open.write().unwrap_or_else(PoisonError::into_inner) = open.map(Arc::new);
    }

    fn opened(&self) -> Result<Arc<Open>> {
        self.0.open.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(sealed)
    }

    /// The keyring, while the barrier is open.
    ///
    /// # Errors
    /// Sealed.
    pub fn keyring(&self) -> Result<Arc<Keyring>> {
        Ok(self.opened()?.keyring.clone())
    }

    /// Whether the barrier is closed.
    pub fn is_sealed(&self) -> bool {
        self.0.open.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Rows of leases and tokens that could not be opened since the last unseal.
    pub fn unreadable(&self) -> usize {
        self.0.bad_leases.len() + self.0.bad_tokens.len()
    }

    /// The entries of one space, for a mount.
    pub fn view(&self, space: &str) -> Arc<dyn View> {
        Arc::new(scoped::Scoped { storage: self.clone(), space: space.to_owned() })
    }

    /// Applies a batch durably. See [`Physical::apply`].
    ///
    /// # Errors
    /// Sealed; Unavailable: whether the batch was applied is then not always known.
    pub async fn apply(&self, batch: Batch) -> Result<Outcome> {
        let open = self.opened()?;
        let Batch { checks, ops } = batch;
        let repaired = self.repairs(&ops);
        // A deletion encrypts nothing; to count it too costs nothing.
        open.count.claim(ops.len() as u64, &open.keyring, &*self.0.physical).await?;
        let ops = ops.into_iter().map(|op| seal::op(&open.keyring, op)).collect::<Result<_>>()?;
        let outcome = self.0.physical.apply(Batch { checks, ops }).await?;
        if outcome == Outcome::Applied {
            for (quarantine, key) in repaired {
                quarantine.remove(&key);
            }
        }
        Ok(outcome)
    }

    /// Quarantined rows that these changes replace or delete.
    fn repairs(&self, ops: &[Op]) -> Vec<(&Quarantine, String)> {
        if self.unreadable() == 0 {
            return Vec::new();
        }
        let Inner { bad_leases, bad_tokens, .. } = &*self.0;
        ops.iter()
            .filter_map(|op| match op {
                Op::UpdateLease { row: LeaseRow { id, .. }, .. } | Op::DeleteLease { id, .. } => {
                    Some((bad_leases, id.clone()))
                }
                Op::UpdateToken { row: TokenRow { digest, .. }, .. } | Op::DeleteToken { digest } => {
                    Some((bad_tokens, digest.clone()))
                }
                _ => None,
            })
            .collect()
    }

    /// One entry.
    ///
    /// # Errors
    /// Sealed; Unavailable; Internal where it does not open.
    pub async fn entry(&self, space: &str, key: &str) -> Result<Option<StoredEntry>> {
        let keyring = self.keyring()?;
        open_one(self.0.physical.entry(space, key).await?, &keyring, space, |e| e.key == key)
    }

    /// The version of an entry; 0: it is not there.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn version(&self, space: &str, key: &str) -> Result<Version> {
        self.opened()?;
        let entry = asked_for(self.0.physical.entry(space, key).await?, |e| e.key == key)?;
        Ok(entry.map_or(0, |entry| entry.version))
    }

    /// Entries below a prefix, sorted by key, greater than `after`.
    ///
    /// # Errors
    /// As [`Storage::entry`]: a scan without one of its entries would be a lie.
    pub async fn entries(
        &self,
        space: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredEntry>> {
        let keyring = self.keyring()?;
        let rows = self.0.physical.entries(space, prefix, after, limit).await?;
        rows.into_iter().map(|e| e.open(&keyring, space)).collect()
    }

    /// Names directly below a prefix. See [`Physical::names`].
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn names(&self, space: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.keyring()?;
        self.0.physical.names(space, prefix, after, limit).await
    }

    /// Count and newest version below a prefix.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn range(&self, space: &str, prefix: &str) -> Result<(i64, Version)> {
        self.keyring()?;
        self.0.physical.range(space, prefix).await
    }

    /// One lease.
    ///
    /// # Errors
    /// As [`Storage::entry`].
    pub async fn lease(&self, id: &str) -> Result<Option<LeaseRow>> {
        let keyring = self.keyring()?;
        open_one(self.0.physical.lease(id).await?, &keyring, "", |r| r.id == id)
    }

    /// Leases sorted by id. Rows that do not open are passed over.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn leases(&self, filter: &LeaseFilter, limit: usize) -> Result<Vec<LeaseRow>> {
        let keyring = self.keyring()?;
        let mut filter = filter.clone();
        let mut out = Vec::new();
        loop {
            let wanted = limit - out.len();
            let rows = self.0.physical.leases(&filter, wanted).await?;
            let more = rows.len() == wanted;
            filter.after = rows.last().map(|r| r.id.clone()).or(filter.after);
            open_all(&keyring, rows, &self.0.bad_leases, &mut out);
            if !more || out.len() >= limit {
                return Ok(out);
            }
        }
    }

    /// How many, those included that do not open.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn count_leases(&self, filter: &LeaseFilter) -> Result<i64> {
        self.keyring()?;
        self.0.physical.count_leases(filter).await
    }

    /// Names directly below a prefix of the ids of leases that are not yet taken back.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn lease_names(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.keyring()?;
        self.0.physical.lease_names(prefix, after, limit).await
    }

    /// Leases that are due, earliest first. Rows that do not open are passed over.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn leases_due(&self, now: Timestamp, limit: usize) -> Result<Vec<LeaseRow>> {
        self.skipping(&self.0.bad_leases, limit, |n| self.0.physical.leases_due(now, n)).await
    }

    /// As [`Storage::leases_due`], without those on the given backends (mount uuid, name).
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn leases_due_except(
        &self,
        now: Timestamp,
        except: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<LeaseRow>> {
        self.skipping(&self.0.bad_leases, limit, |n| self.0.physical.leases_due_except(now, except, n)).await
    }

    /// When the next lease or token is due, those apart that do not open.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn next_due(&self) -> Result<Option<Timestamp>> {
        const EVER: Timestamp = Timestamp(i64::MAX);
        self.keyring()?;
        let Inner { physical, bad_leases, bad_tokens, .. } = &*self.0;
        if self.unreadable() == 0 {
            return physical.next_due().await;
        }
        let leases = physical.leases_due(EVER, bad_leases.len() + 1).await?;
        let tokens = physical.tokens_due(EVER, bad_tokens.len() + 1).await?;
        let lease = leases.iter().find(|r| !bad_leases.contains(&r.id)).and_then(|r| r.due_at);
        let token = tokens.iter().find(|r| !bad_tokens.contains(&r.digest)).and_then(|r| r.due_at);
        Ok(lease.into_iter().chain(token).min())
    }

    /// One token.
    ///
    /// # Errors
    /// As [`Storage::entry`].
    pub async fn token(&self, digest: &str) -> Result<Option<TokenRow>> {
        let keyring = self.keyring()?;
        open_one(self.0.physical.token(digest).await?, &keyring, "", |r| r.digest == digest)
    }

    /// One token as it is stored: all of it counts but the body, for which there is [`Storage::open_token`].
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn sealed_token(&self, digest: &str) -> Result<Option<TokenRow>> {
        self.opened()?;
        asked_for(self.0.physical.token(digest).await?, |r| r.digest == digest)
    }

    /// What [`Storage::sealed_token`] found, opened.
    ///
    /// # Errors
    /// As [`Storage::entry`].
    pub fn open_token(&self, row: TokenRow) -> Result<TokenRow> {
        row.open(&*self.keyring()?, "")
    }

    /// One token by its accessor's digest.
    ///
    /// # Errors
    /// As [`Storage::entry`].
    pub async fn token_by_accessor(&self, accessor_key: &str) -> Result<Option<TokenRow>> {
        let keyring = self.keyring()?;
        let row = self.0.physical.token_by_accessor(accessor_key).await?;
        open_one(row, &keyring, "", |r| r.accessor_key == accessor_key)
    }

    /// Tokens sorted by digest. Rows that do not open are passed over.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn tokens(&self, after: Option<&str>, limit: usize) -> Result<Vec<TokenRow>> {
        let keyring = self.keyring()?;
        let mut after = after.map(str::to_owned);
        let mut out = Vec::new();
        loop {
            let wanted = limit - out.len();
            let rows = self.0.physical.tokens(after.as_deref(), wanted).await?;
            let more = rows.len() == wanted;
            after = rows.last().map(|r| r.digest.clone()).or(after);
            open_all(&keyring, rows, &self.0.bad_tokens, &mut out);
            if !more || out.len() >= limit {
                return Ok(out);
            }
        }
    }

    /// Direct children. Rows that do not open are passed over.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn token_children(&self, parent: &str, limit: usize) -> Result<Vec<TokenRow>> {
        self.skipping(&self.0.bad_tokens, limit, |n| self.0.physical.token_children(parent, n)).await
    }

    /// Tokens that are due, earliest first. Rows that do not open are passed over.
    ///
    /// # Errors
    /// Sealed; Unavailable.
    pub async fn tokens_due(&self, now: Timestamp, limit: usize) -> Result<Vec<TokenRow>> {
        self.skipping(&self.0.bad_tokens, limit, |n| self.0.physical.tokens_due(now, n)).await
    }

    /// Up to `limit` rows that open. `fetch` always begins with the first row, so it is asked for as many more as there
    /// are known to be passed over, and asked again when there turn out to be others.
    async fn skipping<'a, R: Sealed>(
        &'a self,
        bad: &Quarantine,
        limit: usize,
        fetch: impl Fn(usize) -> BoxFuture<'a, Result<Vec<R>>>,
    ) -> Result<Vec<R>> {
        let keyring = self.keyring()?;
        loop {
            let known = bad.len();
            let wanted = limit.saturating_add(known);
            let rows = fetch(wanted).await?;
            let more = rows.len() == wanted;
            let mut out = Vec::new();
            open_all(&keyring, rows, bad, &mut out);
            if !more || out.len() >= limit || bad.len() == known {
                out.truncate(limit);
                return Ok(out);
            }
        }
    }

    /// A plain value of the store itself; also while sealed.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.0.physical.meta(key).await
    }

    /// Sets plain values, all or nothing, durably; also while sealed.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn set_meta(&self, values: Vec<(String, Vec<u8>)>) -> Result<()> {
        self.0.physical.set_meta(values).await
    }

    /// `sqlite` or `inmem`.
    pub fn kind(&self) -> &'static str {
        self.0.physical.kind()
    }

    /// Seals, then closes the store below. See [`Physical::close`].
    pub async fn close(&self) {
        self.seal();
        self.0.physical.close().await;
    }
}

fn sealed() -> Error {
    Error::new(ErrorKind::Sealed, "Vault is sealed")
}

/// Opens the row that was asked for. A forged or damaged index can lead to another, which is sealed for its own place
/// and would open.
fn open_one<R: Sealed>(
    row: Option<R>,
    keyring: &Keyring,
    space: &str,
    is_asked: impl FnOnce(&R) -> bool,
) -> Result<Option<R>> {
    asked_for(row, is_asked)?.map(|row| row.open(keyring, space)).transpose()
}

/// A damaged index finds another row.
fn asked_for<R: Sealed>(row: Option<R>, is_asked: impl FnOnce(&R) -> bool) -> Result<Option<R>> {
    match row {
        Some(row) if !is_asked(&row) => {
            Err(Error::internal(format!("a search in {} found the row {:?} instead", R::TABLE, row.key())))
        }
        row => Ok(row),
    }
}

/// Opens what opens.
fn open_all<R: Sealed>(keyring: &Keyring, rows: Vec<R>, bad: &Quarantine, out: &mut Vec<R>) {
    for row in rows {
        let key = row.key().to_owned();
        match row.open(keyring, "") {
            Ok(row) => out.push(row),
            Err(error) => bad.add(&key, &error),
        }
    }
}

#[cfg(test)]
mod tests;
