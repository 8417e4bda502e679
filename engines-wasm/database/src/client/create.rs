//! Makes a user: all of it, with its stamp and before its time is over, or nothing.

use super::identity::{Look, oid_of};
use super::session::{self, Session};
use super::{Error, Fence, Identity};
use crate::statements::{identifier, literal};

/// Milliseconds that the last statements may take, once the clock was looked at.
const STAMP_PATIENCE: u64 = 5_000;

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
    let made = session.settle(made).await?;
    // What follows may have committed when its answer is lost: such an error does not count as untouched.
    let sql = format!(
        "SET LOCAL statement_timeout = {STAMP_PATIENCE}; COMMENT ON ROLE {} IS {}; COMMIT",
        identifier(fence.role),
        literal(fence.stamp)
    );
    let committed = session.finish(sql).await;
    session.settle(committed).await?;
    Ok(made)
}

/// Everything but the stamp and the commit.
async fn make(session: &mut Session, fence: &Fence<'_>, script: &str, not_after: u64) -> Result<Created, Error> {
    let facts = fence.begin(session, Look::Name).await?;
    if facts.role.is_some() {
        return Err(Error::conflict(format!("a user {:?} exists already", fence.role)));
    }
    let sql = format!(
        "{script}
         SELECT {oid}::text AS oid,
                (pg_catalog.clock_timestamp() >= pg_catalog.to_timestamp({not_after}))::text AS late",
        oid = oid_of(fence.role),
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
