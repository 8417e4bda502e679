//! The engine's own password, changed step by step by the host: propose, apply, prove.

use engine_sdk::types::{Cause, Failure, Outcome, Request, from_json, to_json};
use engine_sdk::{Context, failure};

use crate::client::{self, Root};
use crate::config::{self, Config};
use crate::lease::{budget, hashed};
use crate::statements::{self, Values};

/// Serves `rotate-root/{name}`.
pub(crate) fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    let name = request.param("name");
    match Config::load(ctx, name)? {
        Some(_) => Ok(Outcome::Rotate(name.to_owned())),
        None => Err(config::unknown(name)),
    }
}

/// The same root with another password.
pub(crate) fn propose(ctx: &Context, slot: &str, current: &str) -> Result<String, Failure> {
    let mut root: Root = from_json(current)?;
    if root.password.is_none() {
        return Err(failure::refused(format!("the connection {slot:?} has no password that could be rotated")));
    }
    let policy = Config::load(ctx, slot)?.unwrap_or_default().password_policy;
    root.password = Some(ctx.generate_password(Some(policy.as_str()).filter(|policy| !policy.is_empty()))?);
    to_json(&root)
}

/// Sets the candidate's password, unless the server has it already.
pub(crate) fn apply(ctx: &Context, slot: &str, current: &str, candidate: &str) -> Result<(), Failure> {
    let (current, candidate): (Root, Root) = (from_json(current)?, from_json(candidate)?);
    let endpoint = config::endpoint(ctx)?;
    let config = Config::load(ctx, slot)?.unwrap_or_default();
    let password = candidate.password.as_deref().unwrap_or_default();
    let secret = if config.hashes_passwords() { hashed(password)? } else { password.to_owned() };
    let user = current.user(&endpoint.location).ok_or_else(|| failure::refused("no username is configured"))?;
    let script = script(&config, user, &secret)?;
    let applied =
        client::run(&endpoint, &current, budget(ctx)?, async |session| client::change_password(session, &script).await);
    match applied {
        Err(error) if error.cause == Cause::Denied => {
            // An earlier attempt may have got through; `prove` looks closer.
            let logged_in = client::fresh(&endpoint, &candidate, budget(ctx)?, client::identify);
            logged_in.map(drop).map_err(|_| error.into())
        }
        result => result.map_err(|error| error.without(&[&secret, password]).into()),
    }
}

fn script(config: &Config, user: &str, secret: &str) -> Result<String, Failure> {
    let statements = statements::split_all(&config.root_rotation_statements).map_err(failure::invalid)?;
    if statements.is_empty() {
        return Ok(format!("ALTER ROLE {} PASSWORD {};", statements::identifier(user), statements::literal(secret)));
    }
    Ok(statements::script(&statements, Values { name: user, password: secret, ..Values::default() }))
}

/// Logs in with the secret, and fails to with a wrong one.
pub(crate) fn prove(ctx: &Context, secret: &str) -> Result<(), Failure> {
    let root: Root = from_json(secret)?;
    let endpoint = config::endpoint(ctx)?;
    let wrong = ctx.generate_password(None)?;
    let proof = client::prove(&endpoint, &root, &wrong, budget(ctx)?);
    proof.map_err(|error| error.without(&[root.password.as_deref().unwrap_or_default()]).into())
}
