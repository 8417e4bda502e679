//! `kv`: values by key, with and without versions.

pub(crate) mod metadata;
mod path;
pub(crate) mod versions;

use serde_json::{Map, Value, json};

use self::path::{Existing, KvPath, print_block, print_path, print_written};
use super::read_write::{MOUNT, finish, print_listing};
use crate::api::{Api, Call};
use crate::command::{Command, DETAILED, FIELD, FORMAT};
use crate::context::Context;
use crate::data;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Kind, flag};
use crate::output::secret::field;
use crate::text::{trim_path, with_slash};

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "kv get",
        usage: "[options] KEY",
        about: "Retrieve a value",
        details: "      $ cofferdam kv get -mount=secret app\n      $ cofferdam kv get secret/app\n      \
                  $ cofferdam kv get -version=1 secret/app",
        output: FIELD,
        flags: &[MOUNT, flag("version", Kind::Int, "The version to read; the newest if not given.")],
        positionals: (1, 1),
        run: get,
        ..Command::DEFAULT
    },
    Command {
        name: "kv put",
        usage: "[options] KEY [DATA K=V...]",
        about: "Set or replace a value",
        details: "      $ cofferdam kv put -mount=secret app user=ada pw=@pw.txt\n      \
                  $ cofferdam kv put secret/app @data.json",
        output: FIELD,
        flags: &[
            MOUNT,
            flag("cas", Kind::Int, "Write only if the key's newest version is this one; 0: only if there is none."),
        ],
        run: put,
        ..Command::DEFAULT
    },
    Command {
        name: "kv patch",
        usage: "[options] KEY [DATA K=V...]",
        about: "Change parts of a value",
        details: "      $ cofferdam kv patch -mount=secret app pw=x2\n      \
                  $ cofferdam kv patch -mount=secret -remove-data=user app",
        output: FIELD,
        flags: &[
            MOUNT,
            flag("cas", Kind::Int, "Write only if the key's newest version is this one."),
            flag(
                "method",
                Kind::Text,
                "\"patch\" for an HTTP patch, \"rw\" for a read and a write. If not given, the second is tried where \
                 the first is not allowed.",
            ),
            flag("remove-data", Kind::List, "A key to remove from the value. May be repeated."),
        ],
        run: patch,
        ..Command::DEFAULT
    },
    Command {
        name: "kv list",
        usage: "[options] [PATH]",
        about: "List keys",
        output: DETAILED,
        flags: &[MOUNT],
        positionals: (0, 1),
        run: list,
        ..Command::DEFAULT
    },
    Command {
        name: "kv enable-versioning",
        usage: "[options] PATH",
        about: "Turn on versions for a key-value store",
        output: FORMAT,
        positionals: (1, 1),
        run: enable_versioning,
        ..Command::DEFAULT
    },
];

fn get(context: &mut Context<'_>, args: &Args) -> Result {
    let api = context.api(args)?;
    let key = KvPath::find(&api, args, &args.rest[0])?;
    let path = key.api_path("data");
    let version = if key.versioned { args.int("version").unwrap_or(0) } else { 0 };
    let secret = path::read(&api, &path, version)
        .doing(|| format!("Error reading {path}"))?
        .ok_or_else(|| Failure::remote(format!("No value found at {path}")))?;
    if let Some(name) = args.text("field") {
        if !key.versioned {
            return context.print_field(field(&secret, name), name);
        }
        let Some(Value::Object(data)) = secret.field("data") else {
            return Err(Failure::remote(format!("No data found at {path}")));
        };
        // "data" is the whole value, unless the value has a key of that name.
        let found = data.get(name).or_else(|| secret.field("data").filter(|_| name == "data"));
        return context.print_field(found.cloned(), name);
    }
    if secret.wrap_info.is_some() || !context.is_table() {
        return context.print_secret(&secret);
    }
    context.print_warnings(&secret);
    if key.versioned {
        print_path(context, "Secret Path", &path);
    }
    let mut data = secret.data.unwrap_or_default();
    if let Some(Value::Object(metadata)) = data.get("metadata") {
        print_block(context, "Metadata", metadata)?;
        context.out("");
    }
    if key.versioned {
        match data.remove("data") {
            Some(Value::Object(inner)) => data = inner,
            _ => return Ok(0),
        }
    }
    print_block(context, "Data", &data)
}

