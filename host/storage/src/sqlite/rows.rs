//! Rows that were read before, sealed as they are on the disk: what many requests need is not asked for each time.
//!
//! What is here is what the disk says. A row that is being written is let go before its transaction commits and is not
//! taken in again until the commit is over; a read that began before is not taken in either. So whoever saw one row of a
//! batch sees all others, as if there were nothing here.

use std::collections::HashMap;
use std::future::Future;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Weighter};

use super::fault::Fault;
use crate::port::{Op, StoredEntry, TokenRow};

/// Bytes of entries that are kept, and of tokens.
const ENTRIES: u64 = 6 << 20;
const TOKENS: u64 = 2 << 20;
/// Roughly what a row is expected to weigh.
const USUAL: u64 = 512;
/// Rows are guarded in so many groups.
const GUARDS: usize = 16;

/// Entries and tokens.
pub(super) struct Rows {
    pub(super) entries: Shelf<StoredEntry>,
    pub(super) tokens: Shelf<TokenRow>,
}

/// Rows of one sort, by name; also the names under which there is none.
pub(super) struct Shelf<V> {
    kept: Cache<String, Option<V>, Weight>,
    hasher: DefaultHashBuilder,
    guards: Vec<Mutex<Guard>>,
}

/// What is being written, of one group of names.
#[derive(Default)]
struct Guard {
    /// Counts beginnings and ends.
    epoch: u64,
    /// Names under which something is being written, by how many.
    names: HashMap<String, usize>,
    /// Writes that may concern any name.
    any: usize,
}

impl Guard {
    fn is_moving(&self, name: &str) -> bool {
        self.any > 0 || self.names.contains_key(name)
    }
}

#[derive(Clone)]
struct Weight;

/// What a row weighs.
pub(super) trait Row: Clone {
    fn bytes(&self) -> usize;
}

impl Row for StoredEntry {
    fn bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

impl Row for TokenRow {
    fn bytes(&self) -> usize {
        2 * self.digest.len() + self.accessor_key.len() + self.body.len()
    }
}

impl<V: Row> Weighter<String, Option<V>> for Weight {
    fn weight(&self, name: &String, row: &Option<V>) -> u64 {
        /// What a row takes besides.
        const FRAME: usize = 160;
        (FRAME + name.len() + row.as_ref().map_or(0, Row::bytes)) as u64
    }
}

/// The name of an entry.
pub(super) fn entry_name(space: &str, key: &str) -> String {
    format!("{}{key}", space_prefix(space))
}

/// What the names of all entries of a space begin with, and no others.
fn space_prefix(space: &str) -> String {
    format!("{}:{space}", space.len())
}

impl Rows {
    pub(super) fn new() -> Self {
        Self { entries: Shelf::new(ENTRIES), tokens: Shelf::new(TOKENS) }
    }

    /// Lets go of what these operations write, and takes nothing of it in before what is returned is dropped.
    pub(super) fn moving<'a>(&'a self, ops: impl Iterator<Item = &'a Op>) -> Moving<'a> {
        let mut moving = Moving { rows: self, entries: Vec::new(), tokens: Vec::new(), spaces: false };
        let mut spaces = Vec::new();
        for op in ops {
            match op {
                Op::PutEntry { space, key, .. } | Op::DeleteEntry { space, key } => {
                    moving.entries.push(entry_name(space, key));
                }
                Op::DeleteSpace(space) => spaces.push(space_prefix(space)),
                Op::InsertToken(row) | Op::UpdateToken { row, .. } => moving.tokens.push(row.digest.clone()),
                Op::UseToken { digest } | Op::DeleteToken { digest } => moving.tokens.push(digest.clone()),
                Op::SetGate { .. }
                | Op::DeleteGate(_)
                | Op::InsertLease(_)
                | Op::UpdateLease { .. }
                | Op::DeleteLease { .. } => {}
            }
        }
        moving.spaces = !spaces.is_empty();
        if moving.spaces {
            self.entries.begin_any(|name| spaces.iter().any(|space| name.starts_with(space.as_str())));
        }
        moving.entries.iter().for_each(|name| self.entries.begin(name));
        moving.tokens.iter().for_each(|name| self.tokens.begin(name));
        moving
    }

