//! Roles: `roles/{name}`. What credentials are made like.

use std::collections::BTreeMap;

use engine_sdk::types::{Failure, Operation, Outcome, Reply, Request};
use engine_sdk::{Context, failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod legacy;

/// A role as it is stored and shown.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Role {
    /// One type; of a role that was written in the old way, perhaps several, with commas.
    credential_type: String,
    pub(crate) role_arns: Vec<String>,
    pub(crate) policy_arns: Vec<String>,
    pub(crate) policy_document: String,
    pub(crate) iam_groups: Vec<String>,
    pub(crate) iam_tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) session_tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) external_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) source_identity: String,
    pub(crate) default_sts_ttl: u64,
    pub(crate) max_sts_ttl: u64,
    pub(crate) user_path: String,
    pub(crate) permissions_boundary_arn: String,
    /// How long, in seconds, a new user is waited for until its key works.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) ready_within: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) mfa_serial_number: String,
    /// Written in the old way: users are at `creds/` only, sessions at `sts/` only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    legacy: bool,
}

/// What a role makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialType {
    IamUser,
    AssumedRole,
    FederationToken,
    SessionToken,
}

impl CredentialType {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "iam_user" => Self::IamUser,
            "assumed_role" => Self::AssumedRole,
            "federation_token" => Self::FederationToken,
            "session_token" => Self::SessionToken,
            _ => return None,
        })
    }
}

/// The storage key.
pub(crate) fn key(name: &str) -> String {
    format!("roles/{name}")
}

/// Serves `roles/{name}`.
pub(crate) fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    let key = key(request.param("name"));
    match request.operation {
        Operation::Read => match ctx.storage().get_json::<Role>(&key)? {
            Some(role) => Ok(Reply::data(&role)?.into()),
            None => Ok(Reply::none().into()),
        },
        Operation::Delete => {
            ctx.storage().delete(&key);
            Ok(Reply::none().into())
        }
        _ => {
            if let Some(role) = legacy::role(request)? {
                ctx.storage().put_json(&key, &role)?;
                return Ok(Reply::none().into());
            }
            let role = merge(ctx.storage().get_json(&key)?.unwrap_or_default(), request)?;
            ctx.storage().put_json(&key, &role.checked()?)?;
            Ok(Reply::none().into())
        }
    }
}

/// What is sent replaces what is there; the rest stays.
fn merge(old: Role, request: &Request) -> Result<Role, Failure> {
    let mut all = serde_json::to_value(old).map_err(failure::json)?;
    let sent: serde_json::Map<String, Value> = request.fields()?;
    if let Some(all) = all.as_object_mut() {
        all.extend(sent.into_iter().filter(|(name, value)| name != "name" && !value.is_null()));
    }
    serde_json::from_value(all).map_err(|error| failure::invalid(format!("invalid role: {error}")))
}

impl Role {
    /// The role of this name.
    pub(crate) fn load(ctx: &Context, name: &str) -> Result<Option<Self>, Failure> {
        ctx.storage().get_json(&key(name))
    }

    /// What it makes at `sts/`, or at `creds/`.
    pub(crate) fn type_at(&self, sts: bool) -> Result<CredentialType, Failure> {
        let mut types = self.credential_type.split(',').filter_map(CredentialType::parse);
        let fits = |kind: &CredentialType| !self.legacy || sts != (*kind == CredentialType::IamUser);
        types.find(fits).ok_or_else(|| {
            let path = if sts { "sts/" } else { "creds/" };
            failure::invalid(format!("a role of the type {} has no credentials at {path}", self.credential_type))
        })
    }

    fn checked(mut self) -> Result<Self, Failure> {
        let kind = self.credential_type.as_str();
        if !matches!(kind, "iam_user" | "assumed_role" | "federation_token" | "session_token") {
            return Err(failure::invalid(
                "credential_type must be iam_user, assumed_role, federation_token or session_token",
            ));
        }
        let user = kind == "iam_user";
        let assumed = kind == "assumed_role";
        let session = kind == "session_token";
        let lives = self.default_sts_ttl > 0 || self.max_sts_ttl > 0;
        for (given, fits, field) in [
            (!self.role_arns.is_empty(), assumed, "role_arns"),
            (!self.policy_arns.is_empty(), !session, "policy_arns"),
            (!self.policy_document.is_empty(), !session, "policy_document"),
            (!self.iam_groups.is_empty(), !session, "iam_groups"),
            (!self.iam_tags.is_empty(), user, "iam_tags"),
            (!self.session_tags.is_empty(), assumed, "session_tags"),
            (!self.external_id.is_empty(), assumed, "external_id"),
            (!self.source_identity.is_empty(), assumed, "source_identity"),
            (lives, !user, "default_sts_ttl and max_sts_ttl"),
            (!self.user_path.is_empty(), user, "user_path"),
            (!self.permissions_boundary_arn.is_empty(), user, "permissions_boundary_arn"),
            (self.ready_within > 0, user, "ready_within"),
            (!self.mfa_serial_number.is_empty(), session, "mfa_serial_number"),
        ] {
            if given && !fits {
                return Err(failure::invalid(format!("{field}: not for the credential_type {kind}")));
            }
        }
        if self.iam_tags.contains_key("cofferdam") {
            return Err(failure::invalid("iam_tags: the tag cofferdam says which lease a user belongs to"));
        }
        if assumed && self.role_arns.is_empty() {
            return Err(failure::invalid("role_arns is required for the credential_type assumed_role"));
        }
        if self.max_sts_ttl > 0 && self.default_sts_ttl > self.max_sts_ttl {
            return Err(failure::invalid("default_sts_ttl is longer than max_sts_ttl"));
        }
        let whole = self.user_path.starts_with('/') && self.user_path.ends_with('/');
        if !whole && !self.user_path.is_empty() {
            return Err(failure::invalid("user_path must begin and end with a slash"));
        }
        if !self.policy_document.is_empty() {
            self.policy_document = compact("policy_document", &self.policy_document)?;
        }
        Ok(self)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A document without white space.
fn compact(field: &str, document: &str) -> Result<String, Failure> {
    let document: Value =
        serde_json::from_str(document).map_err(|error| failure::invalid(format!("{field} is no JSON: {error}")))?;
    if !document.is_object() {
        return Err(failure::invalid(format!("{field} is no JSON object")));
    }
    Ok(document.to_string())
}
