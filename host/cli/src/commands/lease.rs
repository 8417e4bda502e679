//! `lease`: look up, renew, revoke; and the names these had before they were grouped.

use cofferdam_model::duration;
use serde_json::json;

use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Flag, Kind, flag};
use crate::text::wrap;

const INCREMENT: &[Flag] =
    &[Flag { name: "increment", alias: "i", kind: Kind::Seconds, help: "How long it should last from now on." }];

const REVOKE: &[Flag] = &[
    Flag {
        name: "force",
        alias: "f",
        kind: Kind::Bool,
        help: "Forget the leases even if the engine cannot revoke them; what they gave may live on. Needs -prefix.",
    },
    flag("prefix", Kind::Bool, "Revoke every lease that begins with the argument."),
    flag("sync", Kind::Bool, "Wait until it is done."),
];

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "lease lookup",
        usage: "[options] ID",
        about: "Show a lease",
        output: FORMAT,
        positionals: (0, 1),
        run: lookup,
        ..Command::DEFAULT
    },
    Command { name: "lease renew", about: "Renew the lease of a secret", ..RENEW_COMMAND },
    Command { name: "lease revoke", about: "Revoke leases and secrets", ..REVOKE_COMMAND },
    Command { name: "renew", about: "Renew the lease of a secret (now \"lease renew\")", ..RENEW_COMMAND },
    Command { name: "revoke", about: "Revoke leases and secrets (now \"lease revoke\")", ..REVOKE_COMMAND },
];

const RENEW_COMMAND: Command =
    Command { usage: "[options] ID", output: FORMAT, flags: INCREMENT, run: renew, ..Command::DEFAULT };

const REVOKE_COMMAND: Command =
    Command { usage: "[options] ID", flags: REVOKE, positionals: (1, 1), run: revoke, ..Command::DEFAULT };

fn lookup(context: &mut Context<'_>, args: &Args) -> Result {
    let id = args.rest.first().ok_or_else(|| Failure::local("Missing ID!"))?.trim();
    let answer = context
        .api(args)?
        .put("sys/leases/lookup", json!({ "lease_id": id }))
        .doing(|| format!("error looking up lease id {id}"))?;
    let secret = answer.ok_or_else(|| Failure::remote(format!("error looking up lease id {id}: empty response")))?;
    context.print_secret(&secret)
}

fn renew(context: &mut Context<'_>, args: &Args) -> Result {
    let (id, increment) = match args.rest.as_slice() {
        [] => return Err(Failure::local("Missing ID!")),
        [id] => (id.trim(), args.seconds("increment")),
        // The form before there was a flag.
        [id, increment] => {
            let seconds = duration::parse_text(increment)
                .map_err(|_| Failure::local(format!("Invalid increment: time: invalid duration {increment:?}")))?;
            (id.trim(), args.seconds("increment").or(Some(seconds)))
        }
        more => return Err(Failure::local(format!("Too many arguments (expected 1, got {})", more.len()))),
    };
    let body = json!({ "lease_id": id, "increment": increment.unwrap_or(0).max(0) });
    let answer = context.api(args)?.put("sys/leases/renew", body).doing(|| format!("Error renewing {id}"))?;
    match answer {
        Some(secret) => context.print_secret(&secret),
        None => Ok(0),
    }
}

fn revoke(context: &mut Context<'_>, args: &Args) -> Result {
    let (force, prefix, sync) = (args.on("force"), args.on("prefix"), args.on("sync"));
    if force && !prefix {
        return Err(Failure::local("Specifying -force requires also specifying -prefix"));
    }
    let id = args.rest[0].trim();
    let api = context.api(args)?;
    if force {
        context.warn(wrap("Warning! Force-removing leases can cause Vault to become out of sync with secret engines!"));
        api.put(&format!("sys/leases/revoke-force/{id}"), json!({}))
            .doing(|| format!("Error force revoking leases with prefix {id}"))?;
        context.out(format!("Success! Force revoked any leases with prefix: {id}"));
        return Ok(0);
    }
    let (path, what) = if prefix {
        (format!("sys/leases/revoke-prefix/{id}"), format!("leases with prefix {id}"))
    } else {
        (format!("sys/leases/revoke/{id}"), format!("lease {id}"))
    };
    api.put(&path, json!({ "sync": sync })).doing(|| format!("Error revoking {what}"))?;
    context.out(match (sync, prefix) {
        (false, _) => "All revocation operations queued successfully!".to_owned(),
        (true, false) => format!("Success! Revoked lease: {id}"),
        (true, true) => format!("Success! Revoked any leases with prefix: {id}"),
    });
    Ok(0)
}
