//! `kv metadata`: what is kept about a key beside its versions.

use cofferdam_model::duration;
use serde_json::{Map, Value, json};

use super::path::{KvPath, print_block, print_path};
use crate::command::{Command, FIELD, FORMAT};
use crate::commands::read_write::{MOUNT, finish};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Flag, Kind, flag};

const MAX_VERSIONS: Flag = flag("max-versions", Kind::Int, "How many versions to keep; 0 for the mount's setting.");
const CAS_REQUIRED: Flag = flag("cas-required", Kind::Bool, "Whether every write must name the version it replaces.");
const DELETE_AFTER: Flag =
    flag("delete-version-after", Kind::Seconds, "How long after its write a version is deleted.");
const CUSTOM: Flag = flag("custom-metadata", Kind::Pairs, "A key=value pair that describes the key. May be repeated.");

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "kv metadata get",
        usage: "[options] KEY",
        about: "Retrieve the metadata of a key",
        output: FIELD,
        flags: &[MOUNT],
        positionals: (1, 1),
        run: get,
        ..Command::DEFAULT
    },
    Command {
        name: "kv metadata put",
        usage: "[options] KEY",
        about: "Set the settings of a key, which need not have a value yet",
        output: FORMAT,
        flags: &[MOUNT, MAX_VERSIONS, CAS_REQUIRED, DELETE_AFTER, CUSTOM],
        positionals: (1, 1),
        run: put,
        ..Command::DEFAULT
    },
    Command {
        name: "kv metadata patch",
        usage: "[options] KEY",
        about: "Change some settings of a key",
        output: FORMAT,
        flags: &[
            MOUNT,
            MAX_VERSIONS,
            CAS_REQUIRED,
            DELETE_AFTER,
            CUSTOM,
            flag("remove-custom-metadata", Kind::List, "A key of the custom metadata to remove. May be repeated."),
        ],
        positionals: (1, 1),
        run: patch,
        ..Command::DEFAULT
    },
    Command {
        name: "kv metadata delete",
        usage: "[options] KEY",
        about: "Remove a key with all of its versions",
        output: FORMAT,
        flags: &[MOUNT],
        positionals: (1, 1),
        run: delete,
        ..Command::DEFAULT
    },
];

fn path(context: &mut Context<'_>, args: &Args) -> Result<String> {
    let api = context.api(args)?;
    let key = KvPath::find(&api, args, &args.rest[0])?;
    if key.versioned {
        Ok(key.api_path("metadata"))
    } else {
        Err(Failure::local("Metadata not supported on KV Version 1"))
    }
}

fn get(context: &mut Context<'_>, args: &Args) -> Result {
    let path = path(context, args)?;
    let answer = context.api(args)?.read(&path).doing(|| format!("Error reading {path}"))?;
    let secret = answer.ok_or_else(|| Failure::remote(format!("No value found at {path}")))?;
    if args.text("field").is_some() || secret.wrap_info.is_some() || !context.is_table() {
        return context.print_field_or_secret(args, &secret);
    }
    context.print_warnings(&secret);
    let mut data = secret.data.unwrap_or_default();
    let Some(Value::Object(versions)) = data.remove("versions") else {
        return Err(Failure::remote(format!("No value found at {path}")));
    };
    print_path(context, "Metadata Path", &path);
    print_block(context, "Metadata", &data)?;
    let mut versions: Vec<(u64, Value)> =
        versions.into_iter().filter_map(|(number, about)| Some((number.parse().ok()?, about))).collect();
    versions.sort_by_key(|(number, _)| *number);
    for (number, about) in versions {
        context.out("");
        print_block(context, &format!("Version {number}"), about.as_object().unwrap_or(&Map::new()))?;
    }
    Ok(0)
}

fn settings(args: &Args) -> Map<String, Value> {
    let mut body = Map::new();
    if let Some(n) = args.int("max-versions").filter(|n| *n >= 0) {
        body.insert("max_versions".to_owned(), json!(n));
    }
    if let Some(seconds) = args.seconds("delete-version-after").filter(|s| *s >= 0) {
        body.insert("delete_version_after".to_owned(), json!(duration::go_text(seconds)));
    }
    if let Some(on) = args.bool("cas-required") {
        body.insert("cas_required".to_owned(), json!(on));
    }
    let custom = args.pairs("custom-metadata");
    if !custom.is_empty() {
        body.insert("custom_metadata".to_owned(), json!(custom));
    }
    body
}

fn put(context: &mut Context<'_>, args: &Args) -> Result {
    let path = path(context, args)?;
    let answer = context.api(args)?.put(&path, settings(args));
    let success = format!("Success! Data written to: {path}");
    finish(context, args, answer, || format!("Error writing data to {path}"), &success)
}

fn patch(context: &mut Context<'_>, args: &Args) -> Result {
    let path = path(context, args)?;
    let mut body = settings(args);
    let removed = args.list("remove-custom-metadata");
    if !removed.is_empty() {
        let custom = body.entry("custom_metadata").or_insert_with(|| json!({}));
        if let Value::Object(custom) = custom {
            custom.extend(removed.iter().map(|name| (name.clone(), Value::Null)));
        }
    }
    let answer = context.api(args)?.patch(&path, body);
    let success = format!("Success! Data written to: {path}");
    finish(context, args, answer, || format!("Error writing data to {path}"), &success)
}

fn delete(context: &mut Context<'_>, args: &Args) -> Result {
    let path = path(context, args)?;
    let answer = context.api(args)?.delete(&path);
    let success = format!("Success! Data deleted (if it existed) at: {path}");
    finish(context, args, answer, || format!("Error deleting {path}"), &success)
}
