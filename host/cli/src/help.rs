//! Usage texts, made from the command table.

use crate::command::{Command, HTTP};
use crate::commands;
use crate::flags::{Flag, Kind};
use crate::text::wrap_indented;

const COMMON: &[&str] = &["read", "write", "delete", "list", "login", "server", "status", "unwrap"];

/// The usage of the program.
pub(crate) fn program() -> String {
    let mut top: Vec<(&str, &str)> =
        commands::all().filter(|c| !c.name.contains(' ')).map(|c| (c.name, c.about)).collect();
    top.extend(commands::GROUPS.iter().filter(|(name, _)| !name.contains(' ')));
    top.push(("server", "Start a server"));
    top.sort_unstable();
    let is_common = |name: &str| COMMON.contains(&name);
    let common: Vec<_> = COMMON.iter().filter_map(|name| top.iter().find(|(n, _)| n == name).copied()).collect();
    let other: Vec<_> = top.iter().filter(|(name, _)| !is_common(name)).copied().collect();
    let width = top.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    format!(
        "Usage: cofferdam <command> [args]\n\nCommon commands:\n{}\n\nOther commands:\n{}",
        listing(&common, width),
        listing(&other, width)
    )
}

fn listing(entries: &[(&str, &str)], width: usize) -> String {
    entries.iter().map(|(name, about)| format!("    {name:width$}    {about}")).collect::<Vec<_>>().join("\n")
}

/// The usage of a group of commands.
pub(crate) fn group(name: &str, about: &str) -> String {
    let prefix = format!("{name} ");
    let below = |full: &'static str| full.strip_prefix(&prefix).filter(|rest| !rest.contains(' '));
    let mut rows: Vec<Vec<String>> = commands::all()
        .filter_map(|c| Some((below(c.name)?, c.about)))
        .chain(commands::GROUPS.iter().filter_map(|(n, about)| Some((below(n)?, *about))))
        .map(|(n, about)| vec![format!("    {n}"), about.to_owned()])
        .collect();
    rows.sort();
    let width = rows.iter().map(|r| r[0].len()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|r| format!("{:width$}    {}", r[0], r[1])).collect();
    format!("Usage: cofferdam {name} <subcommand> [options] [args]\n\n  {about}.\n\nSubcommands:\n{}", lines.join("\n"))
}

/// The usage of a command.
pub(crate) fn command(command: &Command) -> String {
    let mut text = format!("Usage: cofferdam {} {}", command.name, command.usage).trim_end().to_owned();
    text.push_str(&format!("\n\n{}", wrap_indented(&format!("{}.", command.about), 2)));
    if !command.details.is_empty() {
        text.push_str(&format!("\n\n{}", command.details));
    }
    let http = if command.remote { HTTP } else { &[] };
    for (title, flags) in
        [("Command Options", command.flags), ("Output Options", command.output), ("HTTP Options", http)]
    {
        let shown: Vec<&Flag> = flags.iter().filter(|f| !f.help.is_empty()).collect();
        if !shown.is_empty() {
            text.push_str(&format!("\n\n{title}:"));
        }
        for flag in shown {
            text.push_str(&format!("\n\n  {}\n{}", signature(flag), wrap_indented(flag.help, 6)));
        }
    }
    text
}

fn signature(flag: &Flag) -> String {
    let kind = match flag.kind {
        Kind::Bool => "",
        Kind::Text | Kind::List => "=<string>",
        Kind::Int => "=<int>",
        Kind::Seconds => "=<duration>",
        Kind::Pairs => "=<key=value>",
    };
    let alias = if flag.alias.is_empty() { String::new() } else { format!(", -{}{kind}", flag.alias) };
    format!("-{}{kind}{alias}", flag.name)
}

/// A version line.
pub(crate) fn version() -> String {
    concat!("Cofferdam v", env!("CARGO_PKG_VERSION")).to_owned()
}
