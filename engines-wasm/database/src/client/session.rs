//! One connection, and whether a transaction is open on it.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::time::timeout;

use super::Error;

/// A server that says nothing for so long on a connection that was kept may have forgotten it.
const FIRST_ANSWER: Duration = Duration::from_secs(4);

/// A connection. Everything goes by the simple protocol: several statements in one round trip, nothing prepared, so
/// that poolers between us and the server do no harm.
pub(crate) struct Session {
    connection: PgConnection,
    /// No transaction is open, and no answer outstanding.
    idle: bool,
    /// The server answered since the session was last begun. Its user knows it even if the work is broken off.
    answered: Rc<Cell<bool>>,
    /// It served before.
    kept: bool,
}

impl Session {
    pub(super) fn new(connection: PgConnection, answered: Rc<Cell<bool>>) -> Self {
        Self { connection, idle: true, answered, kept: false }
    }

    /// Takes it up again.
    pub(super) fn reuse(self, answered: Rc<Cell<bool>>) -> Self {
        Self { answered, kept: true, ..self }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle
    }

    pub(super) fn has_answered(&self) -> bool {
        self.answered.get()
    }

    /// Runs statements and returns the rows of all of them. The session counts as busy until [`Self::finish`].
    pub(super) async fn query(&mut self, sql: String) -> Result<Vec<PgRow>, Error> {
        self.idle = false;
        let asked = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.connection);
        let result = if self.kept && !self.answered.get() {
            timeout(FIRST_ANSWER, asked).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        } else {
            asked.await
        };
        let result = result.map_err(Error::from);
        // What a server says as it hangs up is no answer to what was asked.
        if result.as_ref().map_or_else(|error| error.untouched, |_| true) {
            self.answered.set(true);
        }
        result
    }

    /// Runs statements after which no transaction is open.
    pub(super) async fn finish(&mut self, sql: String) -> Result<Vec<PgRow>, Error> {
        let rows = self.query(sql).await?;
        self.idle = true;
        Ok(rows)
    }

    /// Undoes the transaction. A failure leaves the session busy, so that it is closed.
    pub(super) async fn roll_back(&mut self) {
        // The error that led here is the one worth telling.
        let _ = self.finish("ROLLBACK".to_owned()).await;
    }

    /// Says good-bye.
    pub(super) async fn close(self) {
        // Whoever hung up first.
        let _ = self.connection.close().await;
    }

    /// Undoes the transaction on an error. Whoever was silent so far would not hear it: closing the connection does it.
    pub(super) async fn settle<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() && !self.idle && self.answered.get() {
            self.roll_back().await;
        }
        result
    }
}

/// The text in a column of the simple protocol; every column that we ask for is cast to text.
pub(super) fn text(row: &PgRow, column: &str) -> Result<Option<String>, Error> {
    Ok(row.try_get(column)?)
}

/// The same, of a column that is never null.
pub(super) fn some_text(row: &PgRow, column: &str) -> Result<String, Error> {
    Ok(row.try_get(column)?)
}
