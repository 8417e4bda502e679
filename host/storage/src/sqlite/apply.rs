//! One batch inside the writer's transaction, statement by statement: the way that finds out what is in conflict.

use cofferdam_model::view::Version;
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::statements::{bind_check, bind_op, check_sql, conflict, may_conflict, op_sql};
use crate::port::{Batch, Check, Conflict, Op, Outcome};

/// Updates that also change what usually stays the same. They take the values of [`op_sql`]'s, in that order.
const WHOLE_LEASE: &str = "UPDATE OR IGNORE leases SET state = ?1, version = version + 1, due_at = ?2, body = ?3,
     mount = ?6, backend = ?7, generation = ?8, token = ?9, object_key = ?10 WHERE id = ?4 AND version = ?5";
/// The uses are left as they are: somebody may have taken one since the row was read.
const WHOLE_TOKEN: &str = "UPDATE OR IGNORE tokens SET live = ?1, version = version + 1, due_at = ?2, body = ?3,
     accessor_key = ?6, parent = ?7 WHERE digest = ?4 AND version = ?5";

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
    let (sql, conflict) = match op {
        Op::InsertLease(row) => {
            let taken = lease_version(conn, &row.id).await?.is_none();
            return Ok(Some(if taken { Conflict::ObjectTaken } else { Conflict::RowMoved }));
        }
        Op::UpdateLease { expect, row } => {
            if lease_version(conn, &row.id).await? != Some(*expect) {
                return Ok(Some(Conflict::RowMoved));
            }
            (WHOLE_LEASE, Conflict::ObjectTaken)
        }
        Op::UpdateToken { .. } => (WHOLE_TOKEN, Conflict::RowMoved),
        _ => return Ok(Some(Conflict::RowMoved)),
    };
    let done = bind_op(sqlx::query(sql), op, versions).execute(conn).await?.rows_affected() > 0;
    Ok((!done).then_some(conflict))
}

async fn lease_version(conn: &mut SqliteConnection, id: &str) -> Result<Option<i64>, Fault> {
    Ok(sqlx::query_scalar("SELECT version FROM leases WHERE id = ?1").bind(id).fetch_optional(conn).await?)
}
