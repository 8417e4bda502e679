//! A batch that nobody keeps company, in one visit to SQLite's thread: begin, checks, changes and commit in one text.
//!
//! Each visit costs both threads a switch, which for one batch is more than what SQLite does in it. A group shares that
//! cost anyway, and would bring more shapes of texts than are worth keeping.
//!
//! A text stops at the first statement that fails, so that whatever does not hold is made to fail. Then nothing was
//! done, and the ordinary way finds out what it was.

use cofferdam_model::view::Version;
use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Either, Executor as _, SqliteConnection};

use super::fault::Fault;
use super::statements::{bind_check, bind_op, check_sql, may_conflict, op_sql};
use super::waves::BEGIN;
use crate::port::Batch;

/// Checks and changes in one text, which SQLite keeps prepared: with many there would be too many shapes.
pub(super) const MOST: usize = 12;
/// What SQLite says of a condition that does not hold: the least integer has no magnitude.
const BROKEN: &str = "integer overflow";

/// A statement without rows that fails where the condition does not hold.
fn demand(condition: &str) -> String {
    format!("SELECT 1 WHERE abs(iif({condition}, 1, -9223372036854775808)) < 0")
}

/// Writes the batch and commits. False: that is not how it can be done, or something does not hold; nothing is begun.
pub(super) async fn write(conn: &mut SqliteConnection, batch: &Batch, versions: &mut Version) -> Result<bool, Fault> {
    if batch.checks.len() + batch.ops.len() > MOST {
        return Ok(false);
    }
    let (text, count) = text(batch);
    let mut query = sqlx::query(AssertSqlSafe(text));
    for check in &batch.checks {
        query = bind_check(query, check);
    }
    let mut last = *versions;
    for op in &batch.ops {
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

/// From the beginning of the transaction to its commit, and how many statements that is.
fn text(batch: &Batch) -> (String, usize) {
    let mut statements = vec![BEGIN.to_owned()];
    let conditions: Vec<String> = batch.checks.iter().map(|check| format!("({})", check_sql(check))).collect();
    if !conditions.is_empty() {
        statements.push(demand(&conditions.join(" AND ")));
    }
    for op in &batch.ops {
        statements.push(op_sql(op).to_owned());
        if may_conflict(op) {
            statements.push(demand("changes()"));
        }
    }
    statements.push("COMMIT".to_owned());
    (statements.join(";"), statements.len())
}
