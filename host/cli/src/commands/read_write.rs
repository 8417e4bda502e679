//! `read`, `write`, `patch`, `list`, `delete`, `unwrap`: paths as they are.

use cofferdam_client::{Method, Request};
use serde_json::Value;

use crate::api::{Call, CallError};
use crate::command::{Command, DETAILED, FIELD};
use crate::context::Context;
use crate::data;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Flag, Kind, flag};
use crate::output::Format;
use crate::text::trim_path;

const FORCE: Flag = Flag { name: "force", alias: "f", kind: Kind::Bool, help: "Allow a write without any data." };

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "read",
        usage: "[options] PATH [K=V...]",
        about: "Read data and retrieve secrets",
        details: "      $ cofferdam read database/creds/readonly",
        output: FIELD,
        positionals: (1, usize::MAX),
        raw: true,
        run: read,
        ..Command::DEFAULT
    },
    Command {
        name: "write",
        usage: "[options] PATH [DATA K=V...]",
        about: "Write data, configuration, and secrets",
        details: "  A value that begins with \"@\" is read from a file, the value \"-\" from stdin.\n\n      \
                  $ cofferdam write database/roles/readonly db_name=app creation_statements=@readonly.sql\n      \
                  $ cofferdam write -f database/rotate-root/app",
        output: FIELD,
        flags: &[FORCE],
        positionals: (1, usize::MAX),
        run: write,
        ..Command::DEFAULT
    },
    Command {
        name: "patch",
        usage: "[options] PATH [DATA K=V...]",
        about: "Change data, configuration, and secrets by a JSON merge patch",
        output: FIELD,
        flags: &[FORCE],
        positionals: (1, usize::MAX),
        run: patch,
        ..Command::DEFAULT
    },
    Command {
        name: "list",
        usage: "[options] PATH [K=V...]",
        about: "List data or secrets",
        output: DETAILED,
        flags: &[
            flag("after", Kind::Text, "The last key that was seen: the listing goes on behind it."),
            flag("limit", Kind::Int, "How many keys to list, where the path can do that."),
        ],
        positionals: (1, usize::MAX),
        run: list,
        ..Command::DEFAULT
    },
    Command {
        name: "delete",
        usage: "[options] PATH [K=V...]",
        about: "Delete secrets and configuration",
        output: FIELD,
        positionals: (1, usize::MAX),
        run: delete,
        ..Command::DEFAULT
    },
    Command {
        name: "unwrap",
        usage: "[options] [TOKEN]",
        about: "Unwrap a wrapped secret",
        output: FIELD,
        positionals: (0, 1),
        run: unwrap,
        ..Command::DEFAULT
    },
];

/// A request with the data arguments in its query.
fn with_query(context: &mut Context<'_>, args: &Args, mut request: Request) -> Result<Request> {
    let query = data::parse_query(context.io.stdin, &args.rest[1..]).map_err(bad_data)?;
    request.query.extend(query);
    Ok(request)
}

fn bad_data(why: String) -> Failure {
    Failure::local(format!("Failed to parse K=V data: {why}"))
}

fn read(context: &mut Context<'_>, args: &Args) -> Result {
    let path = trim_path(&args.rest[0]);
    let request = with_query(context, args, Request::new(Method::Get, path))?;
    let api = context.api(args)?;
    let doing = || format!("Error reading {path}");
    let nothing = || Failure::remote(format!("No value found at {path}"));
    if context.globals.format == Format::Raw && args.text("field").is_none() {
        return match api.send(&request) {
            Err(e) if e.status() == Some(404) && e.secret().is_none() => Err(nothing()),
            answer => {
                let body = answer.doing(doing)?.body;
                let _ = context.io.stdout.write_all(&body);
                context.out("");
                Ok(0)
            }
        };
    }
    let secret = api.look(&request).doing(doing)?.ok_or_else(nothing)?;
    context.print_field_or_secret(args, &secret)
}

