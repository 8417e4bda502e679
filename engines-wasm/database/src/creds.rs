//! Credentials are planned here, without network: `creds/{name}`.

use engine_sdk::types::{Failure, Handle, Outcome, Plan, Request, TtlWish, to_json};
use engine_sdk::{Context, failure};

use crate::config::{self, Config};
use crate::lease::{Carry, HANDLE_FORMAT, KIND, Undo};
use crate::roles::Role;
use crate::statements::{self, Later};
use crate::username::{Fields, Template};

/// What the host keeps of a handle at most.
const MAX_HANDLE: usize = 16 << 10;

/// Serves `creds/{name}`.
pub(crate) fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    let name = request.param("name");
    let role = Role::load(ctx, name)?.ok_or_else(|| failure::invalid(format!("unknown role: {name}")))?;
    let config = Config::load(ctx, &role.db_name)?.ok_or_else(|| config::unknown(&role.db_name))?;
    if !config.allows(name) {
        return Err(failure::invalid(format!("{name:?} is not an allowed role of the connection {:?}", role.db_name)));
    }
    let creation = split(&role.creation_statements)?;
    if creation.is_empty() {
        return Err(failure::invalid("empty creation statements"));
    }
    let username = username(ctx, &config, name)?;
    let policy = role.credential_config.get("password_policy").unwrap_or(&config.password_policy);
    let password = ctx.generate_password(Some(policy.as_str()).filter(|policy| !policy.is_empty()))?;
    let undo = Undo {
        username: username.clone(),
        oid: None,
        later: Later {
            revocation: split(&role.revocation_statements)?,
            rollback: split(&role.rollback_statements)?,
            renewal: split(&role.renew_statements)?,
        },
        identity: config.identity.clone(),
    };
    let handle = Handle::new(HANDLE_FORMAT, &undo)?;
    // Leaves room for what is learnt when the user is made.
    if handle.data.len() > MAX_HANDLE - 512 {
        return Err(failure::invalid("the revocation, rollback and renew statements are too long to be remembered"));
    }
    let carry = Carry { password, hashed: config.hashes_passwords(), creation };
    Ok(Plan {
        kind: KIND.to_owned(),
        role: name.to_owned(),
        backend: role.db_name,
        object: username,
        handle,
        carry: to_json(&carry)?,
        ttl: TtlWish { ttl: wish(role.default_ttl), max_ttl: wish(role.max_ttl), renewable: true },
    }
    .into())
}

fn split(texts: &[String]) -> Result<Vec<String>, Failure> {
    statements::split_all(texts).map_err(failure::invalid)
}

fn username(ctx: &Context, config: &Config, role: &str) -> Result<String, Failure> {
    let fields = Fields {
        display_name: ctx.caller().map(|who| who.display_name).unwrap_or_default(),
        role_name: role.to_owned(),
        now: ctx.now(),
    };
    let template = Template::parse(config.detail("username_template"));
    template.and_then(|template| template.render(&fields)).map_err(failure::invalid)
}

fn wish(seconds: u64) -> Option<u64> {
    (seconds > 0).then_some(seconds)
}
