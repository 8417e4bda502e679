//! `kv delete`, `undelete`, `destroy`, `rollback`: versions of values.

use serde_json::{Value, json};

use super::path::{KvPath, existing};
use crate::command::{Command, FORMAT};
use crate::commands::read_write::{MOUNT, finish};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::{Args, Flag, Kind, flag};

const VERSIONS: Flag = flag("versions", Kind::List, "The versions, comma-separated.");

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "kv delete",
        usage: "[options] KEY",
        about: "Delete versions of a value, the newest if none is named",
        output: FORMAT,
        flags: &[MOUNT, VERSIONS],
        positionals: (1, 1),
        run: delete,
        ..Command::DEFAULT
    },
    Command {
        name: "kv undelete",
        usage: "[options] KEY",
        about: "Restore versions that were deleted",
        output: FORMAT,
        flags: &[MOUNT, VERSIONS],
        positionals: (1, 1),
        run: |context, args| change(context, args, "undelete", "Undelete"),
        ..Command::DEFAULT
    },
    Command {
        name: "kv destroy",
        usage: "[options] KEY",
        about: "Remove versions for good",
        output: FORMAT,
        flags: &[MOUNT, VERSIONS],
        positionals: (1, 1),
        run: |context, args| change(context, args, "destroy", "Destroy"),
        ..Command::DEFAULT
    },
    Command {
        name: "kv rollback",
        usage: "[options] KEY",
        about: "Make an earlier version the newest one again",
        output: FORMAT,
        flags: &[MOUNT, flag("version", Kind::Int, "The version to restore.")],
        run: rollback,
        ..Command::DEFAULT
    },
];

/// The named versions, as numbers where they are.
fn versions(args: &Args) -> Vec<Value> {
    args.split_list("versions").into_iter().map(|v| v.parse::<u64>().map_or(Value::String(v), Value::from)).collect()
}

fn delete(context: &mut Context<'_>, args: &Args) -> Result {
    let api = context.api(args)?;
    let key = KvPath::find(&api, args, &args.rest[0])?;
    let path = key.api_path("data");
    let versions = versions(args);
    let answer = if key.versioned && !versions.is_empty() {
        api.put(&key.api_path("delete"), json!({ "versions": versions }))
    } else {
        api.delete(&path)
    };
    let success = format!("Success! Data deleted (if it existed) at: {path}");
    finish(context, args, answer, || format!("Error deleting {path}"), &success)
}

fn change(context: &mut Context<'_>, args: &Args, kind: &str, title: &str) -> Result {
    let versions = versions(args);
    if versions.is_empty() {
        return Err(Failure::local(format!(
            "No versions provided, use the \"-versions\" flag to specify the version to {kind}."
        )));
    }
    let api = context.api(args)?;
    let key = KvPath::find(&api, args, &args.rest[0])?;
    if !key.versioned {
        return Err(Failure::local(format!("{title} not supported on KV Version 1")));
    }
    let path = key.api_path(kind);
    let answer = api.put(&path, json!({ "versions": versions }));
    let success = format!("Success! Data written to: {path}");
    finish(context, args, answer, || format!("Error writing data to {path}"), &success)
}

fn rollback(context: &mut Context<'_>, args: &Args) -> Result {
    let version = args.int("version");
    match (args.rest.len(), version) {
        (1, Some(1..)) => {}
        (1, None) => return Err(Failure::local("Version flag must be specified")),
        (1, Some(n)) => return Err(Failure::local(format!("Invalid value {n} for the version flag"))),
        (n, _) => return Err(Failure::local(format!("Invalid number of arguments (expected 1, got {n})"))),
    }
    let api = context.api(args)?;
    let key = KvPath::find(&api, args, &args.rest[0])?;
    if !key.versioned {
        return Err(Failure::remote("K/V engine mount must be version 2 for rollback support"));
    }
    let path = key.api_path("data");
    let newest = existing(&api, &path, 0, "rollback")?.metadata.get("version").cloned().unwrap_or_default();
    let wanted = existing(&api, &path, version.unwrap_or(0), "rollback")?;
    let is_deleted = wanted.metadata.get("deletion_time").and_then(Value::as_str).is_some_and(|t| !t.is_empty());
    if is_deleted {
        return Err(Failure::remote("Cannot roll back to a version that has been deleted"));
    }
    if wanted.metadata.get("destroyed") == Some(&Value::Bool(true)) {
        return Err(Failure::remote("Cannot roll back to a version that has been destroyed"));
    }
    let data = wanted.into_data(&path, "rollback")?;
    let answer = api.put(&path, json!({ "data": data, "options": { "cas": newest } }));
    let success = format!("Success! Data written to: {path}");
    finish(context, args, answer, || format!("Error writing data to {path}"), &success)
}
