//! Changes the engine's own password.

use std::time::Duration;

use engine_sdk::types::Cause;

use super::connect::{Endpoint, Root, fresh};
use super::session::Session;
use super::{Error, identify};

/// Runs a script that changes the password, in a transaction.
pub(crate) async fn change_password(session: &mut Session, script: &str) -> Result<(), Error> {
    let result = session.finish(format!("BEGIN; SET LOCAL client_min_messages = warning; {script} COMMIT")).await;
    session.settle(result).await.map(drop)
}

/// Logs in with the secret, and sees that the server looks at the password at all: behind `trust`, or a pooler, a log-in
/// proves nothing.
pub(crate) fn prove(endpoint: &Endpoint, root: &Root, wrong: &str, budget: Duration) -> Result<(), Error> {
    fresh(endpoint, root, budget, identify)?;
    let root = Root { password: Some(wrong.to_owned()), ..root.clone() };
    match fresh(endpoint, &root, budget, identify) {
        Err(error) if error.cause == Cause::Denied => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(Error::refused("the server accepts any password, so nothing proves that the new one is in force")),
    }
}
