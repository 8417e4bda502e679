//! The users in a database that bear this mount's stamps.

use engine_sdk::Context;
use engine_sdk::types::{Failure, Found, Handle, Page};

use crate::client;
use crate::lease::{Backend, HANDLE_FORMAT, KIND, Undo, budget};
use crate::statements::Later;

/// Users on a page.
const PAGE: usize = 200;

/// Lists them, or looks for one. The role that a user was made for is not known: it is ended by the engine's own means.
pub(crate) fn browse(
    ctx: &Context,
    backend: &str,
    mark: &str,
    object: Option<&str>,
    after: Option<&str>,
) -> Result<Page, Failure> {
    let (backend, budget) = (Backend::of(ctx, backend)?, budget(ctx)?);
    let (identity, users) = client::run(&backend.endpoint, &backend.root, budget, async |session| {
        client::stamped(session, mark, object, after.unwrap_or_default(), PAGE).await
    })?;
    let next = users.last().filter(|_| users.len() == PAGE).map(|user| user.name.clone());
    let found = |user: client::Stamped| {
        let undo = Undo {
            username: user.name.clone(),
            oid: Some(user.oid),
            identity: Some(identity.clone()),
            later: Later::default(),
        };
        let handle = Handle::new(HANDLE_FORMAT, &undo)?;
        Ok(Found { object: user.name, kind: KIND.to_owned(), stamp: user.stamp, handle, created_at: None })
    };
    let items: Result<_, Failure> = users.into_iter().map(found).collect();
    Ok(Page { items: items?, next })
}
