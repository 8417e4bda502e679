//! Makes a user: all of it, with its stamp and before its time is over, or nothing.

use super::session::{self, Session};
use super::{Error, Fence, Identity};
use crate::statements::{identifier, literal};

/// Milliseconds that the last statements may take, once the clock was looked at.
const STAMP_PATIENCE: u64 = 5_000;

/// The user to be made.
#[derive(Clone, Copy)]
pub(crate) struct NewRole<'a> {
    /// Creation statements, filled in, each with its semicolon.
    pub(crate) script: &'a str,
    /// What is written onto the user.
    pub(crate) stamp: &'a str,
    /// Unix seconds: the user must not appear from then on.
    pub(crate) not_after: u64,
}

/// What was learnt.
#[derive(Debug)]
pub(crate) struct Created {
    /// The user's.
    pub(crate) oid: String,
    /// Where it lives.
    pub(crate) identity: Identity,
}

/// Makes a user.
pub(crate) async fn create(session: &mut Session, fence: &Fence<'_>, new: &NewRole<'_>) -> Result<Created, Error> {
    let made = make(session, fence, new).await;
    let made = session.settle(made).await?;
    // What follows may have committed when its answer is lost: such an error does not count as untouched.
    let sql = format!(
        "SET LOCAL statement_timeout = {STAMP_PATIENCE}; COMMENT ON ROLE {} IS {}; COMMIT",
        identifier(fence.role),
        literal(new.stamp)
    );
    let committed = session.finish(sql).await;
    session.settle(committed).await?;
    Ok(made)
}

/// Everything but the stamp and the commit.
async fn make(session: &mut Session, fence: &Fence<'_>, new: &NewRole<'_>) -> Result<Created, Error> {
    let facts = fence.begin(session).await?;
    if facts.role.is_some() {
        return Err(Error::conflict(format!("a user {:?} exists already", fence.role)));
    }
    let sql = format!(
        "{script}
         SELECT r.oid::text AS oid,
                (pg_catalog.clock_timestamp() >= pg_catalog.to_timestamp({not_after}))::text AS late
         FROM (VALUES (1)) one LEFT JOIN pg_catalog.pg_roles r ON r.rolname = {role}",
        script = new.script,
        not_after = new.not_after,
        role = literal(fence.role),
    );
    let rows = session.query(sql).await?;
    // The operator's statements may have answered with rows of their own; ours is the last.
    let row = rows.last().ok_or_else(|| Error::unreachable("the server lost an answer"))?;
    if session::some_text(row, "late")? == "true" {
        return Err(Error::refused("the time for making this user is over (by the database's clock)"));
    }
    let oid = session::text(row, "oid")?.ok_or_else(|| {
        Error::refused(format!("the creation statements did not create {:?}: they must use {{{{name}}}}", fence.role))
    })?;
    Ok(Created { oid, identity: facts.identity })
}