    /// Lets go of everything.
    pub(super) fn clear(&self) {
        self.entries.kept.clear();
        self.tokens.kept.clear();
    }
}

impl<V: Row> Shelf<V> {
    fn new(bytes: u64) -> Self {
        let usual = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX);
        Self {
            kept: Cache::with_weighter(usual, bytes, Weight),
            hasher: DefaultHashBuilder::default(),
            guards: (0..GUARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The row of this name, read where it is not here.
    pub(super) async fn get<R>(&self, name: String, read: impl FnOnce() -> R) -> Result<Option<V>, Fault>
    where
        R: Future<Output = Result<Option<V>, Fault>>,
    {
        if let Some(row) = self.kept.get(&name) {
            return Ok(row);
        }
        let before = self.guard(&name).epoch;
        let row = read().await?;
        let guard = self.guard(&name);
        if guard.epoch == before && !guard.is_moving(&name) {
            self.kept.insert(name, row.clone());
        }
        Ok(row)
    }

    fn begin(&self, name: &str) {
        let mut guard = self.guard(name);
        guard.epoch += 1;
        *guard.names.entry(name.to_owned()).or_default() += 1;
        self.kept.remove(name);
    }

    fn end(&self, name: &str) {
        let mut guard = self.guard(name);
        guard.epoch += 1;
        let left = guard.names.get_mut(name).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            guard.names.remove(name);
        }
    }

    fn begin_any(&self, concerns: impl Fn(&str) -> bool) {
        for guard in &self.guards {
            let mut guard = lock(guard);
            guard.epoch += 1;
            guard.any += 1;
        }
        self.kept.retain(|name, _| !concerns(name));
    }

    fn end_any(&self) {
        for guard in &self.guards {
            let mut guard = lock(guard);
            guard.epoch += 1;
            guard.any -= 1;
        }
    }

    fn guard(&self, name: &str) -> MutexGuard<'_, Guard> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash do")]
        let at = self.hasher.hash_one(name) as usize % GUARDS;
        lock(&self.guards[at])
    }
}

fn lock(guard: &Mutex<Guard>) -> MutexGuard<'_, Guard> {
    guard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows that are being written.
pub(super) struct Moving<'a> {
    rows: &'a Rows,
    entries: Vec<String>,
    tokens: Vec<String>,
    spaces: bool,
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.entries.iter().for_each(|name| self.rows.entries.end(name));
        self.tokens.iter().for_each(|name| self.rows.tokens.end(name));
        if self.spaces {
            self.rows.entries.end_any();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: i64) -> Option<StoredEntry> {
        Some(StoredEntry { key: "k".to_owned(), version, value: vec![1] })
    }

    fn put(key: &str) -> Op {
        Op::PutEntry { space: "s".to_owned(), key: key.to_owned(), value: Vec::new() }
    }

    /// The version that is found; `on_disk` is what the disk says if it is asked.
    async fn read(rows: &Rows, key: &str, on_disk: i64) -> i64 {
        let found = rows.entries.get(entry_name("s", key), || async { Ok(entry(on_disk)) }).await;
        found.ok().flatten().map_or(0, |entry| entry.version)
    }

    #[tokio::test]
    async fn what_was_read_is_kept_until_it_is_written() {
        let rows = Rows::new();
        assert_eq!((read(&rows, "k", 1).await, read(&rows, "k", 2).await), (1, 1));
        let ops = [put("k")];
        let moving = rows.moving(ops.iter());
        assert_eq!((read(&rows, "k", 2).await, read(&rows, "k", 3).await), (2, 3), "nothing is kept meanwhile");
        assert_eq!((read(&rows, "other", 1).await, read(&rows, "other", 2).await), (1, 1), "but of others");
        drop(moving);
        assert_eq!((read(&rows, "k", 4).await, read(&rows, "k", 5).await), (4, 4));
    }

    #[tokio::test]
    async fn a_read_that_a_write_overtook_is_not_kept() {
        let rows = Rows::new();
        let overtaken = async || {
            drop(rows.moving([put("k")].iter()));
            Ok(entry(1))
        };
        assert!(rows.entries.get(entry_name("s", "k"), overtaken).await.is_ok());
        assert_eq!(read(&rows, "k", 2).await, 2);
    }

    #[tokio::test]
    async fn that_there_is_nothing_is_kept_too_and_a_space_goes_whole() {
        let rows = Rows::new();
        let name = || entry_name("s", "none");
        assert!(rows.entries.get(name(), || async { Ok(None) }).await.is_ok_and(|row| row.is_none()));
        assert_eq!(read(&rows, "none", 1).await, 0);
        let ops = [Op::DeleteSpace("s".to_owned())];
        let moving = rows.moving(ops.iter());
        assert_eq!((read(&rows, "none", 1).await, read(&rows, "none", 2).await), (1, 2));
        drop(moving);
        assert_eq!((read(&rows, "none", 3).await, read(&rows, "none", 4).await), (3, 3));
        assert!(!entry_name("s", "1").starts_with(&space_prefix("s1")));
        assert!(!entry_name("12", "k").starts_with(&space_prefix("1")));
    }

    #[tokio::test]
    async fn tokens_go_with_whatever_is_done_to_them() {
        let rows = Rows::new();
        let token = |version| TokenRow {
            digest: "t".to_owned(),
            accessor_key: "a".to_owned(),
            parent: None,
            live: true,
            version,
            due_at: None,
            uses_left: None,
            body: Vec::new(),
        };
        let read = async |version| {
            let row = rows.tokens.get("t".to_owned(), || async { Ok(Some(token(version))) }).await;
            row.ok().flatten().map_or(0, |row| row.version)
        };
        let digest = || "t".to_owned();
        let ops = [
            Op::InsertToken(token(9)),
            Op::UpdateToken { expect: 9, row: token(10) },
            Op::UseToken { digest: digest() },
            Op::DeleteToken { digest: digest() },
        ];
        for (n, op) in (1..).zip(ops) {
            assert_eq!((read(n).await, read(100).await), (n, n));
            drop(rows.moving([op].iter()));
        }
        assert_eq!(read(7).await, 7);
        rows.clear();
        assert_eq!(read(8).await, 8);
    }
}
