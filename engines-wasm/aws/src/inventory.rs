//! The users in AWS that bear this mount's stamps.

use engine_sdk::types::{Failure, Found, Handle, Page};
use engine_sdk::{Context, failure};

use crate::client::{self, Client, Stamped};
use crate::config::Root;
use crate::lease::{HANDLE_FORMAT, USER, Undo, User, budget, keys};

/// Lists them, or looks for one.
pub(crate) fn browse(ctx: &Context, mark: &str, object: Option<&str>, after: Option<&str>) -> Result<Page, Failure> {
    let (root, keys) = (Root::load(ctx)?, keys(ctx)?);
    let client = Client::new(&root.regions().place(ctx)?, &keys, budget(ctx)?);
    let (users, next) = match object {
        Some(name) => (client::run(client::stamped(&client, name, mark))?.into_iter().collect(), None),
        None => client::run(client::page_of_stamped(&client, mark, after))?,
    };
    let found = |user: Stamped| {
        let known = User { id: user.id, account: user.account };
        let undo = Undo { regions: root.regions(), planned_with: keys.access_key.clone(), user: Some(known) };
        Ok(Found {
            object: user.name,
            kind: USER.to_owned(),
            stamp: user.stamp,
            handle: Handle::new(HANDLE_FORMAT, &undo)?,
            created_at: user.created_at,
        })
    };
    let items: Result<_, Failure> = users.into_iter().map(found).collect();
    if next.as_ref().is_some_and(String::is_empty) {
        return Err(failure::internal("AWS says that there are more users, and not where"));
    }
    Ok(Page { items: items?, next })
}
