//! Credentials of STS, which end by themselves.

use std::collections::BTreeMap;

use aws_sdk_sts::types::{Credentials, PolicyDescriptorType, Tag};
use engine_sdk::types::Cause;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::user::unreadable;
use super::{Client, Error};

/// How a session is to be.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Session {
    pub(crate) way: Way,
    /// Of the session.
    pub(crate) name: String,
    pub(crate) policy_document: String,
    pub(crate) policy_arns: Vec<String>,
    /// The session may do no more than these groups may.
    pub(crate) groups: Vec<String>,
}

/// How one gets it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    AssumeRole { arn: String, external_id: String, source_identity: String, tags: BTreeMap<String, String> },
    FederationToken,
    SessionToken { mfa_serial_number: String, mfa_code: String },
}

/// A session that was opened.
pub(crate) struct Opened {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: String,
    /// Of the assumed role or the federated user.
    pub(crate) arn: Option<String>,
    /// Unix seconds.
    pub(crate) expires_at: u64,
}

/// Opens a session for so many seconds.
pub(crate) async fn open(client: &Client, session: &Session, seconds: u64) -> Result<Opened, Error> {
    let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
    let (document, arns) = policies(client, session).await?;
    let arns: Vec<_> = arns.iter().map(|arn| PolicyDescriptorType::builder().arn(arn).build()).collect();
    let arns = (!arns.is_empty()).then_some(arns);
    match &session.way {
        Way::AssumeRole { arn, external_id, source_identity, tags } => {
            let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
            let tags: Vec<_> = tags.collect::<Result<_, _>>().map_err(|e| bad("AssumeRole", e))?;
            let asked = client.sts(async |sts| {
                let request =
                    sts.assume_role().role_arn(arn).role_session_name(&session.name).duration_seconds(seconds);
                let request = request.set_policy(document.clone()).set_policy_arns(arns.clone());
                let request = request.set_external_id(given(external_id)).set_source_identity(given(source_identity));
                let request = request.set_tags((!tags.is_empty()).then(|| tags.clone()));
                request.send().await.map_err(Error::of("AssumeRole"))
            });
            let answer = asked.await?;
            let arn = answer.assumed_role_user.map(|user| user.arn);
            opened("AssumeRole", answer.credentials, arn)
        }
        Way::FederationToken => {
            let asked = client.sts(async |sts| {
                let request = sts.get_federation_token().name(&session.name).duration_seconds(seconds);
                let request = request.set_policy(document.clone()).set_policy_arns(arns.clone());
                request.send().await.map_err(Error::of("GetFederationToken"))
            });
            opened("GetFederationToken", asked.await?.credentials, None)
        }
        Way::SessionToken { mfa_serial_number, mfa_code } => {
            let asked = client.sts(async |sts| {
                let request = sts.get_session_token().duration_seconds(seconds);
                let request = request.set_serial_number(given(mfa_serial_number)).set_token_code(given(mfa_code));
                request.send().await.map_err(Error::of("GetSessionToken"))
            });
            opened("GetSessionToken", asked.await?.credentials, None)
        }
    }
}

fn opened(call: &'static str, credentials: Option<Credentials>, arn: Option<String>) -> Result<Opened, Error> {
    let credentials = credentials.ok_or_else(|| unreadable(call))?;
    Ok(Opened {
        access_key: credentials.access_key_id,
        secret_key: credentials.secret_access_key,
        session_token: credentials.session_token,
        arn,
        expires_at: u64::try_from(credentials.expiration.secs()).unwrap_or_default(),
    })
}

/// The policies that limit the session: its own and those of its groups.
async fn policies(client: &Client, session: &Session) -> Result<(Option<String>, Vec<String>), Error> {
    let mut documents = Vec::new();
    documents.extend(given(&session.policy_document));
    let mut arns = session.policy_arns.clone();
    for group in &session.groups {
        let iam = &client.iam;
        let names = iam.list_group_policies().group_name(group).into_paginator().items().send();
        for name in names.try_collect().await.map_err(Error::of("ListGroupPolicies"))? {
            let got = iam.get_group_policy().group_name(group).policy_name(name).send().await;
            documents.push(decoded(&got.map_err(Error::of("GetGroupPolicy"))?.policy_document));
        }
        let attached = iam.list_attached_group_policies().group_name(group).into_paginator().items().send();
        let attached: Vec<_> = attached.try_collect().await.map_err(Error::of("ListAttachedGroupPolicies"))?;
        arns.extend(attached.into_iter().filter_map(|policy| policy.policy_arn));
    }
    if matches!(session.way, Way::FederationToken) && documents.is_empty() && arns.is_empty() {
        let message = "the groups have no policies, and a federation token without any can do nothing";
        return Err(Error::ours(Cause::Invalid, "GetFederationToken", message));
    }
    let document = match documents.len() {
        0 | 1 => documents.pop(),
        _ => Some(merged(&documents).map_err(|e| bad("GetGroupPolicy", e))?),
    };
    Ok((document, arns))
}

/// One policy with the statements of all.
fn merged(documents: &[String]) -> Result<String, serde_json::Error> {
    let mut statements = Vec::new();
    for document in documents {
        match serde_json::from_str::<Value>(document)?.get("Statement").cloned() {
            Some(Value::Array(several)) => statements.extend(several),
            one => statements.extend(one),
        }
    }
    serde_json::to_string(&serde_json::json!({ "Version": "2012-10-17", "Statement": statements }))
}

/// IAM answers documents in URL encoding.
fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document).decode_utf8_lossy().into_owned()
}

fn bad(call: &'static str, why: impl std::fmt::Display) -> Error {
    Error::ours(Cause::Invalid, call, why.to_string())
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_policies_become_one() {
        let one = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:*","Resource":"*"}}"#;
        let two = r#"{"Statement":[{"Effect":"Deny","Action":"b:*","Resource":"*"}]}"#;
        let merged: Value = serde_json::from_str(&merged(&[one.to_owned(), two.to_owned()]).unwrap()).unwrap();
        assert_eq!(merged["Statement"].as_array().map(Vec::len), Some(2));
        assert_eq!(merged["Statement"][1]["Action"], "b:*");
        assert_eq!(decoded("%7B%22a%22%3A1%7D"), r#"{"a":1}"#);
    }
}
