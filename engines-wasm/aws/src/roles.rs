//! Roles: `roles/{name}`. What credentials are made like.

use std::collections::BTreeMap;

use engine_sdk::types::{Failure, Operation, Outcome, Reply, Request};
use engine_sdk::{Context, failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A role as it is stored and shown.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Role {
    credential_type: String,
    role_arns: Vec<String>,
    policy_arns: Vec<String>,
    policy_document: String,
    iam_groups: Vec<String>,
    iam_tags: BTreeMap<String, String>,
    session_tags: BTreeMap<String, String>,
    external_id: String,
    default_sts_ttl: u64,
    max_sts_ttl: u64,
    user_path: String,
    permissions_boundary_arn: String,
    mfa_serial_number: String,
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
            (lives, !user, "default_sts_ttl and max_sts_ttl"),
            (!self.user_path.is_empty(), user, "user_path"),
            (!self.permissions_boundary_arn.is_empty(), user, "permissions_boundary_arn"),
            (!self.mfa_serial_number.is_empty(), session, "mfa_serial_number"),
        ] {
            if given && !fits {
                return Err(failure::invalid(format!("{field}: not for the credential_type {kind}")));
            }
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
            let document: Value = serde_json::from_str(&self.policy_document)
                .map_err(|error| failure::invalid(format!("policy_document is no JSON: {error}")))?;
            if !document.is_object() {
                return Err(failure::invalid("policy_document is no JSON object"));
            }
            self.policy_document = document.to_string();
        }
        Ok(self)
    }
}
