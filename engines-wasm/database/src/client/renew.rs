//! Lets a user live longer.

use engine_sdk::types::Cause;

use super::session::Session;
use super::{Error, Fence, OurRole};

/// Runs a script that makes the user live longer, if it is ours.
pub(crate) async fn renew(
    session: &mut Session,
    fence: &Fence<'_>,
    ours: OurRole<'_>,
    script: &str,
) -> Result<(), Error> {
    let result = extend(session, fence, ours, script).await;
    session.settle(result).await
}

async fn extend(session: &mut Session, fence: &Fence<'_>, ours: OurRole<'_>, script: &str) -> Result<(), Error> {
    let facts = fence.begin(session).await?;
    match facts.role {
        None => Err(Error::new(Cause::Missing, format!("there is no user {:?} any more", fence.role))),
        Some(found) if !found.is_ours(ours) => Err(not_ours(fence.role)),
        Some(_) => session.finish(format!("{script} COMMIT")).await.map(drop),
    }
}

pub(super) fn not_ours(role: &str) -> Error {
    Error::conflict(format!("the user {role:?} was not made for this lease"))
}
