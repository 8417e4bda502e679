//! Finds users by their stamps.

use engine_sdk::types::Cause;

use super::user::{STAMP, account, find_user};
use super::{Client, Error};

/// Users asked for at once. A listing does not show tags: each user is asked for by itself.
const PAGE: i32 = 50;

/// A user that bears a stamp.
pub(crate) struct Stamped {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) stamp: String,
    /// Unix seconds.
    pub(crate) created_at: Option<u64>,
}

/// A page of the account's users that bear such a stamp, and where the next page begins.
pub(crate) async fn page_of_stamped(
    client: &Client,
    mark: &str,
    after: Option<&str>,
) -> Result<(Vec<Stamped>, Option<String>), Error> {
    let request = client.iam.list_users().max_items(PAGE).set_marker(after.map(str::to_owned));
    let page = request.send().await.map_err(Error::of("ListUsers"))?;
    let mut all = Vec::new();
    for user in &page.users {
        all.extend(stamped(client, user.user_name(), mark).await?);
    }
    Ok((all, page.marker.filter(|_| page.is_truncated)))
}

/// The unique id of the user of this name.
pub(crate) async fn user_id(client: &Client, name: &str) -> Result<Option<String>, Error> {
    Ok(find_user(client, name).await?.map(|user| user.user_id))
}

/// The user of this name, if it is there and bears such a stamp.
pub(crate) async fn stamped(client: &Client, name: &str, mark: &str) -> Result<Option<Stamped>, Error> {
    client.in_time()?;
    let Some(user) = find_user(client, name).await? else { return Ok(None) };
    let stamp = user.tags().iter().find(|tag| tag.key() == STAMP && tag.value().starts_with(mark));
    let Some(stamp) = stamp.map(|tag| tag.value().to_owned()) else { return Ok(None) };
    let account =
        account(&user.arn).ok_or_else(|| Error::ours(Cause::Internal, "GetUser", "an ARN without account"))?;
    Ok(Some(Stamped {
        account: account.to_owned(),
        created_at: u64::try_from(user.create_date.secs()).ok(),
        name: user.user_name,
        id: user.user_id,
        stamp,
    }))
}
