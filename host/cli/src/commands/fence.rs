//! `operator fence`: whether the server takes its store for a copy, and an operator's word that it is the only one.

use cofferdam_client::{Method, Request};
use serde_json::json;

use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Result};
use crate::flags::{Args, Kind, flag};
use crate::output::table;

/// The command of this file.
pub(super) const COMMAND: Command = Command {
    name: "operator fence",
    usage: "[options]",
    about: "Show whether the server is fenced, or lift the fence",
    details: "  A server whose store was copied or restored is fenced: it serves what lies in it, and acts on no backend.\n  \
              Before the fence is lifted, see to it that no other server runs on a copy of this store.",
    output: FORMAT,
    flags: &[flag("only-copy", Kind::Bool, "No other copy of the store is in use: lift the fence.")],
    positionals: (0, 0),
    run: fence,
    ..Command::DEFAULT
};

fn fence(context: &mut Context<'_>, args: &Args) -> Result {
    let api = context.api(args)?;
    if args.on("only-copy") {
        let request = Request::new(Method::Post, "sys/fence").body(json!({ "only_copy": true }));
        api.send(&request).doing(|| "Error lifting the fence".to_owned())?;
        context.out("Success! The server acts on its backends.");
        return Ok(0);
    }
    let answer = api.read("sys/fence").doing(|| "Error reading the fence".to_owned())?;
    let data = answer.and_then(|a| a.data).unwrap_or_default();
    if !context.is_table() {
        return context.print_machine(&data);
    }
    let fenced = data.get("fenced").is_some_and(|f| f == true);
    let mut rows = vec![("Fenced".to_owned(), fenced.to_string())];
    if fenced {
        rows.push(("Reason".to_owned(), data.get("reason").and_then(|r| r.as_str()).unwrap_or_default().to_owned()));
    }
    context.out(table::pairs(rows));
    Ok(0)
}
