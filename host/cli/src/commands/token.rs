//! `token`: create, look up, renew, revoke, capabilities.

use cofferdam_client::{Method, Request};
use cofferdam_model::duration;
use serde_json::{Map, Value, json};

use crate::command::{Command, FIELD, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Flag, Kind, flag};

const ACCESSOR: Flag = flag("accessor", Kind::Bool, "Treat the argument as an accessor instead of a token.");

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "token create",
        usage: "[options]",
        about: "Create a new token",
        output: FIELD,
        flags: &[
            flag("id", Kind::Text, "The token itself; needs sudo. Otherwise the server makes one."),
            flag("display-name", Kind::Text, "A name that is not secret."),
            flag("ttl", Kind::Seconds, "The first TTL; renewals may extend it."),
            flag("explicit-max-ttl", Kind::Seconds, "The end that no renewal can pass."),
            flag("period", Kind::Seconds, "Every renewal lasts this long, and there may be any number; needs sudo."),
            flag("renewable", Kind::Bool, "Whether the token can be renewed; it can, unless set to false."),
            flag("orphan", Kind::Bool, "Create the token without parent; needs sudo."),
            flag("no-default-policy", Kind::Bool, "Leave out the \"default\" policy."),
            flag("use-limit", Kind::Int, "How often the token can be used."),
            flag("role", Kind::Text, "The token role to create it with."),
            flag("type", Kind::Text, "\"service\" or \"batch\"."),
            flag("metadata", Kind::Pairs, "A key=value pair for the audit log. May be repeated."),
            flag("policy", Kind::List, "A policy of the token. May be repeated."),
            flag("entity-alias", Kind::Text, "The alias to bind the token to; only with -role."),
        ],
        positionals: (0, 0),
        run: create,
        ..Command::DEFAULT
    },
    Command {
        name: "token lookup",
        usage: "[options] [TOKEN | ACCESSOR]",
        about: "Display information about a token, our own if none is named",
        output: FIELD,
        flags: &[ACCESSOR],
        run: lookup,
        ..Command::DEFAULT
    },
    Command {
        name: "token renew",
        usage: "[options] [TOKEN]",
        about: "Renew a token, our own if none is named",
        output: FORMAT,
        flags: &[
            ACCESSOR,
            Flag { name: "increment", alias: "i", kind: Kind::Seconds, help: "How long it should last from now on." },
        ],
        positionals: (0, 1),
        run: renew,
        ..Command::DEFAULT
    },
    Command {
        name: "token revoke",
        usage: "[options] [TOKEN | ACCESSOR]",
        about: "Revoke a token and its children",
        flags: &[
            ACCESSOR,
            flag("self", Kind::Bool, "Revoke our own token."),
            flag(
                "mode",
                Kind::Text,
                "\"orphan\" leaves the token's children alive; \"path\" revokes all tokens made at that path.",
            ),
        ],
        run: revoke,
        ..Command::DEFAULT
    },
    Command {
        name: "token capabilities",
        usage: "[options] [TOKEN] PATH",
        about: "Print what a token may do on a path, our own if none is named",
        output: FORMAT,
        run: capabilities,
        ..Command::DEFAULT
    },
];

fn create(context: &mut Context<'_>, args: &Args) -> Result {
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    let texts = [("id", "id"), ("display-name", "display_name"), ("type", "type"), ("entity-alias", "entity_alias")];
    for (name, key) in texts {
        if let Some(text) = args.text(name) {
            set(key, json!(text));
        }
    }
    for (name, key) in [("ttl", "ttl"), ("explicit-max-ttl", "explicit_max_ttl"), ("period", "period")] {
        if let Some(seconds) = args.seconds(name).filter(|s| *s != 0) {
            set(key, json!(duration::go_text(seconds)));
        }
    }
    for (name, key) in [("orphan", "no_parent"), ("no-default-policy", "no_default_policy")] {
        if args.on(name) {
            set(key, json!(true));
        }
    }
    if let Some(uses) = args.int("use-limit").filter(|n| *n != 0) {
        set("num_uses", json!(uses));
    }
    let is_batch = args.text("type") == Some("batch");
    set("renewable", json!(!is_batch && args.bool("renewable").unwrap_or(true)));
    let metadata = args.pairs("metadata");
    if !metadata.is_empty() {
        set("meta", json!(metadata));
    }
    if !args.list("policy").is_empty() {
        set("policies", json!(args.list("policy")));
    }
    let path = match args.text("role") {
        Some(role) => format!("auth/token/create/{role}"),
        None => "auth/token/create".to_owned(),
    };
    let doing = || "Error creating token".to_owned();
    let answer = context.api(args)?.post(&path, body).doing(doing)?;
    let secret = answer.ok_or_else(|| Failure::remote(format!("{}: empty response", doing())))?;
    context.print_field_or_secret(args, &secret)
}

