//! Ends a user: locked out first, then disconnected, then dropped.

use engine_sdk::types::Cause;

use super::error::DEPENDENT;
use super::identity::Found;
use super::renew::not_ours;
use super::session::Session;
use super::{Error, Fence, OurRole};
use crate::statements::identifier;

/// How to end a user.
#[derive(Clone, Copy)]
pub(crate) struct Revocation<'a> {
    pub(crate) fence: Fence<'a>,
    pub(crate) ours: OurRole<'a>,
    /// The operator's statements, filled in, each with its semicolon; may be empty.
    pub(crate) script: &'a str,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Removed,
    Absent,
}

/// Ends a user. Can be repeated from wherever it stopped.
pub(crate) async fn revoke(session: &mut Session, revocation: &Revocation<'_>) -> Result<Ended, Error> {
    let locked = lock_out(session, revocation).await;
    let Some(found) = session.settle(locked).await? else { return Ok(Ended::Absent) };
    let dropped = drop_role(session, revocation, &found).await;
    session.settle(dropped).await?;
    Ok(Ended::Removed)
}

/// The role, if it is there and ours.
async fn find(session: &mut Session, revocation: &Revocation<'_>) -> Result<Option<Found>, Error> {
    match revocation.fence.begin(session).await?.role {
        Some(found) if found.is_ours(revocation.ours) => Ok(Some(found)),
        Some(_) => Err(not_ours(revocation.fence.role)),
        None => Ok(None),
    }
}

/// Takes the log-in away, for good even if nothing after it works. None: there is no such role.
async fn lock_out(session: &mut Session, revocation: &Revocation<'_>) -> Result<Option<Found>, Error> {
    let Some(found) = find(session, revocation).await? else {
        session.roll_back().await;
        return Ok(None);
    };
    session.finish(format!("ALTER ROLE {} NOLOGIN; COMMIT", identifier(revocation.fence.role))).await?;
    Ok(Some(found))
}

/// Disconnects and drops the role.
async fn drop_role(session: &mut Session, revocation: &Revocation<'_>, locked: &Found) -> Result<(), Error> {
    match find(session, revocation).await? {
        Some(found) if found.oid == locked.oid => {}
        // Gone since: somebody was faster.
        _ => {
            session.roll_back().await;
            return Ok(());
        }
    }
    let role = identifier(revocation.fence.role);
    // A superuser needs no membership; others may not be able to get it, and perhaps have it.
    attempt(session, &format!("GRANT {role} TO CURRENT_USER")).await?;
    let sessions = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid)::text FROM pg_catalog.pg_stat_activity
         WHERE usesysid = {} AND pid <> pg_catalog.pg_backend_pid()",
        locked.oid
    );
    attempt(session, &sessions).await?;
    if !revocation.script.is_empty() {
        run_script(session, &role, revocation.script).await?;
    }
    let still_there =
        !session.query(format!("SELECT FROM pg_catalog.pg_roles WHERE oid = {}", locked.oid)).await?.is_empty();
    if still_there {
        session.query(format!("{} DROP ROLE {role};", disown(&role))).await?;
    }
    session.finish("COMMIT".to_owned()).await.map(drop)
}

/// Gives what the role owns to us, and takes its privileges away (in this database).
fn disown(role: &str) -> String {
    format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role};")
}

/// The operator's statements. If they fail because something still depends on the role (a default privilege that they
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
