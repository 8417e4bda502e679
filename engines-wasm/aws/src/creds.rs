//! Credentials are planned here, without network: `creds/{name}` and `sts/{name}`.

use engine_sdk::types::{Failure, Handle, Outcome, Plan, Request, TtlWish, to_json};
use engine_sdk::{Context, failure};
use serde::Deserialize;

use crate::client::{Recipe, Session, Way};
use crate::config::{Lease, Root};
use crate::lease::{Carry, HANDLE_FORMAT, SESSION, USER, Undo};
use crate::names::{self, Named};
use crate::roles::{CredentialType, Role};
use crate::routes::{BACKEND, STS};

/// What STS takes at least, in seconds.
pub(crate) const SHORTEST: u64 = 900;
/// What a session lives where nothing else says so.
const USUAL: u64 = 3_600;
const SESSION_NAME_MAX: usize = 64;
/// What the host keeps of a handle, and of what only `create` gets.
const POLICY_NAME_MAX: usize = 128;

/// What a client may wish for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wish {
    role_arn: String,
    role_session_name: String,
    ttl: u64,
    mfa_code: String,
}

/// Serves `creds/{name}` and `sts/{name}`.
pub(crate) fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    let name = request.param("name");
    let role = Role::load(ctx, name)?.ok_or_else(|| failure::invalid(format!("Role '{name}' not found")))?;
    let root = Root::load(ctx)?;
    let wish: Wish = request.fields()?;
    let plan = match role.type_at(request.route == STS)? {
        CredentialType::IamUser => user(ctx, name, role, &root),
        other => session(ctx, name, role, &root, other, wish),
    };
    Ok(plan?.into())
}

fn user(ctx: &Context, name: &str, role: Role, root: &Root) -> Result<Plan, Failure> {
    let object = named(ctx, root, Named::User, name)?;
    let Lease { lease, lease_max } = Lease::load(ctx)?;
    let undo = Undo { regions: root.regions(), planned_with: root.access_key.clone(), user: None };
    let policy = (!role.policy_document.is_empty()).then(|| {
        let policy = names::tame(name).chars().take(POLICY_NAME_MAX).collect();
        (policy, role.policy_document)
    });
    let carry = Carry::User(Recipe {
        ready_within: role.ready_within,
        path: role.user_path,
        boundary: role.permissions_boundary_arn,
        tags: role.iam_tags,
        groups: role.iam_groups,
        policy_arns: role.policy_arns,
        policy,
    });
    Ok(Plan {
        kind: USER.to_owned(),
        role: name.to_owned(),
        backend: BACKEND.to_owned(),
        object,
        handle: Handle::new(HANDLE_FORMAT, &undo)?,
        carry: to_json(&carry)?,
        ttl: TtlWish { ttl: some(lease), max_ttl: some(lease_max), renewable: true },
    })
}

fn session(
    ctx: &Context,
    name: &str,
    role: Role,
    root: &Root,
    kind: CredentialType,
    wish: Wish,
) -> Result<Plan, Failure> {
    let ttl = [wish.ttl, role.default_sts_ttl, USUAL].into_iter().find(|ttl| *ttl > 0).unwrap_or(USUAL);
    let ttl = if role.max_sts_ttl > 0 { ttl.min(role.max_sts_ttl) } else { ttl };
    if ttl < SHORTEST {
        return Err(failure::invalid("ttl: sessions live 15 minutes at least"));
    }
    let generated = named(ctx, root, Named::Session, name)?;
    let way = match kind {
        CredentialType::AssumedRole => Way::AssumeRole {
            arn: assumed(&role, name, &wish.role_arn)?,
            external_id: role.external_id,
            source_identity: role.source_identity,
            tags: role.session_tags,
        },
        CredentialType::FederationToken => {
            if role.policy_document.is_empty() && role.policy_arns.is_empty() && role.iam_groups.is_empty() {
                return Err(failure::invalid(
                    "a federation_token can do nothing without policy_document, policy_arns or iam_groups",
                ));
            }
            Way::FederationToken
        }
        CredentialType::SessionToken | CredentialType::IamUser => {
            if role.mfa_serial_number.is_empty() != wish.mfa_code.is_empty() {
                return Err(failure::invalid("mfa_code and the role's mfa_serial_number go together"));
            }
            Way::SessionToken { mfa_serial_number: role.mfa_serial_number, mfa_code: wish.mfa_code }
        }
    };
    let own_name = matches!(way, Way::AssumeRole { .. }) && !wish.role_session_name.is_empty();
    let session_name = match own_name {
        true => names::tame(&wish.role_session_name).chars().take(SESSION_NAME_MAX).collect(),
        false => generated.clone(),
    };
    let carry = Carry::Session(Session {
        way,
        name: session_name,
        policy_document: role.policy_document,
        policy_arns: role.policy_arns,
        groups: role.iam_groups,
    });
    let undo = Undo { regions: root.regions(), planned_with: root.access_key.clone(), user: None };
    Ok(Plan {
        kind: SESSION.to_owned(),
        role: name.to_owned(),
        backend: BACKEND.to_owned(),
        object: generated,
        handle: Handle::new(HANDLE_FORMAT, &undo)?,
        carry: to_json(&carry)?,
        ttl: TtlWish { ttl: Some(ttl), max_ttl: some(role.max_sts_ttl), renewable: false },
    })
}

/// The role that is to be assumed: the one that was asked for, or the only one.
fn assumed(role: &Role, name: &str, asked: &str) -> Result<String, Failure> {
    match role.role_arns.as_slice() {
        [only] if asked.is_empty() => Ok(only.clone()),
        _ if asked.is_empty() => Err(failure::invalid("role_arn is required: the role has several")),
        all if all.iter().any(|arn| arn == asked) => Ok(asked.to_owned()),
        _ => Err(failure::invalid(format!("role_arn {asked:?} is not one of the role {name:?}"))),
    }
}

fn named(ctx: &Context, root: &Root, named: Named, role: &str) -> Result<String, Failure> {
    let display_name = ctx.caller().map(|who| who.display_name).unwrap_or_default();
    names::name(&root.username_template, named, &display_name, role, ctx.now()).map_err(failure::invalid)
}

fn some(seconds: u64) -> Option<u64> {
    (seconds > 0).then_some(seconds)
}
