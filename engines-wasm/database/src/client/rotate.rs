//! Changes the engine's own password.

use engine_sdk::types::Cause;

use super::Error;
use super::connect::{Endpoint, Root, check};
use super::session::Session;

/// Runs a script that changes the password, in a transaction.
pub(crate) async fn change_password(session: &mut Session, script: &str) -> Result<(), Error> {
    let result = session.finish(format!("BEGIN; SET LOCAL client_min_messages = warning; {script} COMMIT")).await;
    session.settle(result).await.map(drop)
}

/// Sees that a server that let us in looks at the password at all: behind `trust`, or a pooler, a proof is none.
pub(crate) async fn refuses_wrong_password(endpoint: &Endpoint, root: &Root, wrong: &str) -> Result<(), Error> {
    let root = Root { password: Some(wrong.to_owned()), ..root.clone() };
    match check(endpoint, &root).await {
        Err(error) if error.cause == Cause::Denied => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(Error::refused("the server accepts any password, so nothing proves that the new one is in force")),
    }
}
