//! The command line: Vault's command tree, flags, layouts and exit codes, over HTTP alone.
//!
//! A command is data (a [`command::Command`]) and a function; everything it prints goes through [`context::Context`], so
//! that tests run whole commands without a process. The program behaves the same under every name.

mod api;
mod args;
mod command;
mod commands;
mod context;
mod data;
mod dry;
mod failure;
mod files;
mod flags;
mod help;
mod output;
mod prompt;
mod text;
mod token_helper;

use std::io::{self, IsTerminal, Read, Write};

use cofferdam_client::Environment;
use cofferdam_model::review::Inspection;

pub use args::run;

/// Where a run reads and writes.
pub struct Io<'a> {
    /// What `-` reads.
    pub stdin: &'a mut dyn Read,
    /// Results.
    pub stdout: &'a mut dyn Write,
    /// Everything else.
    pub stderr: &'a mut dyn Write,
    /// Whether results go to a person: a single field then ends with a newline.
    pub stdout_is_terminal: bool,
}

/// Looks at components. The command line knows no runtime; its owner does.
pub trait Inspector {
    /// What the component is, and what would be refused, by this sandbox policy (TOML) if one is given.
    ///
    /// # Errors
    /// A text for the user: the policy cannot be used.
    fn inspect(&self, component: &[u8], policy: Option<&str>) -> Result<Inspection, String>;
}

/// Runs a program's arguments (without its name) with the process's streams and environment, and returns the exit code.
///
/// `server` is called with what follows the word `server`; only its owner knows how to start one. Must not be called
/// from inside an async runtime.
pub fn main(args: Vec<String>, server: &dyn Fn(Vec<String>) -> i32, inspector: &dyn Inspector) -> i32 {
    if args.first().is_some_and(|a| a == "server") {
        return server(args.into_iter().skip(1).collect());
    }
    let stdout_is_terminal = io::stdout().is_terminal();
    let (mut stdin, mut stdout, mut stderr) = (io::stdin().lock(), io::stdout().lock(), io::stderr());
    let mut io = Io { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr, stdout_is_terminal };
    run(&args, &ProcessEnvironment, inspector, &mut io)
}

struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
