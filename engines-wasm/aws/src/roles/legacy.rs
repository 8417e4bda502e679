//! Roles as they were written before there were types: `policy`, a document, or `arn`, of a policy or a role.

use engine_sdk::failure;
use engine_sdk::types::{Failure, Request};
use serde::Deserialize;
use serde_json::Value;

use super::{Role, compact};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    policy: Option<String>,
    arn: Option<String>,
}

/// The role, if it was written in the old way.
pub(super) fn role(request: &Request) -> Result<Option<Role>, Failure> {
    let sent: Sent = request.fields()?;
    if sent.policy.is_none() && sent.arn.is_none() {
        return Ok(None);
    }
    let others: serde_json::Map<String, Value> = request.fields()?;
    if let Some(other) = others.keys().find(|name| !matches!(name.as_str(), "name" | "policy" | "arn")) {
        return Err(failure::invalid(format!("{other} cannot be given along with policy or arn")));
    }
    let mut role = Role { legacy: true, ..Role::default() };
    match (sent.policy, sent.arn) {
        (Some(policy), None) => {
            role.policy_document = compact("policy", &policy)?;
            role.credential_type = "iam_user,federation_token".to_owned();
        }
        (None, Some(arn)) if arn.contains(":role/") => {
            role.role_arns = vec![arn];
            role.credential_type = "assumed_role".to_owned();
        }
        (None, Some(arn)) if arn.contains(":policy/") => {
            role.policy_arns = vec![arn];
            role.credential_type = "iam_user".to_owned();
        }
        (None, Some(_)) => return Err(failure::invalid("arn is neither of a policy nor of a role")),
        _ => return Err(failure::invalid("give either policy or arn")),
    }
    Ok(Some(role))
}
