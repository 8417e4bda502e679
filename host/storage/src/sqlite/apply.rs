//! One batch inside the writer's transaction, statement by statement: the way that finds out what is in conflict.

use cofferdam_model::view::Version;
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::leases::state_code;
use super::statements::{bind_check, bind_op, check_sql, conflict, may_conflict, op_sql};
use crate::port::{Batch, Check, Conflict, LeaseRow, Op, Outcome, TokenRow};

/// Checks, then changes; a conflict leaves nothing behind.
pub(super) async fn apply(
    conn: &mut SqliteConnection,
    batch: &Batch,
    versions: &mut Version,
) -> Result<Outcome, Fault> {
    for check in &batch.checks {
        if !holds(conn, check).await? {
            return Ok(Outcome::Conflict(conflict(check)));
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

async fn holds(conn: &mut SqliteConnection, check: &Check) -> Result<bool, Fault> {
    let query = bind_check(sqlx::query(check_sql(check)), check);
    let row = query.fetch_one(conn).await?;
    Ok(sqlx::Row::try_get::<i64, _>(&row, 0)? != 0)
}

async fn change(conn: &mut SqliteConnection, op: &Op, versions: &mut Version) -> Result<Option<Conflict>, Fault> {
    let done = bind_op(sqlx::query(op_sql(op)), op, versions).execute(&mut *conn).await?.rows_affected() > 0;
    if done || !may_conflict(op) {
        return Ok(None);
    }
    match op {
        Op::InsertLease(row) => Ok(Some(match lease_version(conn, &row.id).await? {
            Some(_) => Conflict::RowMoved,
            None => Conflict::ObjectTaken,
        })),
        Op::UpdateLease { expect, row } => update_lease(conn, *expect, row).await,
        Op::UpdateToken { expect, row } => update_token(conn, *expect, row).await,
        _ => Ok(Some(Conflict::RowMoved)),
    }
}

async fn lease_version(conn: &mut SqliteConnection, id: &str) -> Result<Option<i64>, Fault> {
    Ok(sqlx::query_scalar("SELECT version FROM leases WHERE id = ?1").bind(id).fetch_optional(conn).await?)
}

/// Also what usually stays the same.
async fn update_lease(conn: &mut SqliteConnection, expect: i64, row: &LeaseRow) -> Result<Option<Conflict>, Fault> {
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

/// Also what usually stays the same. The uses are left as they are: somebody may have taken one since the row was read.
async fn update_token(conn: &mut SqliteConnection, expect: i64, row: &TokenRow) -> Result<Option<Conflict>, Fault> {
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
