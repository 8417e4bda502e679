//! Ends a user: locked out first, then disconnected, then dropped.

use engine_sdk::types::Cause;

use super::error::DEPENDENT;
use super::identity::{Facts, Look};
use super::session::Session;
use super::{Error, Fence};
use crate::statements::identifier;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Removed,
    Absent,
}

/// Ends a user by the operator's script (which may be empty), and by our own means where that does not. Can be repeated
/// from wherever it stopped.
pub(crate) async fn revoke(session: &mut Session, fence: &Fence<'_>, script: &str) -> Result<Ended, Error> {
    let locked = lock_out(session, fence).await;
    let Some(oid) = session.settle(locked).await? else { return Ok(Ended::Absent) };
    let dropped = drop_role(session, fence, script, &oid).await;
    session.settle(dropped).await?;
    Ok(Ended::Removed)
}

/// Takes the log-in away, for good even if nothing after it works. The user's oid; none: there is no such user.
async fn lock_out(session: &mut Session, fence: &Fence<'_>) -> Result<Option<String>, Error> {
    let Some(found) = fence.begin(session, Look::Stamp).await?.role else {
        session.roll_back().await;
        return Ok(None);
    };
    found.check(fence)?;
    session.finish(format!("ALTER ROLE {} NOLOGIN; COMMIT", identifier(fence.role))).await?;
    Ok(Some(found.oid))
}

/// Disconnects and drops the user.
async fn drop_role(session: &mut Session, fence: &Fence<'_>, script: &str, oid: &str) -> Result<(), Error> {
    let superuser = match fence.begin(session, Look::Name).await? {
        Facts { role: Some(found), superuser, .. } if found.oid == oid => superuser,
        // Gone since: somebody was faster.
        _ => {
            session.roll_back().await;
            return Ok(());
        }
    };
    let role = identifier(fence.role);
    let disconnect = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid)::text FROM pg_catalog.pg_stat_activity
         WHERE usesysid = {oid} AND pid <> pg_catalog.pg_backend_pid()"
    );
    if superuser {
        session.query(disconnect).await?;
    } else {
        // To end a user's sessions and to take over what it owns, one must be a member of it.
        attempt(session, &format!("GRANT {role} TO CURRENT_USER")).await?;
        attempt(session, &disconnect).await?;
    }
    if !script.is_empty() {
        run_script(session, &role, script).await?;
        let left = session.query(format!("SELECT oid::text FROM pg_catalog.pg_roles WHERE oid = {oid}")).await?;
        if left.is_empty() {
            return session.finish("COMMIT".to_owned()).await.map(drop);
        }
    }
    session.finish(format!("{} DROP ROLE {role}; COMMIT", disown(&role))).await.map(drop)
}

/// Gives what the user owns to us, and takes its privileges away (in this database).
fn disown(role: &str) -> String {
    format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role};")
}

/// The operator's statements. If they fail because something still depends on the user (a default privilege that they
/// do not revoke, a table that the user made), that is cleared away and they get a second chance.
async fn run_script(session: &mut Session, role: &str, script: &str) -> Result<(), Error> {
    match savepoint(session, script).await {
        Err(error) if error.has_code(DEPENDENT) => session.query(format!("{} {script}", disown(role))).await.map(drop),
        result => result,
    }
}

/// Runs what may be refused.
async fn attempt(session: &mut Session, sql: &str) -> Result<(), Error> {
    match savepoint(session, sql).await {
        // The statements that need what was not to be had will tell.
        Err(error) if error.cause == Cause::Refused => Ok(()),
        result => result,
    }
}

/// Runs statements such that the transaction survives their failure.
async fn savepoint(session: &mut Session, sql: &str) -> Result<(), Error> {
    let result = session.query(format!("SAVEPOINT ours; {sql}; RELEASE SAVEPOINT ours")).await;
    if result.as_ref().is_err_and(|error| error.code.is_some()) {
        session.query("ROLLBACK TO SAVEPOINT ours".to_owned()).await?;
    }
    result.map(drop)
}
