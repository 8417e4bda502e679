//! `sandbox`: what engines' compartments may do, and what they were refused.

use cofferdam_client::{Method, Request};
use serde_json::Value;

use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Kind, flag};
use crate::output::{table, value};
use crate::text::trim_path;

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "sandbox list",
        usage: "[options]",
        about: "List the engines with what their components import and what their sandbox policies allow",
        output: FORMAT,
        positionals: (0, 0),
        run: list,
        ..Command::DEFAULT
    },
    Command {
        name: "sandbox grants",
        usage: "[options] [MOUNT]",
        about: "Show what each backend may reach, and why",
        details: "      $ cofferdam sandbox grants\n      $ cofferdam sandbox grants database/",
        output: FORMAT,
        positionals: (0, 1),
        run: grants,
        ..Command::DEFAULT
    },
    Command {
        name: "sandbox denials",
        usage: "[options] [MOUNT]",
        about: "Show what was refused lately, newest first",
        output: FORMAT,
        flags: &[flag("limit", Kind::Int, "How many; 100 if not given.")],
        positionals: (0, 1),
        run: denials,
        ..Command::DEFAULT
    },
    Command {
        name: "sandbox explain",
        usage: "[options] MOUNT HOST:PORT",
        about: "Say whether an engine would reach an address, and why; exit code 2 if not",
        details: "      $ cofferdam sandbox explain -backend=app database/ db.corp:5432",
        output: FORMAT,
        flags: &[flag("backend", Kind::Text, "The configuration that the call names; none: a call without a backend.")],
        positionals: (2, 2),
        run: explain,
        ..Command::DEFAULT
    },
];

/// The data of an answer.
fn ask(context: &mut Context<'_>, args: &Args, request: &Request) -> Result<Value> {
    let answer = context.api(args)?.secret(request).doing(|| "Error asking for the sandbox".to_owned())?;
    if let Some(answer) = &answer {
        context.print_warnings(answer);
    }
    Ok(answer.and_then(|a| a.data).map_or(Value::Null, Value::Object))
}

