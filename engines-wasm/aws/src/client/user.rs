//! IAM users: made with the stamp first and the key last, and asked for by name.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{Tag, User};
use engine_sdk::types::Cause;
use serde::{Deserialize, Serialize};

use super::{Client, Error, Keys, create_key};

/// The tag that says whose a user is.
pub(crate) const STAMP: &str = "cofferdam";

/// How a user is to be.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Recipe {
    /// How long, in seconds, it is waited for until its key works.
    pub(crate) ready_within: u64,
    pub(crate) path: String,
    pub(crate) boundary: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) groups: Vec<String>,
    pub(crate) policy_arns: Vec<String>,
    /// Its name, and its text.
    pub(crate) policy: Option<(String, String)>,
}

/// A user that was made.
pub(crate) struct Made {
    /// The user's unique id, never given again.
    pub(crate) id: String,
    /// The account that it lives in.
    pub(crate) account: String,
    pub(crate) keys: Keys,
}

/// The user of this name. That there is none is said by AWS: an answer that shows none is no answer.
pub(crate) async fn find_user(client: &Client, name: &str) -> Result<Option<User>, Error> {
    match client.iam.get_user().user_name(name).send().await.map_err(Error::of("GetUser")) {
        // Where the answer shows none the SDK makes up one of empty texts.
        Ok(found) => found.user.filter(|user| !user.arn.is_empty()).ok_or_else(|| unreadable("GetUser")).map(Some),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a user of this name. `untouched` of an error holds for the whole.
pub(crate) async fn create_user(client: &Client, name: &str, stamp: &str, recipe: &Recipe) -> Result<Made, Error> {
    let made = client.make(async || {
        let request = client.iam_once.create_user().user_name(name).set_tags(Some(tags(stamp, &recipe.tags)?));
        let request = request.set_path(given(&recipe.path)).set_permissions_boundary(given(&recipe.boundary));
        request.send().await.map_err(Error::of("CreateUser"))
    });
    let user = made.await?.user.ok_or_else(|| unreadable("CreateUser"))?;
    let account = account(&user.arn).ok_or_else(|| unreadable("CreateUser"))?.to_owned();
    let keys = furnish(client, name, recipe).await.map_err(|error| Error { untouched: false, ..error })?;
    Ok(Made { id: user.user_id, account, keys })
}

/// Gives the user what the recipe says, and then a key.
async fn furnish(client: &Client, name: &str, recipe: &Recipe) -> Result<Keys, Error> {
    for group in &recipe.groups {
        let joined = client.soon(name, async || {
            let request = client.iam.add_user_to_group().group_name(group).user_name(name);
            request.send().await.map_err(Error::of("AddUserToGroup"))
        });
        joined.await?;
    }
    for arn in &recipe.policy_arns {
        let attached = client.soon(name, async || {
            let request = client.iam.attach_user_policy().policy_arn(arn).user_name(name);
            request.send().await.map_err(Error::of("AttachUserPolicy"))
        });
        attached.await?;
    }
    if let Some((policy, document)) = &recipe.policy {
        let put = client.soon(name, async || {
            let request = client.iam.put_user_policy().policy_name(policy).policy_document(document).user_name(name);
            request.send().await.map_err(Error::of("PutUserPolicy"))
        });
        put.await?;
    }
    client.soon(name, async || create_key(client, Some(name)).await).await
}

fn tags(stamp: &str, given: &BTreeMap<String, String>) -> Result<Vec<Tag>, Error> {
    let own = std::iter::once((STAMP, stamp));
    let all = own.chain(given.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    let tags: Result<_, _> = all.map(tag).collect();
    tags.map_err(|error| Error::ours(Cause::Internal, "CreateUser", error.to_string()))
}

/// The account in an ARN.
pub(crate) fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

pub(crate) fn unreadable(call: &'static str) -> Error {
    Error::ours(Cause::Internal, call, "AWS's answer lacks what it should hold")
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
