//! `engine`: components, without a server.

use std::path::Path;

use cofferdam_model::review::Inspection;
use serde_json::json;

use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::files;
use crate::flags::{Args, Kind, flag};
use crate::output::table;

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "engine inspect",
    usage: "[options] FILE",
    about: "Show what a component imports and exports, and what would be refused; exit code 2 if anything would",
    details: "      $ cofferdam engine inspect -policy=policies/kv.toml kv.wasm",
    output: FORMAT,
    flags: &[flag("policy", Kind::Text, "The sandbox policy (TOML) that it is held against.")],
    positionals: (1, 1),
    remote: false,
    run: inspect,
    ..Command::DEFAULT
}];

fn inspect(context: &mut Context<'_>, args: &Args) -> Result {
    let component = read(&args.rest[0])?;
    let policy = args.text("policy").map(read).transpose()?;
    let policy = policy.map(String::from_utf8).transpose().map_err(|_| Failure::local("the policy is no text"))?;
    let found = context.inspector.inspect(&component, policy.as_deref()).map_err(Failure::local)?;
    if context.is_table() {
        say(context, &found);
    } else {
        context.print_machine(&json!({
            "digest": found.digest,
            "size": found.size,
            "contract": found.contract,
            "world": found.world,
            "imports": found.imports,
            "exports": found.exports,
            "refused": found.refused,
        }))?;
    }
    Ok(if found.refused.is_empty() { 0 } else { 2 })
}

fn read(file: &str) -> Result<Vec<u8>> {
    files::read(Path::new(file)).map_err(|e| Failure::local(format!("open {file}: {}", files::why(&e))))
}

fn say(context: &mut Context<'_>, found: &Inspection) {
    let mut rows = vec![
        ("digest".to_owned(), found.digest.clone()),
        ("size".to_owned(), found.size.to_string()),
        ("contract".to_owned(), found.contract.clone().unwrap_or_default()),
        ("world".to_owned(), found.world.clone().unwrap_or_default()),
    ];
    for (name, list) in [("import", &found.imports), ("export", &found.exports), ("refused", &found.refused)] {
        rows.extend(list.iter().map(|item| (name.to_owned(), item.clone())));
    }
    context.out(table::pairs(rows));
}
