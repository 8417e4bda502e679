//! Lets a user live longer.

use engine_sdk::types::Cause;

use super::identity::Look;
use super::session::Session;
use super::{Error, Fence};

/// Runs a script that makes the user live longer, if it is ours.
pub(crate) async fn renew(session: &mut Session, fence: &Fence<'_>, script: &str) -> Result<(), Error> {
    let result = extend(session, fence, script).await;
    session.settle(result).await
}

async fn extend(session: &mut Session, fence: &Fence<'_>, script: &str) -> Result<(), Error> {
    let Some(found) = fence.begin(session, Look::Stamp).await?.role else {
        return Err(Error::new(Cause::Missing, format!("there is no user {:?} any more", fence.role)));
    };
    found.check(fence)?;
    session.finish(format!("{script} COMMIT")).await.map(drop)
}
