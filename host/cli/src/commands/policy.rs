//! `policy`: ACL policies.

use std::path::Path;

use cofferdam_client::Method;
use serde_json::{Value, json};

use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::files;
use crate::flags::Args;

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "policy write",
        usage: "[options] NAME PATH",
        about: "Upload a policy from a file, or from stdin if the file is \"-\"",
        positionals: (2, 2),
        run: write,
        ..Command::DEFAULT
    },
    Command {
        name: "policy read",
        usage: "[options] NAME",
        about: "Print the text of a policy",
        output: FORMAT,
        positionals: (1, 1),
        run: read,
        ..Command::DEFAULT
    },
    Command {
        name: "policy list",
        usage: "[options]",
        about: "List the policies",
        output: FORMAT,
        positionals: (0, 0),
        run: list,
        ..Command::DEFAULT
    },
    Command {
        name: "policy delete",
        usage: "[options] NAME",
        about: "Delete a policy",
        positionals: (1, 1),
        run: delete,
        ..Command::DEFAULT
    },
    Command {
        name: "policy fmt",
        usage: "[options] PATH",
        about: "Format a policy on disk",
        positionals: (1, 1),
        remote: false,
        run: format,
        ..Command::DEFAULT
    },
];

fn write(context: &mut Context<'_>, args: &Args) -> Result {
    let file = args.rest[1].trim();
    let bytes = if file == "-" {
        let mut bytes = Vec::new();
        context.io.stdin.read_to_end(&mut bytes).map_err(|e| format!("Error reading policy: {e}")).map(|_| bytes)
    } else {
        files::read(Path::new(file)).map_err(|e| format!("Error opening policy file: open {file}: {}", files::why(&e)))
    };
    let bytes = bytes.map_err(Failure::remote)?;
    // Names have no capitals; whoever writes some is told.
    let name = args.rest[0].trim().to_lowercase();
    let body = json!({ "policy": String::from_utf8_lossy(&bytes) });
    let answer = context
        .api(args)?
        .put(&format!("sys/policies/acl/{name}"), body)
        .doing(|| "Error uploading policy".to_owned())?;
    if args.rest[0] != name {
        context.warn(format!("Policy name was converted from \"{}\" to \"{name}\"", args.rest[0]));
    } else if let Some(secret) = answer {
        context.print_warnings(&secret);
    }
    context.out(format!("Success! Uploaded policy: {name}"));
    Ok(0)
}

fn read(context: &mut Context<'_>, args: &Args) -> Result {
    let name = args.rest[0].trim().to_lowercase();
    let answer = context
        .api(args)?
        .read(&format!("sys/policies/acl/{name}"))
        .doing(|| format!("Error reading policy named {name}"))?;
    let text = answer.as_ref().and_then(|s| s.field("policy")).and_then(Value::as_str);
    let text = text.ok_or_else(|| Failure::remote(format!("No policy named: {name}")))?;
    if context.is_table() {
        context.out(text.trim());
        return Ok(0);
    }
    context.print_machine(&json!({ "policy": text }))
}

fn list(context: &mut Context<'_>, args: &Args) -> Result {
    let answer = context.api(args)?.list("sys/policies/acl").doing(|| "Error listing policies".to_owned())?;
    let names = answer.and_then(|s| s.keys().cloned()).unwrap_or_default();
    if !context.is_table() {
        return context.print_machine(&names);
    }
    for name in names.iter().filter_map(Value::as_str) {
        context.out(name);
    }
    Ok(0)
}

fn delete(context: &mut Context<'_>, args: &Args) -> Result {
    let name = args.rest[0].trim().to_lowercase();
    let request = cofferdam_client::Request::new(Method::Delete, &format!("sys/policies/acl/{name}"));
    context.api(args)?.send(&request).doing(|| format!("Error deleting {name}"))?;
    context.out(format!("Success! Deleted policy: {name}"));
    Ok(0)
}

fn format(context: &mut Context<'_>, args: &Args) -> Result {
    let name = args.rest[0].trim();
    let file = Path::new(name);
    let bytes = files::read(file)
        .map_err(|e| Failure::local(format!("Error reading source file: open {name}: {}", files::why(&e))))?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::local(format!("Error parsing policy: {name} is not UTF-8")))?;
    cofferdam_acl::Policy::parse(name, &text).map_err(|e| Failure::local(format!("Error parsing policy: {e}")))?;
    let formatted =
        cofferdam_acl::hcl::format(&text).map_err(|e| Failure::local(format!("Error parsing policy: {e}")))?;
    let mode = files::mode(file).unwrap_or(0o644);
    files::replace(file, formatted.as_bytes(), mode)
        .map_err(|e| Failure::local(format!("Error writing result: {}", files::why(&e))))?;
    context.out(format!("Success! Formatted policy: {name}"));
    Ok(0)
}
