//! `audit`: audit devices.

use cofferdam_client::{Method, Request};
use serde_json::json;

use super::mounts::print_mounts;
use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::data;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Kind, flag};
use crate::output::table;
use crate::text::{trim_path, with_slash};

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "audit enable",
        usage: "[options] TYPE [CONFIG K=V...]",
        about: "Enable an audit device",
        details: "      $ cofferdam audit enable file file_path=/var/log/audit.log",
        flags: &[
            flag("description", Kind::Text, "What the device is for."),
            flag("path", Kind::Text, "The device's name; the type's if not given."),
            flag("local", Kind::Bool, "Keep the device out of replication."),
        ],
        run: enable,
        ..Command::DEFAULT
    },
    Command {
        name: "audit disable",
        usage: "[options] PATH",
        about: "Disable an audit device",
        positionals: (1, 1),
        run: disable,
        ..Command::DEFAULT
    },
    Command {
        name: "audit list",
        usage: "[options]",
        about: "List the audit devices that are enabled",
        output: FORMAT,
        flags: &[flag("detailed", Kind::Bool, "Show options, too.")],
        positionals: (0, 0),
        run: list,
        ..Command::DEFAULT
    },
];

fn enable(context: &mut Context<'_>, args: &Args) -> Result {
    let Some((kind, config)) = args.rest.split_first() else {
        return Err(Failure::local(
            "Error enabling audit device: audit type missing. Valid types include 'file', 'socket' and 'syslog'.",
        ));
    };
    let kind = kind.trim();
    let path = with_slash(args.text("path").unwrap_or(kind));
    let options = data::parse_texts(context.io.stdin, config)
        .map_err(|why| Failure::local(format!("Failed to parse K=V data: {why}")))?;
    let body = json!({
        "type": kind,
        "description": args.text("description").unwrap_or_default(),
        "options": options,
        "local": args.on("local"),
    });
    context.api(args)?.put(&format!("sys/audit/{path}"), body).doing(|| "Error enabling audit device".to_owned())?;
    context.out(format!("Success! Enabled the {kind} audit device at: {path}"));
    Ok(0)
}

fn disable(context: &mut Context<'_>, args: &Args) -> Result {
    let path = with_slash(trim_path(&args.rest[0]));
    let request = Request::new(Method::Delete, &format!("sys/audit/{path}"));
    context.api(args)?.send(&request).doing(|| "Error disabling audit device".to_owned())?;
    context.out(format!("Success! Disabled audit device (if it was enabled) at: {path}"));
    Ok(0)
}

fn list(context: &mut Context<'_>, args: &Args) -> Result {
    let answer = context.api(args)?.read("sys/audit").doing(|| "Error listing audits".to_owned())?;
    let data = answer.as_ref().and_then(|a| a.data.as_ref());
    if context.is_table() && data.is_none_or(|d| d.is_empty()) {
        context.out("No audit devices are enabled.");
        return Ok(2);
    }
    if !context.is_table() || !context.globals.detailed {
        return print_mounts(context, answer, &["Path", "Type", "Description"], |m| {
            vec![m.path.to_owned(), m.cell("type"), m.cell("description")]
        });
    }
    let rows = data.into_iter().flatten().map(|(path, about)| {
        let text = |name: &str| about[name].as_str().unwrap_or_default().to_owned();
        let replication = if about["local"] == true { "local" } else { "replicated" };
        let options = about["options"].as_object().into_iter().flatten();
        let options: Vec<String> =
            options.map(|(k, v)| format!("{k}={}", v.as_str().map_or_else(|| v.to_string(), str::to_owned))).collect();
        vec![path.clone(), text("type"), text("description"), replication.to_owned(), options.join(" ")]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    context.out(table::with_header(&["Path", "Type", "Description", "Replication", "Options"], rows));
    Ok(0)
}
