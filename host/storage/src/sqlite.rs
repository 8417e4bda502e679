//! The embedded store: one SQLite file, or memory.
//!
//! Writes go through one task that commits many batches with one sync. On disk, reads run beside it on connections of
//! their own, each on the newest committed state; in memory there is one connection for all.

mod apply;
mod at_once;
mod entries;
mod fault;
mod gathered;
mod lanes;
mod leases;
mod place;
mod range;
mod rows;
mod schema;
mod statements;
mod tokens;
mod waves;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use cofferdam_model::view::Version;
use cofferdam_model::{Error, ErrorKind, Result, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};

use crate::port::{Batch, LeaseFilter, LeaseRow, Outcome, Physical, StoredEntry, TokenRow};
use fault::Fault;
use gathered::Gathered;
use lanes::{Lane, Lanes};
use place::Place;
use rows::{Rows, entry_name};
use writer::{Work, Writer};

/// How long SQLite waits for a lock that somebody else holds (an operator's shell, a backup).
const BUSY: Duration = Duration::from_secs(5);
/// Different statements that a connection keeps prepared.
const STATEMENTS: usize = 128;
/// Pages of the log after which it is moved into the database.
const CHECKPOINT_PAGES: &str = "4000";

/// A store in one SQLite file or in memory.
pub struct Sqlite {
    readers: Arc<Lanes>,
    gathered: Gathered,
    rows: Arc<Rows>,
    writer: Writer,
    kind: &'static str,
}

/// How many batches were answered and how many commits that took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteStats {
    /// Batches, whatever their outcome.
    pub batches: u64,
    /// Commits, each with one sync.
    pub commits: u64,
}

impl Sqlite {
    /// The database's name in its directory. No store that was ever opened has an empty one.
    pub const FILE: &str = place::FILE;

    /// Opens the store in this directory; makes both where they are missing. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Unavailable: the directory cannot be used, another server uses it, the file is damaged, of another program or of
    /// a newer version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::open_place(Place::take(path.as_ref())?).await?)
    }

    async fn open_place(place: Place) -> Result<Self, Fault> {
        let options = options().filename(&place.database);
        let write = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("cache_size", "-32768");
        let mut writer = write.connect().await?;
        assert_durable(&mut writer).await?;
        let versions = schema::prepare(&mut writer).await?;

        let read = options.read_only(true).pragma("cache_size", "-8192");
        let lanes = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        let mut readers = Vec::with_capacity(lanes);
        for _ in 0..lanes {
            readers.push(read.connect().await?);
        }
        let rows = Arc::new(Rows::new());
        Ok(Self {
            readers: Arc::new(Lanes::new(readers)),
            writer: Writer::start(Arc::new(Lanes::new(vec![writer])), Arc::clone(&rows), versions, Some(place)),
            gathered: Gathered::default(),
            rows,
            kind: "sqlite",
        })
    }

    /// An empty store that ends with this value. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// None that could be met in practice.
    pub async fn memory() -> Result<Self> {
        Ok(Self::open_memory().await?)
    }

    async fn open_memory() -> Result<Self, Fault> {
        let mut connection = options().in_memory(true).filename(":memory:").connect().await?;
        let versions = schema::prepare(&mut connection).await?;
        let lanes = Arc::new(Lanes::new(vec![connection]));
        let rows = Arc::new(Rows::new());
        let writer = Writer::start(Arc::clone(&lanes), Arc::clone(&rows), versions, None);
        Ok(Self { readers: lanes, gathered: Gathered::default(), writer, rows, kind: "inmem" })
    }

    /// How well batches share commits.
    pub fn stats(&self) -> WriteStats {
        WriteStats {
            batches: self.writer.counters.batches.load(Ordering::Relaxed),
            commits: self.writer.counters.commits.load(Ordering::Relaxed),
        }
    }

    /// Lets a test spoil the writer's connection.
    #[cfg(test)]
    async fn spoil(&self, how: writer::Spoil) {
        self.writer.spoil(how).await;
    }

    async fn reader(&self) -> Result<Lane<'_>, Fault> {
        self.readers.take().await.ok_or_else(Fault::closed)
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .create_if_missing(false)
        .busy_timeout(BUSY)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(256)
        .thread_name(|n| format!("sqlite-{n}"))
        // What a forged schema could call, and what a damaged page could make SQLite believe.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// A weaker setting cannot be told from this one by killing the process, only by losing power: so it is asked for.
