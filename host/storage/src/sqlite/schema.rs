//! The one embedded schema, and what may be opened.

use sqlx::{Connection, Row, SqliteConnection};

use super::fault::Fault;

/// What this build writes. A store of a newer version is refused: a column that this build does not know may matter.
const VERSION: i64 = 1;

/// Keys are TEXT under the BINARY collation: memcmp over UTF-8. `version`, `state` and other small columns stand before
/// the body, so that reading them never follows a body's overflow pages.
const CREATE: &str = "
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    schema INTEGER NOT NULL,
    -- No entry has a larger version than this. Deletes never lower it.
    versions INTEGER NOT NULL
) STRICT;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE gates (
    gate TEXT PRIMARY KEY,
    open INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (space, key)
) STRICT;

CREATE TABLE leases (
    id TEXT PRIMARY KEY,
    mount TEXT NOT NULL,
    backend TEXT NOT NULL,
    generation INTEGER NOT NULL,
    token TEXT,
    object_key TEXT,
    state INTEGER NOT NULL,
    version INTEGER NOT NULL,
    due_at INTEGER,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX leases_object ON leases (object_key) WHERE object_key IS NOT NULL;
CREATE INDEX leases_due ON leases (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX leases_token ON leases (token, id) WHERE token IS NOT NULL;
CREATE INDEX leases_mount ON leases (mount, id);
CREATE INDEX leases_backend ON leases (mount, backend, generation, id);
CREATE INDEX leases_state ON leases (state, id);

CREATE TABLE tokens (
    digest TEXT PRIMARY KEY,
    accessor_key TEXT NOT NULL UNIQUE,
    parent TEXT,
    live INTEGER NOT NULL,
    version INTEGER NOT NULL,
    due_at INTEGER,
    uses_left INTEGER,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX tokens_parent ON tokens (parent, digest) WHERE parent IS NOT NULL;
CREATE INDEX tokens_due ON tokens (due_at) WHERE due_at IS NOT NULL;
";

/// Creates the schema in an empty file, checks it in any other, and returns the largest version ever given out.
pub(super) async fn prepare(conn: &mut SqliteConnection) -> Result<i64, Fault> {
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *tx).await?;
    if tables == 0 {
        sqlx::raw_sql(CREATE).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO store (id, schema, versions) VALUES (1, ?, 0)")
            .bind(VERSION)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        return Ok(0);
    }
    let ours: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'store'")
        .fetch_one(&mut *tx)
        .await?;
    if ours == 0 {
        return Err(Fault::refused("the file is a database of another program"));
    }
    let row = sqlx::query("SELECT schema, versions FROM store WHERE id = 1").fetch_one(&mut *tx).await?;
    let schema: i64 = row.try_get(0)?;
    if schema != VERSION {
        return Err(Fault::refused(format!("the store has schema {schema}; this program knows schema {VERSION} only")));
    }
    let versions = row.try_get(1)?;
    tx.rollback().await?;
    Ok(versions)
}