/// The data behind the key; there must be some.
fn values(context: &mut Context<'_>, args: &Args, removes: bool) -> Result<Map<String, Value>> {
    match args.rest.len() {
        0 => return Err(Failure::local("Not enough arguments (expected >1, got 0)")),
        1 if !removes => return Err(Failure::local("Must supply data")),
        _ => {}
    }
    data::parse(context.io.stdin, &args.rest[1..])
        .map_err(|why| Failure::local(format!("Failed to parse K=V data: {why}")))
}

fn put(context: &mut Context<'_>, args: &Args) -> Result {
    let data = values(context, args, false)?;
    let api = context.api(args)?;
    let key = KvPath::find(&api, args, &args.rest[0])?;
    let path = key.api_path("data");
    if !key.versioned {
        let answer = api.put(&path, data);
        let success = format!("Success! Data written to: {path}");
        return finish(context, args, answer, || format!("Error writing data to {path}"), &success);
    }
    let options = match args.int("cas") {
        Some(cas) if cas >= 0 => json!({ "cas": cas }),
        _ => json!({}),
    };
    let answer = api.put(&path, json!({ "data": data, "options": options }));
    print_written(context, args, &path, answer)
}

fn patch(context: &mut Context<'_>, args: &Args) -> Result {
    let mut data = values(context, args, !args.list("remove-data").is_empty())?;
    let api = context.api(args)?;
    let key = KvPath::find(&api, args, &args.rest[0])?;
    if !key.versioned {
        return Err(Failure::remote("K/V engine mount must be version 2 for patch support"));
    }
    data.extend(args.list("remove-data").iter().map(|name| (name.clone(), Value::Null)));
    let path = key.api_path("data");
    let method = args.text("method").unwrap_or_default();
    let answer = match method {
        "rw" => read_then_write(&api, &path, data)?,
        "patch" | "" => {
            let options = match args.int("cas") {
                Some(cas) if cas > 0 => json!({ "cas": cas }),
                _ => json!({}),
            };
            let answer = api.patch(&path, json!({ "data": &data, "options": options }));
            match answer.as_ref().err().and_then(|e| e.status()) {
                Some(405) if method.is_empty() => read_then_write(&api, &path, data)?,
                Some(403) if method.is_empty() => {
                    context.warn(format!(
                        "Data was written to {path} but we recommend that you add the \"patch\" capability to your ACL \
                         policy in order to use HTTP PATCH in the future."
                    ));
                    read_then_write(&api, &path, data)?
                }
                _ => answer,
            }
        }
        other => return Err(Failure::remote(format!("Unsupported method provided to -method flag: {other}"))),
    };
    print_written(context, args, &path, answer)
}

/// The old way: the value read, changed here, and written back if nobody else wrote.
fn read_then_write(
    api: &Api,
    path: &str,
    changes: Map<String, Value>,
) -> Result<Call<Option<cofferdam_client::Secret>>> {
    let found: Existing = path::existing(api, path, 0, "patch")?;
    let version = found.metadata.get("version").cloned().unwrap_or_default();
    let mut data = found.into_data(path, "patch")?;
    for (key, value) in changes {
        if value.is_null() {
            data.remove(&key);
        } else {
            data.insert(key, value);
        }
    }
    Ok(api.put(path, json!({ "data": data, "options": { "cas": version } })))
}

fn list(context: &mut Context<'_>, args: &Args) -> Result {
    if args.rest.is_empty() && args.text("mount").is_none() {
        return Err(Failure::local("Not enough arguments (expected 1, got 0)"));
    }
    let api = context.api(args)?;
    let key = KvPath::find(&api, args, args.rest.first().map_or("", String::as_str))?;
    let path = key.api_path("metadata");
    let answer = api.list(&path).doing(|| format!("Error listing {path}"))?;
    print_listing(context, &path, answer)
}

fn enable_versioning(context: &mut Context<'_>, args: &Args) -> Result {
    let path = with_slash(trim_path(&args.rest[0]));
    let answer = context
        .api(args)?
        .post(&format!("sys/mounts/{path}tune"), json!({ "options": { "version": "2" } }))
        .doing(|| format!("Error tuning secrets engine {path}"))?;
    if let Some(secret) = answer {
        context.print_warnings(&secret);
    }
    context.out(format!("Success! Tuned the secrets engine at: {path}"));
    Ok(0)
}
