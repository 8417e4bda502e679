//! `inventory`: what is in the backends of a mount, with and without leases.

use cofferdam_client::{Method, Request};
use serde_json::{Value, json};

use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Result};
use crate::flags::{Args, Flag, Kind, flag};
use crate::output::{table, value};
use crate::text::trim_path;

const BACKEND: Flag = flag("backend", Kind::Text, "Where it is, if several backends have one of that name.");

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "inventory list",
        usage: "[options] MOUNT",
        about: "List what an engine made in its backends, and say what has no lease",
        details: "      $ cofferdam inventory list aws/\n      $ cofferdam inventory list -state=orphan aws/",
        output: FORMAT,
        flags: &[flag("state", Kind::Text, "Only leased, pending, orphan or ghost ones.")],
        positionals: (1, 1),
        run: list,
        ..Command::DEFAULT
    },
    Command {
        name: "inventory adopt",
        usage: "[options] MOUNT OBJECT",
        about: "Give an orphan a lease, under which it ends in time",
        details: "      $ cofferdam inventory adopt -ttl=24h aws/ vault-token-app-1700000000-x",
        flags: &[flag("ttl", Kind::Seconds, "How long it may live; the mount's default if not given."), BACKEND],
        positionals: (2, 2),
        run: adopt,
        ..Command::DEFAULT
    },
    Command {
        name: "inventory destroy",
        usage: "[options] MOUNT OBJECT",
        about: "End an orphan now",
        flags: &[BACKEND],
        positionals: (2, 2),
        run: destroy,
        ..Command::DEFAULT
    },
    Command {
        name: "inventory ignore",
        usage: "[options] MOUNT OBJECT",
        about: "Remember that an orphan is known",
        flags: &[BACKEND],
        positionals: (2, 2),
        run: ignore,
        ..Command::DEFAULT
    },
];

fn list(context: &mut Context<'_>, args: &Args) -> Result {
    let path = format!("sys/inventory/{}", trim_path(&args.rest[0]));
    let mut objects = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut request = Request::new(Method::Get, &path);
        if let Some(state) = args.text("state") {
            request = request.query("state", state);
        }
        if let Some(after) = &after {
            request = request.query("after", after);
        }
        let answer = context.api(args)?.secret(&request).doing(|| "Error asking for the inventory".to_owned())?;
        let Some(answer) = answer else { break };
        context.print_warnings(&answer);
        let mut data = answer.data.map_or(Value::Null, Value::Object);
        objects.extend(data["objects"].as_array_mut().map(std::mem::take).unwrap_or_default());
        after = data["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    if !context.is_table() {
        return context.print_machine(&Value::Array(objects));
    }
    if objects.is_empty() {
        context.out("Nothing to show.");
        return Ok(0);
    }
    let cell = |of: &Value, name: &str| of.get(name).filter(|v| !v.is_null()).map(value::plain).unwrap_or_default();
    let columns = ["object", "backend", "kind", "state", "created_at", "ignored", "lease_id"];
    let rows = objects.iter().map(|object| columns.iter().map(|name| cell(object, name)).collect()).collect();
    let header = ["Object", "Backend", "Kind", "State", "Created", "Ignored", "Lease"];
    context.out(table::with_header(&header, rows));
    Ok(0)
}

/// Does something to the orphan that is named.
fn act(context: &mut Context<'_>, args: &Args, action: &str, more: Value) -> Result<Option<Value>> {
    let (mount, object) = (trim_path(&args.rest[0]), args.rest[1].as_str());
    let mut body = json!({ "object": object, "backend": args.text("backend").unwrap_or_default() });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let path = format!("sys/inventory/{mount}/{action}");
    let answer = context.api(args)?.put(&path, body).doing(|| format!("Error: {action} {object}"))?;
    if let Some(answer) = &answer {
        context.print_warnings(answer);
    }
    Ok(answer.and_then(|answer| answer.data).map(Value::Object))
}

fn adopt(context: &mut Context<'_>, args: &Args) -> Result {
    let more = args.seconds("ttl").map_or_else(|| json!({}), |ttl| json!({ "ttl": ttl }));
    let data = act(context, args, "adopt", more)?.unwrap_or_default();
    let lease = data["lease_id"].as_str().unwrap_or_default();
    context.out(format!("Success! It has the lease {lease}"));
    Ok(0)
}

fn destroy(context: &mut Context<'_>, args: &Args) -> Result {
    act(context, args, "destroy", json!({}))?;
    context.out(format!("Success! Destroyed: {}", args.rest[1]));
    Ok(0)
}

fn ignore(context: &mut Context<'_>, args: &Args) -> Result {
    act(context, args, "ignore", json!({}))?;
    context.out(format!("Success! Ignored from now on: {}", args.rest[1]));
    Ok(0)
}
