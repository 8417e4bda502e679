//! `auth`: mounts of auth methods.

use cofferdam_client::{Method, Request};

use super::misc::print_help;
use super::mounts::{ONCE, TUNABLE, detailed_header, enable_body, move_mount, print_mounts, tune_body};
use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Flag, Kind, concat, flag};
use crate::text::{trim_path, with_slash};

const DETAILED: Flag = flag("detailed", Kind::Bool, "Show settings, too.");
const TOKEN_TYPE: Flag =
    flag("token-type", Kind::Text, "The type of the tokens: \"service\", \"batch\", or a default.");

const ENABLE: &[Flag] = &concat::<{ ONCE.len() + TUNABLE.len() + 1 }>(&[ONCE, TUNABLE, &[TOKEN_TYPE]]);
const TUNE: &[Flag] = &concat::<{ TUNABLE.len() + 1 }>(&[TUNABLE, &[TOKEN_TYPE]]);

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "auth enable",
        usage: "[options] TYPE",
        about: "Enable an auth method",
        details: "      $ cofferdam auth enable userpass\n      $ cofferdam auth enable -path=ci approle",
        flags: ENABLE,
        positionals: (1, 1),
        run: enable,
        ..Command::DEFAULT
    },
    Command {
        name: "auth disable",
        usage: "[options] PATH",
        about: "Disable an auth method and revoke the tokens it gave",
        positionals: (1, 1),
        run: disable,
        ..Command::DEFAULT
    },
    Command {
        name: "auth list",
        usage: "[options]",
        about: "List the auth methods that are enabled",
        output: FORMAT,
        flags: &[DETAILED],
        positionals: (0, 0),
        run: list,
        ..Command::DEFAULT
    },
    Command {
        name: "auth tune",
        usage: "[options] PATH",
        about: "Change the settings of an auth method",
        flags: TUNE,
        positionals: (1, 1),
        run: tune,
        ..Command::DEFAULT
    },
    Command {
        name: "auth move",
        usage: "[options] SOURCE DESTINATION",
        about: "Move an auth method to another path, which revokes the tokens it gave",
        positionals: (2, 2),
        run: move_method,
        ..Command::DEFAULT
    },
    Command {
        name: "auth help",
        usage: "[options] TYPE | PATH",
        about: "Show the usage of an auth method",
        positionals: (1, 1),
        run: help,
        ..Command::DEFAULT
    },
];

fn enable(context: &mut Context<'_>, args: &Args) -> Result {
    let kind = args.rest[0].trim();
    let (path, body) = enable_body(args, kind);
    let answer =
        context.api(args)?.post(&format!("sys/auth/{path}"), body).doing(|| format!("Error enabling {kind} auth"))?;
    if let Some(secret) = answer {
        context.print_warnings(&secret);
    }
    let thing = match args.text("plugin-name").filter(|_| kind == "plugin") {
        Some(name) => format!("{name} plugin"),
        None => format!("{kind} auth method"),
    };
    context.out(format!("Success! Enabled {thing} at: {path}"));
    Ok(0)
}

fn disable(context: &mut Context<'_>, args: &Args) -> Result {
    let path = with_slash(trim_path(&args.rest[0]));
    let request = Request::new(Method::Delete, &format!("sys/auth/{path}"));
    context.api(args)?.send(&request).doing(|| format!("Error disabling auth method at {path}"))?;
    context.out(format!("Success! Disabled the auth method (if it existed) at: {path}"));
    Ok(0)
}

fn list(context: &mut Context<'_>, args: &Args) -> Result {
    let answer = context.api(args)?.read("sys/auth").doing(|| "Error listing enabled authentications".to_owned())?;
    if context.globals.detailed {
        return print_mounts(context, answer, &detailed_header("Token Type"), |m| m.detailed("token_type"));
    }
    print_mounts(context, answer, &["Path", "Type", "Accessor", "Description", "Version"], |m| {
        vec![m.path.to_owned(), m.cell("type"), m.cell("accessor"), m.cell("description"), m.cell("plugin_version")]
    })
}

fn tune(context: &mut Context<'_>, args: &Args) -> Result {
    let path = with_slash(trim_path(&args.rest[0]));
    context
        .api(args)?
        .post(&format!("sys/mounts/auth/{path}tune"), tune_body(args))
        .doing(|| format!("Error tuning auth method {path}"))?;
    context.out(format!("Success! Tuned the auth method at: {path}"));
    Ok(0)
}

fn move_method(context: &mut Context<'_>, args: &Args) -> Result {
    let (from, to) = (with_slash(&args.rest[0]), with_slash(&args.rest[1]));
    move_mount(context, args, "auth method", "auth/", (&from, &to))
}

fn help(context: &mut Context<'_>, args: &Args) -> Result {
    let wanted = trim_path(&args.rest[0]);
    let api = context.api(args)?;
    let answer = api.read("sys/auth").doing(|| "Error listing auth methods".to_owned())?;
    let mounts = answer.and_then(|a| a.data).unwrap_or_default();
    let by_path = mounts.keys().find(|path| path.trim_end_matches('/') == wanted);
    let by_type = || mounts.iter().find(|(_, about)| about["type"].as_str() == Some(wanted)).map(|(path, _)| path);
    let path = by_path
        .or_else(by_type)
        .ok_or_else(|| Failure::local(format!("Error retrieving help: unknown auth method: {wanted}")))?;
    let help =
        api.help(&format!("auth/{}", path.trim_end_matches('/'))).doing(|| "Error retrieving help".to_owned())?;
    print_help(context, &help)
}