fn list(context: &mut Context<'_>, args: &Args) -> Result {
    let path = trim_path(&args.rest[0]);
    let mut request = with_query(context, args, Request::list(path))?;
    if let Some(after) = args.text("after") {
        request = request.query("after", after);
    }
    if let Some(limit) = args.int("limit").filter(|n| *n > 0) {
        request = request.query("limit", &limit.to_string());
    }
    let api = context.api(args)?;
    let answer = api.look(&request).doing(|| format!("Error listing {path}"))?;
    print_listing(context, path, answer)
}

/// The keys of a listing, or that there are none.
pub(super) fn print_listing(context: &mut Context<'_>, path: &str, answer: Option<cofferdam_client::Secret>) -> Result {
    match answer {
        Some(secret) if secret.wrap_info.is_some() => context.print_secret(&secret),
        Some(secret) if secret.keys().is_some_and(|k| !k.is_empty()) => context.print_list(&secret),
        Some(secret) => {
            if context.is_table() {
                context.print_warnings(&secret);
            }
            context.nothing_listed(format!("No value found at {path}"))
        }
        None => context.nothing_listed(format!("No value found at {path}")),
    }
}

fn write(context: &mut Context<'_>, args: &Args) -> Result {
    send_data(context, args, Method::Put)
}

fn patch(context: &mut Context<'_>, args: &Args) -> Result {
    send_data(context, args, Method::Patch)
}

fn send_data(context: &mut Context<'_>, args: &Args, method: Method) -> Result {
    if args.rest.len() == 1 && !args.on("force") {
        return Err(Failure::local("Must supply data or use -force"));
    }
    let path = trim_path(&args.rest[0]);
    let body = data::parse(context.io.stdin, &args.rest[1..]).map_err(bad_data)?;
    let api = context.api(args)?;
    let answer = api.secret(&Request::new(method, path).body(Value::Object(body)));
    finish(
        context,
        args,
        answer,
        || format!("Error writing data to {path}"),
        &format!("Success! Data written to: {path}"),
    )
}

fn delete(context: &mut Context<'_>, args: &Args) -> Result {
    let path = trim_path(&args.rest[0]);
    let request = with_query(context, args, Request::new(Method::Delete, path))?;
    let answer = context.api(args)?.secret(&request);
    let success = format!("Success! Data deleted (if it existed) at: {path}");
    finish(context, args, answer, || format!("Error deleting {path}"), &success)
}

/// Prints what a change answered: a field, all of it, or that it worked. A refusal's data is printed, too.
pub(super) fn finish(
    context: &mut Context<'_>,
    args: &Args,
    answer: Call<Option<cofferdam_client::Secret>>,
    doing: impl FnOnce() -> String,
    success: &str,
) -> Result {
    if let Err(error @ CallError::Client(_)) = &answer
        && let Some(secret) = error.secret().cloned()
    {
        let Some(failure) = answer.doing(doing).err() else { return Ok(0) };
        context.warn(failure.to_string());
        context.print_secret(&secret)?;
        return Ok(2);
    }
    match answer.doing(doing)? {
        None => context.success(success),
        Some(secret) => context.print_field_or_secret(args, &secret),
    }
}

fn unwrap(context: &mut Context<'_>, args: &Args) -> Result {
    let api = context.api(args)?;
    let given = args.rest.first().map(|t| t.trim()).unwrap_or_default();
    let mut request = Request::new(Method::Put, "sys/wrapping/unwrap").unwrapped();
    // The wrapping token itself may ask; where we have another one, that one asks for it.
    if !given.is_empty() && !api.token().is_empty() && given != api.token() {
        request = request.body(serde_json::json!({ "token": given }));
    } else if !given.is_empty() {
        request = request.token(given);
    }
    let answer = api.secret(&request).doing(|| "Error unwrapping".to_owned())?;
    let Some(secret) = answer else {
        return context.success("Successfully unwrapped. There was no data in the wrapped secret.");
    };
    match args.text("field") {
        None if context.is_table() && secret.keys().is_some() => context.print_list(&secret),
        _ => context.print_field_or_secret(args, &secret),
    }
}

/// The mount flag of the key-value commands.
pub(super) const MOUNT: Flag = flag(
    "mount",
    Kind::Text,
    "Where the key-value store is mounted; the argument is then the key alone. Otherwise the argument begins with the \
     mount's path.",
);
