//! Reading tokens.

use cofferdam_model::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::entries::sql_limit;
use super::fault::Fault;
use crate::port::TokenRow;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT digest, accessor_key, parent, live, version, due_at, uses_left, body FROM tokens ", $rest)
    };
}

fn token(row: &SqliteRow) -> Result<TokenRow, sqlx::Error> {
    Ok(TokenRow {
        digest: row.try_get(0)?,
        accessor_key: row.try_get(1)?,
        parent: row.try_get(2)?,
        live: row.try_get::<i64, _>(3)? != 0,
        version: row.try_get(4)?,
        due_at: row.try_get::<Option<i64>, _>(5)?.map(Timestamp),
        uses_left: row.try_get(6)?,
        body: row.try_get(7)?,
    })
}

fn tokens(rows: &[SqliteRow]) -> Result<Vec<TokenRow>, Fault> {
    Ok(rows.iter().map(token).collect::<Result<_, _>>()?)
}

pub(super) async fn get(conn: &mut SqliteConnection, digest: &str) -> Result<Option<TokenRow>, Fault> {
    let row = sqlx::query(select!("WHERE digest = ?1")).bind(digest).fetch_optional(conn).await?;
    Ok(row.as_ref().map(token).transpose()?)
}

pub(super) async fn by_accessor(conn: &mut SqliteConnection, accessor: &str) -> Result<Option<TokenRow>, Fault> {
    let row = sqlx::query(select!("WHERE accessor_key = ?1")).bind(accessor).fetch_optional(conn).await?;
    Ok(row.as_ref().map(token).transpose()?)
}

pub(super) async fn list(
    conn: &mut SqliteConnection,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<TokenRow>, Fault> {
    let query = match after {
        Some(after) => sqlx::query(select!("WHERE digest > ?1 ORDER BY digest LIMIT ?2")).bind(after),
        None => sqlx::query(select!("WHERE digest >= ?1 ORDER BY digest LIMIT ?2")).bind(""),
    };
    tokens(&query.bind(sql_limit(limit)).fetch_all(conn).await?)
}

pub(super) async fn children(conn: &mut SqliteConnection, parent: &str, limit: usize) -> Result<Vec<TokenRow>, Fault> {
    let query = select!("WHERE parent = ?1 ORDER BY digest LIMIT ?2");
    tokens(&sqlx::query(query).bind(parent).bind(sql_limit(limit)).fetch_all(conn).await?)
}

pub(super) async fn due(conn: &mut SqliteConnection, now: Timestamp, limit: usize) -> Result<Vec<TokenRow>, Fault> {
    let query = select!("WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2");
    tokens(&sqlx::query(query).bind(now.0).bind(sql_limit(limit)).fetch_all(conn).await?)
}
