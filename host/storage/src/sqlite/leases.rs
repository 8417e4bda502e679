//! Reading leases.

use cofferdam_model::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::entries::{after_prefix, bind_end, sql_limit, texts};
use super::fault::Fault;
use super::range::{first_key, skip_scan, successor};
use crate::port::{LeaseFilter, LeaseRow, LeaseState};

macro_rules! columns {
    () => {
        "id, mount, backend, generation, token, object_key, state, version, due_at, body"
    };
}

/// What a state is on disk.
pub(super) fn state_code(state: LeaseState) -> i64 {
    match state {
        LeaseState::Pending => 0,
        LeaseState::Active => 1,
        LeaseState::Revoking => 2,
        LeaseState::Settling => 3,
        LeaseState::Blocked => 4,
    }
}

fn state(code: i64) -> Result<LeaseState, sqlx::Error> {
    Ok(match code {
        0 => LeaseState::Pending,
        1 => LeaseState::Active,
        2 => LeaseState::Revoking,
        3 => LeaseState::Settling,
        4 => LeaseState::Blocked,
        other => return Err(sqlx::Error::Decode(format!("a lease has the unknown state {other}").into())),
    })
}

fn lease(row: &SqliteRow) -> Result<LeaseRow, sqlx::Error> {
    Ok(LeaseRow {
        id: row.try_get(0)?,
        mount: row.try_get(1)?,
        backend: row.try_get(2)?,
        generation: row.try_get(3)?,
        token: row.try_get(4)?,
        object_key: row.try_get(5)?,
        state: state(row.try_get(6)?)?,
        version: row.try_get(7)?,
        due_at: row.try_get::<Option<i64>, _>(8)?.map(Timestamp),
        body: row.try_get(9)?,
    })
}

fn leases(rows: &[SqliteRow]) -> Result<Vec<LeaseRow>, Fault> {
    Ok(rows.iter().map(lease).collect::<Result<_, _>>()?)
}

pub(super) async fn get(conn: &mut SqliteConnection, id: &str) -> Result<Option<LeaseRow>, Fault> {
    let row =
        sqlx::query(concat!("SELECT ", columns!(), " FROM leases WHERE id = ?1")).bind(id).fetch_optional(conn).await?;
    Ok(row.as_ref().map(lease).transpose()?)
}

pub(super) async fn list(
    conn: &mut SqliteConnection,
    filter: &LeaseFilter,
    limit: usize,
) -> Result<Vec<LeaseRow>, Fault> {
    let mut query = QueryBuilder::new(concat!("SELECT ", columns!(), " FROM leases WHERE 1"));
    push_filter(&mut query, filter);
    query.push(" ORDER BY id LIMIT ").push_bind(sql_limit(limit));
    leases(&query.build().fetch_all(conn).await?)
}

pub(super) async fn count(conn: &mut SqliteConnection, filter: &LeaseFilter) -> Result<i64, Fault> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM leases WHERE 1");
    push_filter(&mut query, filter);
    Ok(query.build_query_scalar().fetch_one(conn).await?)
}

fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &LeaseFilter) {
    let LeaseFilter { prefix, token, mount, backend, generation, state, after } = filter;
    if let Some(prefix) = prefix {
        query.push(" AND id >= ").push_bind(prefix.as_str());
        if let Some(end) = successor(prefix) {
            query.push(" AND id < ").push_bind(end);
        }
    }
    if let Some(token) = token {
        query.push(" AND token = ").push_bind(token.as_str());
    }
    if let Some(mount) = mount {
        query.push(" AND mount = ").push_bind(mount.as_str());
    }
    if let Some(backend) = backend {
        query.push(" AND backend = ").push_bind(backend.as_str());
    }
    if let Some(generation) = generation {
        query.push(" AND generation = ").push_bind(*generation);
    }
    if let Some(state) = state {
        query.push(" AND state = ").push_bind(state_code(*state));
    }
    if let Some(after) = after {
        query.push(" AND id > ").push_bind(after.as_str());
    }
}

/// What is listed: handed out, and not yet taken back. In the order in which leases go through these states, so that
/// one which moves on between two of the searches below is found by the later one.
const LISTED: [LeaseState; 3] = [LeaseState::Active, LeaseState::Revoking, LeaseState::Blocked];

pub(super) async fn names(
    conn: &mut SqliteConnection,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    // One state at a time: the index that these listings jump along begins with it.
    for state in LISTED {
        let query = sqlx::query_scalar(skip_scan!("leases", "id", "state = ?5")).bind(first_key(prefix, after));
        let found = bind_end!(query, successor(prefix))
            .bind(after_prefix(prefix))
            .bind(sql_limit(limit))
            .bind(state_code(state))
            .fetch_all(&mut *conn)
            .await?;
        names.extend(texts(found)?);
    }
    names.sort_unstable();
    names.dedup();
    names.truncate(limit);
    Ok(names)
}

pub(super) async fn due(conn: &mut SqliteConnection, now: Timestamp, limit: usize) -> Result<Vec<LeaseRow>, Fault> {
    let query = concat!("SELECT ", columns!(), " FROM leases WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2");
    leases(&sqlx::query(query).bind(now.0).bind(sql_limit(limit)).fetch_all(conn).await?)
}

pub(super) async fn due_except(
    conn: &mut SqliteConnection,
    now: Timestamp,
    except: &[(String, String)],
    limit: usize,
) -> Result<Vec<LeaseRow>, Fault> {
    if except.is_empty() {
        return due(conn, now, limit).await;
    }
    let mut query = QueryBuilder::new(concat!("SELECT ", columns!(), " FROM leases WHERE due_at <= "));
    query.push_bind(now.0).push(" AND (mount, backend) NOT IN (");
    query.push_values(except, |mut row, (mount, backend)| {
        row.push_bind(mount.as_str()).push_bind(backend.as_str());
    });
    query.push(") ORDER BY due_at LIMIT ").push_bind(sql_limit(limit));
    // As many statements as there are lengths of the list: none is worth keeping.
    leases(&query.build().persistent(false).fetch_all(conn).await?)
}

pub(super) async fn next_due(conn: &mut SqliteConnection) -> Result<Option<Timestamp>, Fault> {
    let due: Option<i64> = sqlx::query_scalar(
        "SELECT min(due_at) FROM (
            SELECT min(due_at) AS due_at FROM leases WHERE due_at IS NOT NULL
            UNION ALL
            SELECT min(due_at) FROM tokens WHERE due_at IS NOT NULL)",
    )
    .fetch_one(conn)
    .await?;
    Ok(due.map(Timestamp))
}
