//! One batch inside the writer's transaction.

use cofferdam_model::view::Version;
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::leases::state_code;
use super::{entries, tokens};
use crate::port::{Batch, Check, Conflict, LeaseRow, Op, Outcome, TokenRow};

/// Checks, then changes; a conflict leaves nothing behind.
pub(super) async fn apply(
    conn: &mut SqliteConnection,
    batch: &Batch,
    versions: &mut Version,
) -> Result<Outcome, Fault> {
    for check in &batch.checks {
        if let Some(conflict) = failed(conn, check).await? {
            return Ok(Outcome::Conflict(conflict));
        }
    }
    // Only an operation that has others before it leaves something to undo when it fails.
    let savepoint = batch.ops.iter().skip(1).any(may_conflict);
    if savepoint {
        sqlx::query("SAVEPOINT batch").execute(&mut *conn).await?;
    }
    let mut outcome = Outcome::Applied;
    for op in &batch.ops {
        if let Some(conflict) = change(conn, op, versions).await? {
            outcome = Outcome::Conflict(conflict);
            break;
        }
    }
    if savepoint {
        if outcome != Outcome::Applied {
            sqlx::query("ROLLBACK TO batch").execute(&mut *conn).await?;
        }
        sqlx::query("RELEASE batch").execute(&mut *conn).await?;
    }
    Ok(outcome)
}

async fn failed(conn: &mut SqliteConnection, check: &Check) -> Result<Option<Conflict>, Fault> {
    let (holds, conflict) = match check {
        Check::Entry { space, key, version } => {
            (entries::version(conn, space, key).await? == *version, Conflict::Stale)
        }
        Check::Range { space, prefix, count, newest } => {
            (entries::range(conn, space, prefix).await? == (*count, *newest), Conflict::Stale)
        }
        Check::GateOpen(gate) => {
            let open: Option<i64> =
                sqlx::query_scalar("SELECT open FROM gates WHERE gate = ?1").bind(gate).fetch_optional(conn).await?;
            (open.is_some_and(|o| o != 0), Conflict::GateShut(gate.clone()))
        }
        Check::TokenLive { digest, now } => {
            let token = tokens::standing(conn, digest).await?;
            (token.is_some_and(|(live, due_at)| live && due_at.is_none_or(|due| due > *now)), Conflict::TokenGone)
        }
        Check::ObjectFree { object_key } => (!object_taken(conn, object_key).await?, Conflict::ObjectTaken),
    };
    Ok((!holds).then_some(conflict))
}

fn may_conflict(op: &Op) -> bool {
    match op {
        Op::PutEntry { .. }
        | Op::DeleteEntry { .. }
        | Op::DeleteSpace(_)
        | Op::SetGate { .. }
        | Op::DeleteGate(_)
        | Op::DeleteToken { .. } => false,
        Op::InsertLease(_)
        | Op::UpdateLease { .. }
        | Op::DeleteLease { .. }
        | Op::InsertToken(_)
        | Op::UpdateToken { .. }
        | Op::UseToken { .. } => true,
    }
}

async fn change(conn: &mut SqliteConnection, op: &Op, versions: &mut Version) -> Result<Option<Conflict>, Fault> {
    let query = match op {
        Op::PutEntry { space, key, value } => {
            *versions += 1;
            sqlx::query(
                "INSERT INTO entries (space, key, version, value) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (space, key) DO UPDATE SET version = excluded.version, value = excluded.value",
            )
            .bind(space)
            .bind(key)
            .bind(*versions)
            .bind(value)
        }
        Op::DeleteEntry { space, key } => {
            sqlx::query("DELETE FROM entries WHERE space = ?1 AND key = ?2").bind(space).bind(key)
        }
        Op::DeleteSpace(space) => sqlx::query("DELETE FROM entries WHERE space = ?1").bind(space),
        Op::SetGate { gate, open } => sqlx::query(
            "INSERT INTO gates (gate, open) VALUES (?1, ?2) ON CONFLICT (gate) DO UPDATE SET open = excluded.open",
        )
        .bind(gate)
        .bind(i64::from(*open)),
        Op::DeleteGate(gate) => sqlx::query("DELETE FROM gates WHERE gate = ?1").bind(gate),
        Op::InsertLease(row) => return insert_lease(conn, row).await,
        Op::UpdateLease { expect, row } => return update_lease(conn, *expect, row).await,
        Op::DeleteLease { id, expect } => {
            sqlx::query("DELETE FROM leases WHERE id = ?1 AND version = ?2").bind(id).bind(*expect)
        }
        Op::InsertToken(row) => sqlx::query(
            "INSERT INTO tokens (digest, accessor_key, parent, live, version, due_at, uses_left, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        )
        .bind(&row.digest)
        .bind(&row.accessor_key)
        .bind(&row.parent)
        .bind(i64::from(row.live))
        .bind(row.version)
        .bind(row.due_at.map(|t| t.0))
        .bind(row.uses_left)
        .bind(&row.body),
        Op::UpdateToken { expect, row } => return update_token(conn, *expect, row).await,
        Op::UseToken { digest } => {
            sqlx::query("UPDATE tokens SET uses_left = uses_left - 1 WHERE digest = ?1 AND live = 1 AND uses_left > 0")
                .bind(digest)
        }
        Op::DeleteToken { digest } => sqlx::query("DELETE FROM tokens WHERE digest = ?1").bind(digest),
    };
    let done = query.execute(conn).await?.rows_affected() > 0;
    Ok((may_conflict(op) && !done).then_some(Conflict::RowMoved))
}

async fn object_taken(conn: &mut SqliteConnection, object_key: &str) -> Result<bool, Fault> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM leases WHERE object_key = ?1").bind(object_key).fetch_optional(conn).await?;
    Ok(found.is_some())
}