async fn assert_durable(conn: &mut SqliteConnection) -> Result<(), Fault> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *conn).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *conn).await?;
    if mode != "wal" || synchronous != 2 {
        return Err(Fault::refused(format!("the file system does not allow durable writes ({mode}, {synchronous})")));
    }
    Ok(())
}

#[async_trait]
impl Physical for Sqlite {
    async fn apply(&self, batch: Batch) -> Result<Outcome> {
        Ok(self.writer.write(Work::Batch(batch)).await?)
    }

    async fn entry(&self, space: &str, key: &str) -> Result<Option<StoredEntry>> {
        let read = || self.gathered.get(&self.readers, space, key);
        Ok(self.rows.entries.get(entry_name(space, key), read).await?)
    }

    async fn entries(&self, space: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<StoredEntry>> {
        Ok(entries::scan(&mut *self.reader().await?, space, prefix, after, limit).await?)
    }

    async fn names(&self, space: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        Ok(entries::names(&mut *self.reader().await?, space, prefix, after, limit).await?)
    }

    async fn range(&self, space: &str, prefix: &str) -> Result<(i64, Version)> {
        Ok(entries::range(&mut *self.reader().await?, space, prefix).await?)
    }

    async fn lease(&self, id: &str) -> Result<Option<LeaseRow>> {
        Ok(leases::get(&mut *self.reader().await?, id).await?)
    }

    async fn leases(&self, filter: &LeaseFilter, limit: usize) -> Result<Vec<LeaseRow>> {
        Ok(leases::list(&mut *self.reader().await?, filter, limit).await?)
    }

    async fn count_leases(&self, filter: &LeaseFilter) -> Result<i64> {
        Ok(leases::count(&mut *self.reader().await?, filter).await?)
    }

    async fn lease_names(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        Ok(leases::names(&mut *self.reader().await?, prefix, after, limit).await?)
    }

    async fn leases_due(&self, now: Timestamp, limit: usize) -> Result<Vec<LeaseRow>> {
        Ok(leases::due(&mut *self.reader().await?, now, limit).await?)
    }

    async fn leases_due_except(
        &self,
        now: Timestamp,
        except: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<LeaseRow>> {
        Ok(leases::due_except(&mut *self.reader().await?, now, except, limit).await?)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        Ok(leases::next_due(&mut *self.reader().await?).await?)
    }

    async fn token(&self, digest: &str) -> Result<Option<TokenRow>> {
        let read = || async { tokens::get(&mut *self.reader().await?, digest).await };
        Ok(self.rows.tokens.get(digest.to_owned(), read).await?)
    }

    async fn token_by_accessor(&self, accessor_key: &str) -> Result<Option<TokenRow>> {
        Ok(tokens::by_accessor(&mut *self.reader().await?, accessor_key).await?)
    }

    async fn tokens(&self, after: Option<&str>, limit: usize) -> Result<Vec<TokenRow>> {
        Ok(tokens::list(&mut *self.reader().await?, after, limit).await?)
    }

    async fn token_children(&self, parent: &str, limit: usize) -> Result<Vec<TokenRow>> {
        Ok(tokens::children(&mut *self.reader().await?, parent, limit).await?)
    }

    async fn tokens_due(&self, now: Timestamp, limit: usize) -> Result<Vec<TokenRow>> {
        Ok(tokens::due(&mut *self.reader().await?, now, limit).await?)
    }

    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(entries::meta(&mut *self.reader().await?, key).await?)
    }

    async fn set_meta(&self, values: Vec<(String, Vec<u8>)>) -> Result<()> {
        match self.writer.write(Work::Meta(values)).await? {
            Outcome::Applied => Ok(()),
            Outcome::Conflict(conflict) => {
                Err(Error::new(ErrorKind::Internal, format!("plain values conflict: {conflict:?}")))
            }
        }
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
        self.rows.clear();
    }

    fn kind(&self) -> &'static str {
        self.kind
    }
}

#[cfg(test)]
mod tests;
