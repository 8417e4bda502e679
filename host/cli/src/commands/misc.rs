//! `path-help`, `print token`, `version`.

use serde_json::{Map, Value};

use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::flags::Args;
use crate::help;
use crate::text::trim_path;

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "path-help",
        usage: "[options] PATH",
        about: "Retrieve the help of a path of the API",
        output: FORMAT,
        positionals: (1, 1),
        run: path_help,
        ..Command::DEFAULT
    },
    Command {
        name: "print token",
        usage: "",
        about: "Print the token in use",
        positionals: (0, 0),
        run: print_token,
        ..Command::DEFAULT
    },
    Command {
        name: "version",
        usage: "",
        about: "Print the version of this program",
        remote: false,
        run: |context, _| {
            context.out(help::version());
            Ok(0)
        },
        ..Command::DEFAULT
    },
];

fn path_help(context: &mut Context<'_>, args: &Args) -> Result {
    let path = trim_path(&args.rest[0]);
    let answer = context.api(args)?.help(path);
    if answer.as_ref().err().and_then(|e| e.status()) == Some(404) {
        return Err(Failure::remote(format!("Error retrieving help: no handler for route {path:?}")));
    }
    let help = answer.doing(|| "Error retrieving help".to_owned())?;
    print_help(context, &help)
}

/// The text for people, the OpenAPI document (or else everything) for programs.
pub(super) fn print_help(context: &mut Context<'_>, help: &Map<String, Value>) -> Result {
    if context.is_table() {
        context.out(help.get("help").and_then(Value::as_str).unwrap_or_default());
        return Ok(0);
    }
    match help.get("openapi").filter(|o| !o.is_null()) {
        Some(openapi) => context.print_machine(openapi),
        None => context.print_machine(help),
    }
}

fn print_token(context: &mut Context<'_>, args: &Args) -> Result {
    let token = context.api(args)?.token();
    context.out(token);
    Ok(0)
}
