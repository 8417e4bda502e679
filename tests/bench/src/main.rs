//! `cargo speed`: how fast the server is, held against what the same machine does without it.
//!
//! Absolute figures say little: every line is a ratio of two things that were measured in turn, or a bound. With
//! arguments, only the groups of that name run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a program for maintainers: it fails by panicking, prints a table, and works on files of its own"
)]

mod credentials;
mod hang;
mod leases;
mod load;
mod parts;
mod process;
mod secrets;
mod start;
mod table;
mod tokens;

use std::process::ExitCode;

/// Measures one group, and hands over each line as soon as it is known.
type Group = fn(&mut dyn FnMut(table::Line));

/// The groups of lines, in the order of the table.
const GROUPS: [(&str, Group); 6] = [
    ("start", start::lines),
    ("secrets", secrets::lines),
    ("tokens", tokens::lines),
    ("credentials", credentials::lines),
    ("hang", hang::lines),
    ("leases", leases::lines),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !GROUPS.iter().any(|(group, _)| group == name)) {
        eprintln!("no group {unknown:?}; there are: {}", GROUPS.map(|(name, _)| name).join(", "));
        return ExitCode::from(2);
    }
    table::head();
    for (name, lines) in GROUPS {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            lines(&mut |line| table::show(&line));
        }
    }
    ExitCode::SUCCESS
}
