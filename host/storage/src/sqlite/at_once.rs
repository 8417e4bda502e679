//! A batch that nobody keeps company, in one visit to SQLite's thread: begin, checks, changes and commit in one text.
//!
//! Each visit costs both threads a switch, which for one batch is more than what SQLite does in it. A group shares that
//! cost anyway, and would bring more shapes of texts than are worth keeping.
//!
//! A text stops at the first statement that fails, so that whatever does not hold is made to fail. Then nothing was
//! done, and `waves.rs` finds out what it was.

use cofferdam_model::view::Version;
use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Either, Executor as _, SqliteConnection};

use super::fault::Fault;
use super::statements::{bind_check, bind_op, check_sql, may_conflict, op_sql};
use super::waves::{BEGIN, Waves};
use crate::port::{Check, Op};

/// Checks and changes in one text, which SQLite keeps prepared: with many there would be too many shapes.
const MOST: usize = 12;
/// What SQLite says of a condition that does not hold: the least integer has no magnitude.
const BROKEN: &str = "integer overflow";

/// A statement without rows that fails where the condition does not hold.
fn demand(condition: &str) -> String {
    format!("SELECT 1 WHERE abs(iif({condition}, 1, -9223372036854775808)) < 0")
}

/// Writes the group and commits. False: that is not how it can be done, or something does not hold; nothing is begun.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    group: &Waves<'_>,
    versions: &mut Version,
) -> Result<bool, Fault> {
    let Some(batch) = group.single() else { return Ok(false) };
    let mut checks: Vec<&Check> = batch.checks.iter().collect();
    let mut ops: Vec<&Op> = batch.ops.iter().collect();
    if checks.len() + ops.len() > MOST {
        return Ok(false);
    }
    // As few shapes as possible, and first what frees something.
    checks.sort_by_key(|check| check_sql(check));
    ops.sort_by_key(|op| op_sql(op));
    let statements = text(&checks, &ops);
    let count = statements.len();
    let mut query = sqlx::query(AssertSqlSafe(statements.join(";")));
    for check in checks {
        query = bind_check(query, check);
    }
    let mut last = *versions;
    for op in ops {
        query = bind_op(query, op, &mut last);
    }
    let mut done = 0;
    let failed = {
        let mut results = (&mut *conn).fetch_many(query);
        loop {
            match results.try_next().await {
                Ok(Some(Either::Left(_))) => done += 1,
                Ok(Some(Either::Right(_))) => {}
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        }
    };
    match failed {
        None if done == count => {
            *versions = last;
            Ok(true)
        }
        None => Err(Fault::bug("a statement gave no answer")),
        Some(error) if done + 1 == count => Err(Fault::from(error).of_commit()),
        Some(error) if error.as_database_error().is_some_and(|error| error.message() == BROKEN) => {
            sqlx::query("ROLLBACK").execute(conn).await?;
            Ok(false)
        }
        Some(error) => Err(error.into()),
    }
}

/// From the beginning of the transaction to its commit.
fn text(checks: &[&Check], ops: &[&Op]) -> Vec<String> {
    let mut statements = vec![BEGIN.to_owned()];
    if !checks.is_empty() {
        let conditions: Vec<String> = checks.iter().map(|check| format!("({})", check_sql(check))).collect();
        statements.push(demand(&conditions.join(" AND ")));
    }
    for op in ops {
        statements.push(op_sql(op).to_owned());
        if may_conflict(op) {
            statements.push(demand("changes()"));
        }
    }
    statements.push("COMMIT".to_owned());
    statements
}