fn lookup(context: &mut Context<'_>, args: &Args) -> Result {
    let got = args.rest.len();
    let by_accessor = args.on("accessor");
    if by_accessor && got != 1 {
        let how = if got < 1 { "Not enough" } else { "Too many" };
        return Err(Failure::local(format!("{how} arguments with -accessor (expected 1, got {got})")));
    }
    if got > 1 {
        return Err(Failure::local(format!("Too many arguments (expected 0-1, got {got})")));
    }
    let api = context.api(args)?;
    let answer = match args.rest.first().map(|t| t.trim()) {
        None => api.secret(&Request::new(Method::Get, "auth/token/lookup-self")),
        Some(accessor) if by_accessor => api.post("auth/token/lookup-accessor", json!({ "accessor": accessor })),
        Some(token) => api.post("auth/token/lookup", json!({ "token": token })),
    };
    let answer = answer.doing(|| "Error looking up token".to_owned())?;
    let secret = answer.ok_or_else(|| Failure::remote("Error looking up token: empty response"))?;
    context.print_field_or_secret(args, &secret)
}

fn renew(context: &mut Context<'_>, args: &Args) -> Result {
    let api = context.api(args)?;
    let mut body = json!({});
    if let Some(seconds) = args.seconds("increment").filter(|s| *s > 0) {
        body["increment"] = json!(seconds);
    }
    let answer = match args.rest.first().map(|t| t.trim()).filter(|t| !t.is_empty()) {
        None => api.post("auth/token/renew-self", body),
        Some(accessor) if args.on("accessor") => {
            body["accessor"] = json!(accessor);
            api.post("auth/token/renew-accessor", body)
        }
        Some(token) => {
            body["token"] = json!(token);
            api.post("auth/token/renew", body)
        }
    };
    let answer = answer.doing(|| "Error renewing token".to_owned())?;
    match answer {
        Some(secret) => context.print_secret(&secret),
        None => Ok(0),
    }
}

fn revoke(context: &mut Context<'_>, args: &Args) -> Result {
    let (got, own, accessor) = (args.rest.len(), args.on("self"), args.on("accessor"));
    let mode = args.text("mode").unwrap_or_default();
    let refusal = match mode {
        _ if own && got > 0 => Some(format!("Too many arguments with -self (expected 0, got {got})")),
        _ if !own && got > 1 => Some(format!("Too many arguments (expected 1 or -self, got {got})")),
        _ if !own && got < 1 => Some(format!("Not enough arguments (expected 1 or -self, got {got})")),
        _ if own && accessor => Some("Cannot use -self with -accessor!".to_owned()),
        "" => None,
        _ if own => Some("Cannot use -self with -mode!".to_owned()),
        "orphan" | "path" if accessor => Some(format!("Cannot use -accessor with -mode={mode}!")),
        "orphan" | "path" => None,
        other => Some(format!("Invalid mode: {other}")),
    };
    if let Some(text) = refusal {
        return Err(Failure::local(text));
    }
    let api = context.api(args)?;
    let target = args.rest.first().map(|t| t.trim()).unwrap_or_default();
    let answer = match mode {
        _ if own => api.post("auth/token/revoke-self", json!({})),
        _ if accessor => api.post("auth/token/revoke-accessor", json!({ "accessor": target })),
        "orphan" => api.post("auth/token/revoke-orphan", json!({ "token": target })),
        "path" => api.put(&format!("sys/leases/revoke-prefix/{target}"), json!({})),
        _ => api.post("auth/token/revoke", json!({ "token": target })),
    };
    answer.doing(|| "Error revoking token".to_owned())?;
    context.out("Success! Revoked token (if it existed)");
    Ok(0)
}

fn capabilities(context: &mut Context<'_>, args: &Args) -> Result {
    let (token, path) = match args.rest.as_slice() {
        [path] => (None, path.trim()),
        [token, path] => (Some(token.trim()), path.trim()),
        other => {
            let how = if other.is_empty() { "Not enough" } else { "Too many" };
            return Err(Failure::local(format!("{how} arguments (expected 1-2, got {})", other.len())));
        }
    };
    let api = context.api(args)?;
    let answer = match token {
        None => api.post("sys/capabilities-self", json!({ "paths": [path] })),
        Some(token) => api.post("sys/capabilities", json!({ "token": token, "paths": [path] })),
    };
    let secret = answer.doing(|| "Error listing capabilities".to_owned())?;
    let secret = secret.ok_or_else(|| Failure::remote("No capabilities found"))?;
    let found = secret.field(path).or_else(|| secret.field("capabilities")).and_then(Value::as_array);
    let mut names: Vec<String> = found.into_iter().flatten().filter_map(|c| c.as_str().map(str::to_owned)).collect();
    if names.is_empty() {
        return Err(Failure::remote("No capabilities found"));
    }
    names.sort();
    if context.is_table() {
        context.out(names.join(", "));
        return Ok(0);
    }
    context.print_machine(&names)
}
