//! `secrets`: mounts of secrets engines.

use cofferdam_client::{Method, Request};

use super::mounts::{EGRESS, ONCE, TUNABLE, detailed_header, enable_body, move_mount, print_mounts, tune_body};
use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Result};
use crate::flags::{Args, Flag, Kind, concat, flag};
use crate::text::{trim_path, with_slash};

const DETAILED: Flag = flag("detailed", Kind::Bool, "Show settings, too.");

const FORCE_NO_CACHE: Flag = flag("force-no-cache", Kind::Bool, "Never cache what the engine stores.");
const ENABLE: &[Flag] = &concat::<{ ONCE.len() + TUNABLE.len() + 2 }>(&[ONCE, TUNABLE, &[FORCE_NO_CACHE], &[EGRESS]]);
const TUNE: &[Flag] = &concat::<{ TUNABLE.len() + 1 }>(&[TUNABLE, &[EGRESS]]);

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "secrets enable",
        usage: "[options] TYPE",
        about: "Enable a secrets engine",
        details: "      $ cofferdam secrets enable database\n      $ cofferdam secrets enable -path=aws aws\n      \
                  $ cofferdam secrets enable -version=2 kv",
        flags: ENABLE,
        positionals: (1, 1),
        run: enable,
        ..Command::DEFAULT
    },
    Command {
        name: "secrets disable",
        usage: "[options] PATH",
        about: "Disable a secrets engine and revoke all of its leases",
        positionals: (1, 1),
        run: disable,
        ..Command::DEFAULT
    },
    Command {
        name: "secrets list",
        usage: "[options]",
        about: "List the secrets engines that are enabled",
        output: FORMAT,
        flags: &[DETAILED],
        positionals: (0, 0),
        run: list,
        ..Command::DEFAULT
    },
    Command {
        name: "secrets tune",
        usage: "[options] PATH",
        about: "Change the settings of a secrets engine",
        flags: TUNE,
        positionals: (1, 1),
        run: tune,
        ..Command::DEFAULT
    },
    Command {
        name: "secrets move",
        usage: "[options] SOURCE DESTINATION",
        about: "Move a secrets engine to another path, which revokes its leases",
        positionals: (2, 2),
        run: move_engine,
        ..Command::DEFAULT
    },
];

fn enable(context: &mut Context<'_>, args: &Args) -> Result {
    let kind = args.rest[0].trim();
    let (path, body) = enable_body(args, kind);
    let answer = context.api(args)?.post(&format!("sys/mounts/{path}"), body).doing(|| "Error enabling".to_owned())?;
    if let Some(secret) = answer {
        context.print_warnings(&secret);
    }
    let thing = match args.text("plugin-name").filter(|_| kind == "plugin") {
        Some(name) => format!("{name} plugin"),
        None => format!("{kind} secrets engine"),
    };
    context.out(format!("Success! Enabled the {thing} at: {path}"));
    Ok(0)
}

fn disable(context: &mut Context<'_>, args: &Args) -> Result {
    let path = with_slash(trim_path(&args.rest[0]));
    let request = Request::new(Method::Delete, &format!("sys/mounts/{path}"));
    context.api(args)?.send(&request).doing(|| format!("Error disabling secrets engine at {path}"))?;
    context.out(format!("Success! Disabled the secrets engine (if it existed) at: {path}"));
    Ok(0)
}

fn list(context: &mut Context<'_>, args: &Args) -> Result {
    let answer = context.api(args)?.read("sys/mounts").doing(|| "Error listing secrets engines".to_owned())?;
    if context.globals.detailed {
        return print_mounts(context, answer, &detailed_header("Force No Cache"), |m| m.detailed("force_no_cache"));
    }
    print_mounts(context, answer, &["Path", "Type", "Accessor", "Description"], |m| {
        vec![m.path.to_owned(), m.cell("type"), m.cell("accessor"), m.cell("description")]
    })
}

fn tune(context: &mut Context<'_>, args: &Args) -> Result {
    let path = with_slash(trim_path(&args.rest[0]));
    let answer = context
        .api(args)?
        .post(&format!("sys/mounts/{path}tune"), tune_body(args))
        .doing(|| format!("Error tuning secrets engine {path}"))?;
    if let Some(secret) = answer {
        context.print_warnings(&secret);
    }
    context.out(format!("Success! Tuned the secrets engine at: {path}"));
    Ok(0)
}

fn move_engine(context: &mut Context<'_>, args: &Args) -> Result {
    let (from, to) = (with_slash(&args.rest[0]), with_slash(&args.rest[1]));
    move_mount(context, args, "secrets engine", "", (&from, &to))
}