/// Rows for people, everything for programs.
fn print(context: &mut Context<'_>, shown: &Value, header: &[&str], cells: fn(&Value) -> Vec<String>) -> Result {
    if !context.is_table() {
        return context.print_machine(shown);
    }
    let rows: Vec<Vec<String>> = items(shown).iter().map(cells).collect();
    if rows.is_empty() {
        context.out("Nothing to show.");
        return Ok(0);
    }
    context.out(table::with_header(header, rows));
    Ok(0)
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn cell(of: &Value, name: &str) -> String {
    of.get(name).filter(|v| !v.is_null()).map(value::plain).unwrap_or_default()
}

fn list(context: &mut Context<'_>, args: &Args) -> Result {
    let data = ask(context, args, &Request::new(Method::Get, "sys/sandbox"))?;
    if context.is_table()
        && let Some(trouble) = items(&data["engines"]).iter().find(|e| !e["trouble"].is_null())
    {
        context.warn(format!("{}: {}", cell(trouble, "type"), cell(trouble, "trouble")));
    }
    let header = ["Engine", "World", "Mounts", "Imports", "Calls", "Faults", "Refused", "Digest", "Policy"];
    print(context, &data["engines"], &header, |engine| {
        let names = |list: &Value| items(list).iter().map(value::plain).collect::<Vec<_>>().join(" ");
        let imports = engine["imports"].as_array().map(|all| all.len().to_string()).unwrap_or_default();
        vec![
            cell(engine, "type"),
            cell(&engine["policy"], "world"),
            names(&engine["mounts"]),
            imports,
            cell(&engine["counts"], "calls"),
            cell(&engine["counts"], "faults"),
            cell(&engine["counts"], "denials"),
            cell(engine, "digest").chars().take(12).collect(),
            cell(&engine["policy"], "origin"),
        ]
    })
}

const GRANT_HEADER: [&str; 8] = ["Mount", "Backend", "Host", "Port", "Protocol", "Origin", "Why", "By"];

fn grant_cells(grant: &Value) -> Vec<String> {
    let by = match (cell(grant, "written_by"), cell(grant, "written_at")) {
        (by, at) if at.is_empty() => by,
        (by, at) => format!("{by} at {at}"),
    };
    let mut cells: Vec<String> =
        ["mount", "backend", "host", "port", "protocol", "origin", "why"].iter().map(|n| cell(grant, n)).collect();
    cells.push(by);
    cells
}

fn grants(context: &mut Context<'_>, args: &Args) -> Result {
    let path = match args.rest.first() {
        Some(mount) => format!("sys/sandbox/grants/{}", trim_path(mount)),
        None => "sys/sandbox/grants".to_owned(),
    };
    let data = ask(context, args, &Request::new(Method::Get, &path))?;
    print(context, &data["grants"], &GRANT_HEADER, grant_cells)
}

fn denials(context: &mut Context<'_>, args: &Args) -> Result {
    let mut request = Request::new(Method::Get, "sys/sandbox/denials");
    if let Some(mount) = args.rest.first() {
        request = request.query("mount", trim_path(mount));
    }
    if let Some(limit) = args.int("limit") {
        request = request.query("limit", &limit.to_string());
    }
    let data = ask(context, args, &request)?;
    if !context.is_table() {
        return context.print_machine(&data);
    }
    let header = ["Time", "Engine", "Mount", "Request", "Attempt", "Reason"];
    print(context, &data["denials"], &header, |denial| {
        ["time", "engine", "mount", "request_id", "attempt", "reason"].iter().map(|n| cell(denial, n)).collect()
    })
}

fn explain(context: &mut Context<'_>, args: &Args) -> Result {
    let (mount, address) = (trim_path(&args.rest[0]), args.rest[1].trim());
    let parted = address.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    let (host, port) = parted.ok_or_else(|| Failure::local(format!("{address:?} is not HOST:PORT")))?;
    let mut request = Request::new(Method::Get, "sys/sandbox/explain");
    request = request.query("mount", mount).query("host", host).query("port", port);
    if let Some(backend) = args.text("backend") {
        request = request.query("backend", backend);
    }
    let data = ask(context, args, &request)?;
    let allowed = data["allowed"] == true;
    if context.is_table() {
        say(context, &data, allowed);
    } else {
        context.print_machine(&data)?;
    }
    Ok(if allowed { 0 } else { 2 })
}

fn say(context: &mut Context<'_>, data: &Value, allowed: bool) {
    let backend = match cell(data, "backend") {
        name if name.is_empty() => "without a backend".to_owned(),
        name => format!("on backend {name}"),
    };
    let verdict = if allowed { "allowed" } else { "refused" };
    let reason = match cell(data, "reason") {
        reason if reason.is_empty() => String::new(),
        reason => format!(": {reason}"),
    };
    let (mount, host, port) = (cell(data, "mount"), cell(data, "host"), cell(data, "port"));
    context.out(format!("{mount} {backend} to {host}:{port} is {verdict}{reason}"));
    for address in items(&data["addresses"]) {
        let said = if address["allowed"] == true { "allowed".to_owned() } else { cell(address, "reason") };
        context.out(format!("  address {}: {said}", cell(address, "address")));
    }
    let rules = items(&data["rules"]);
    if rules.is_empty() {
        context.out("\nThe call has no grants.");
        return;
    }
    let rows = rules.iter().map(|rule| {
        let fits = if rule["names_it"] == true { "yes" } else { "no" };
        std::iter::once(fits.to_owned()).chain(grant_cells(rule).into_iter().skip(1)).collect()
    });
    let header = ["Names it"].into_iter().chain(GRANT_HEADER.into_iter().skip(1)).collect::<Vec<_>>();
    let text = table::with_header(&header, rows.collect());
    context.out(format!("\n{text}"));
}
