//! Makes a user: all of it, with its stamp and before its time is over, or nothing.

use super::identity::{Look, oid_of};
use super::session::{self, Session};
use super::{Error, Fence, Identity};
use crate::statements::{identifier, literal};

/// Milliseconds that the last statements may take, once the clock was looked at.
const STAMP_PATIENCE: u64 = 5_000;
/// What the server calls a number that is none.
const NO_NUMBER: &str = "22P02";
/// The numbers that are none: with them we stop the server before it commits.
const LATE: &str = "cofferdam:late";
const UNMADE: &str = "cofferdam:unmade";

/// What was learnt.
#[derive(Debug)]
pub(crate) struct Created {
    /// The user's.
    pub(crate) oid: String,
    /// Where it lives.
    pub(crate) identity: Identity,
}

/// Makes a user by a script, unless it is `not_after` (Unix seconds) or later.
pub(crate) async fn create(
    session: &mut Session,
    fence: &Fence<'_>,
    script: &str,
    not_after: u64,
) -> Result<Created, Error> {
    let made = make(session, fence, script, not_after).await;
    session.settle(made).await
}

async fn make(session: &mut Session, fence: &Fence<'_>, script: &str, not_after: u64) -> Result<Created, Error> {
    let facts = fence.begin(session, Look::Name).await?;
    if facts.role.is_some() {
        return Err(Error::conflict(format!("a user {:?} exists already", fence.role)));
    }
    // It may have committed when its answer is lost: such an error does not count as untouched.
    let rows = session.finish(everything(fence, script, not_after)).await.map_err(|error| explain(error, fence))?;
    // The operator's statements may have answered with rows of their own; ours is the last.
    let row = rows.last().ok_or_else(|| Error::unreachable("the server lost an answer"))?;
    Ok(Created { oid: session::some_text(row, "oid")?, identity: facts.identity })
}

/// The script, a look at what it did and at the clock, the stamp and the commit: one round trip. What must not be
/// committed fails at the look: its reason is no number.
fn everything(fence: &Fence<'_>, script: &str, not_after: u64) -> String {
    format!(
        "{script}
         SELECT r.oid::text AS oid,
                (CASE WHEN r.oid IS NULL THEN '{UNMADE}'
                      WHEN pg_catalog.clock_timestamp() >= pg_catalog.to_timestamp({not_after}) THEN '{LATE}'
                 END)::pg_catalog.int4
         FROM (SELECT {oid} AS oid) r;
         SET LOCAL statement_timeout = {STAMP_PATIENCE};
         COMMENT ON ROLE {role} IS {stamp};
         COMMIT",
        oid = oid_of(fence.role),
        role = identifier(fence.role),
        stamp = literal(fence.stamp),
    )
}

/// What we made fail, in words.
fn explain(error: Error, fence: &Fence<'_>) -> Error {
    let is_ours = |what| error.has_code(NO_NUMBER) && error.message.contains(what);
    if is_ours(LATE) {
        Error::refused("the time for making this user is over (by the database's clock)")
    } else if is_ours(UNMADE) {
        let role = fence.role;
        Error::refused(format!("the creation statements did not create {role:?}: they must use {{{{name}}}}"))
    } else {
        error
    }
}