async fn insert_lease(conn: &mut SqliteConnection, row: &LeaseRow) -> Result<Option<Conflict>, Fault> {
    let done = sqlx::query(
        "INSERT INTO leases (id, mount, backend, generation, token, object_key, state, version, due_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
    )
    .bind(&row.id)
    .bind(&row.mount)
    .bind(&row.backend)
    .bind(row.generation)
    .bind(&row.token)
    .bind(&row.object_key)
    .bind(state_code(row.state))
    .bind(row.version)
    .bind(row.due_at.map(|t| t.0))
    .bind(&row.body)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() > 0 {
        return Ok(None);
    }
    Ok(Some(match lease_version(conn, &row.id).await? {
        Some(_) => Conflict::RowMoved,
        None => Conflict::ObjectTaken,
    }))
}

async fn lease_version(conn: &mut SqliteConnection, id: &str) -> Result<Option<i64>, Fault> {
    Ok(sqlx::query_scalar("SELECT version FROM leases WHERE id = ?1").bind(id).fetch_optional(conn).await?)
}

async fn update_lease(conn: &mut SqliteConnection, expect: i64, row: &LeaseRow) -> Result<Option<Conflict>, Fault> {
    // SQLite rewrites every index whose column is named in SET, changed or not. These four are what a lease's life
    // changes; what it hangs on stays the same.
    let usual = sqlx::query(
        "UPDATE leases SET state = ?1, version = ?2 + 1, due_at = ?3, body = ?4
         WHERE id = ?5 AND version = ?2 AND mount = ?6 AND backend = ?7 AND generation = ?8 AND token IS ?9
         AND object_key IS ?10",
    )
    .bind(state_code(row.state))
    .bind(expect)
    .bind(row.due_at.map(|t| t.0))
    .bind(&row.body)
    .bind(&row.id)
    .bind(&row.mount)
    .bind(&row.backend)
    .bind(row.generation)
    .bind(&row.token)
    .bind(&row.object_key)
    .execute(&mut *conn)
    .await?;
    if usual.rows_affected() > 0 {
        return Ok(None);
    }
    if lease_version(conn, &row.id).await? != Some(expect) {
        return Ok(Some(Conflict::RowMoved));
    }
    let whole = sqlx::query(
        "UPDATE OR IGNORE leases SET state = ?1, version = ?2 + 1, due_at = ?3, body = ?4, mount = ?6, backend = ?7,
         generation = ?8, token = ?9, object_key = ?10 WHERE id = ?5",
    )
    .bind(state_code(row.state))
    .bind(expect)
    .bind(row.due_at.map(|t| t.0))
    .bind(&row.body)
    .bind(&row.id)
    .bind(&row.mount)
    .bind(&row.backend)
    .bind(row.generation)
    .bind(&row.token)
    .bind(&row.object_key)
    .execute(&mut *conn)
    .await?;
    Ok((whole.rows_affected() == 0).then_some(Conflict::ObjectTaken))
}

/// The uses are left as they are: somebody may have taken one since the row was read.
async fn update_token(conn: &mut SqliteConnection, expect: i64, row: &TokenRow) -> Result<Option<Conflict>, Fault> {
    let usual = sqlx::query(
        "UPDATE tokens SET live = ?1, version = ?2 + 1, due_at = ?3, body = ?4
         WHERE digest = ?5 AND version = ?2 AND accessor_key = ?6 AND parent IS ?7",
    )
    .bind(i64::from(row.live))
    .bind(expect)
    .bind(row.due_at.map(|t| t.0))
    .bind(&row.body)
    .bind(&row.digest)
    .bind(&row.accessor_key)
    .bind(&row.parent)
    .execute(&mut *conn)
    .await?;
    if usual.rows_affected() > 0 {
        return Ok(None);
    }
    let whole = sqlx::query(
        "UPDATE OR IGNORE tokens SET live = ?1, version = ?2 + 1, due_at = ?3, body = ?4, accessor_key = ?6,
         parent = ?7 WHERE digest = ?5 AND version = ?2",
    )
    .bind(i64::from(row.live))
    .bind(expect)
    .bind(row.due_at.map(|t| t.0))
    .bind(&row.body)
    .bind(&row.digest)
    .bind(&row.accessor_key)
    .bind(&row.parent)
    .execute(&mut *conn)
    .await?;
    Ok((whole.rows_affected() == 0).then_some(Conflict::RowMoved))
}
