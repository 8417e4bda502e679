//! Access keys, and who signs with them.

use aws_sdk_iam::types::StatusType;
use engine_sdk::types::Cause;

use super::user::{account, unreadable};
use super::{Client, Error, Keys};

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) account: String,
    pub(crate) arn: String,
}

/// Who the client's keys belong to. STS answers everybody.
pub(crate) async fn who(client: &Client) -> Result<Who, Error> {
    let asked = client.sts(async |sts| sts.get_caller_identity().send().await.map_err(Error::of("GetCallerIdentity")));
    let asked = asked.await?;
    let arn = asked.arn.ok_or_else(|| unreadable("GetCallerIdentity"))?;
    let account = asked.account.or_else(|| account(&arn).map(str::to_owned));
    Ok(Who { account: account.ok_or_else(|| unreadable("GetCallerIdentity"))?, arn })
}

/// Waits until STS accepts the client's keys, which may be new.
pub(crate) async fn accepted(client: &Client) -> Result<Who, Error> {
    client.once_known(async || who(client).await).await
}

/// Deletes a key of the client's own user, with another one that may be new.
pub(crate) async fn delete_own_key(client: &Client, id: &str) -> Result<(), Error> {
    client.once_known(async || delete_key(client, None, id).await).await
}

impl Client {
    /// Signs with keys that not every part of AWS may know yet.
    async fn once_known<T>(&self, mut call: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            let denied = match call().await {
                Err(error) if error.cause == Cause::Denied => error,
                result => return result,
            };
            if self.pause(attempt).await.is_err() {
                return Err(denied);
            }
            attempt += 1;
        }
    }

    /// Asks STS, and the next one where one does not answer.
    pub(super) async fn sts<T>(
        &self,
        mut call: impl AsyncFnMut(&aws_sdk_sts::Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut last = None;
        for sts in &self.sts {
            self.in_time()?;
            match call(sts).await {
                Err(error) if error.cause == Cause::Unreachable => last = Some(error),
                result => return result,
            }
        }
        Err(last.unwrap_or_else(|| Error::ours(Cause::Internal, "STS", "no endpoint is configured")))
    }
}

/// Makes a key for a user; for the client's own where there is no name.
pub(crate) async fn create_key(client: &Client, user: Option<&str>) -> Result<Keys, Error> {
    let made = client.make(async || {
        let request = client.iam_once.create_access_key().set_user_name(user.map(str::to_owned));
        request.send().await.map_err(Error::of("CreateAccessKey"))
    });
    let key = made.await?.access_key.ok_or_else(|| unreadable("CreateAccessKey"))?;
    Ok(Keys { access_key: key.access_key_id, secret_key: key.secret_access_key })
}

/// The ids of a user's keys, the oldest first; of the client's own where there is no name.
pub(crate) async fn keys_of(client: &Client, user: Option<&str>) -> Result<Vec<String>, Error> {
    let request = client.iam.list_access_keys().set_user_name(user.map(str::to_owned));
    let all = request.into_paginator().items().send().try_collect().await;
    let mut all: Vec<_> = all.map_err(Error::of("ListAccessKeys"))?;
    all.sort_by_key(|key| key.create_date.as_ref().map(aws_smithy_types::DateTime::secs));
    Ok(all.into_iter().filter_map(|key| key.access_key_id).collect())
}

/// Makes a key useless. A key that is gone is useless.
pub(crate) async fn deactivate_key(client: &Client, user: Option<&str>, id: &str) -> Result<(), Error> {
    let request = client.iam.update_access_key().set_user_name(user.map(str::to_owned)).access_key_id(id);
    let sent = request.status(StatusType::Inactive).send().await;
    gone(sent.map(drop).map_err(Error::of("UpdateAccessKey")))
}

/// Deletes a key.
pub(crate) async fn delete_key(client: &Client, user: Option<&str>, id: &str) -> Result<(), Error> {
    let request = client.iam.delete_access_key().set_user_name(user.map(str::to_owned)).access_key_id(id);
    gone(request.send().await.map(drop).map_err(Error::of("DeleteAccessKey")))
}

/// What is not there need not be ended.
pub(crate) fn gone(ended: Result<(), Error>) -> Result<(), Error> {
    match ended {
        Err(error) if error.is_missing() => Ok(()),
        other => other,
    }
}
