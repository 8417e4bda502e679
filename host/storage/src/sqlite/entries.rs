//! Reading entries and plain values.

use cofferdam_model::view::Version;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::fault::Fault;
use super::range::{first_key, skip_scan, successor};
use crate::port::StoredEntry;

/// A range's end where there is none: every BLOB sorts after every TEXT.
pub(super) const NO_END: &[u8] = &[0xff];

/// Binds a range's end.
macro_rules! bind_end {
    ($query:expr, $end:expr) => {
        match $end {
            Some(end) => $query.bind(end),
            None => $query.bind($crate::sqlite::entries::NO_END),
        }
    };
}
pub(super) use bind_end;

/// Of a row that begins with key, version and value.
pub(super) fn entry(row: &SqliteRow) -> Result<StoredEntry, sqlx::Error> {
    Ok(StoredEntry { key: row.try_get(0)?, version: row.try_get(1)?, value: row.try_get(2)? })
}

pub(super) async fn get(conn: &mut SqliteConnection, space: &str, key: &str) -> Result<Option<StoredEntry>, Fault> {
    let row = sqlx::query("SELECT key, version, value FROM entries WHERE space = ?1 AND key = ?2")
        .bind(space)
        .bind(key)
        .fetch_optional(conn)
        .await?;
    Ok(row.as_ref().map(entry).transpose()?)
}

pub(super) async fn scan(
    conn: &mut SqliteConnection,
    space: &str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<StoredEntry>, Fault> {
    // `after` is exclusive and the prefix inclusive: the least text after a text is that text and a NUL.
    let first = match after {
        Some(after) if after >= prefix => format!("{after}\0"),
        _ => prefix.to_owned(),
    };
    let query = sqlx::query(
        "SELECT key, version, value FROM entries WHERE space = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4",
    );
    let rows =
        bind_end!(query.bind(space).bind(first), successor(prefix)).bind(sql_limit(limit)).fetch_all(conn).await?;
    Ok(rows.iter().map(entry).collect::<Result<_, _>>()?)
}

pub(super) async fn names(
    conn: &mut SqliteConnection,
    space: &str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, Fault> {
    let query = sqlx::query_scalar(skip_scan!("entries", "key", "space = ?5")).bind(first_key(prefix, after));
    let names = bind_end!(query, successor(prefix))
        .bind(after_prefix(prefix))
        .bind(sql_limit(limit))
        .bind(space)
        .fetch_all(conn)
        .await?;
    texts(names)
}

pub(super) async fn range(conn: &mut SqliteConnection, space: &str, prefix: &str) -> Result<(i64, Version), Fault> {
    let query = sqlx::query(
        "SELECT count(*), coalesce(max(version), 0) FROM entries WHERE space = ?1 AND key >= ?2 AND key < ?3",
    );
    let row = bind_end!(query.bind(space).bind(prefix), successor(prefix)).fetch_one(conn).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

pub(super) async fn meta(conn: &mut SqliteConnection, key: &str) -> Result<Option<Vec<u8>>, Fault> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = ?1").bind(key).fetch_optional(conn).await?)
}

/// SQLite takes a negative limit as none.
pub(super) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Where names begin in keys, counted in bytes from 1.
pub(super) fn after_prefix(prefix: &str) -> i64 {
    sql_limit(prefix.len()).saturating_add(1)
}

/// Names are cut from keys at a slash, so they are text again.
pub(super) fn texts(names: Vec<Vec<u8>>) -> Result<Vec<String>, Fault> {
    names.into_iter().map(|n| String::from_utf8(n).map_err(|e| sqlx::Error::Decode(Box::new(e)).into())).collect()
}
