//! The two commands of a checkout: `cargo demo` shows the server at work, `cargo verify` proves it.
//!
//! Both install what they miss on a Debian-like machine that has only Rust.

#![allow(clippy::print_stdout, reason = "talking to a person is what this program is for")]
#![allow(clippy::disallowed_methods, reason = "a developer's tool works on the developer's files")]

mod demo;
mod postgres;
mod run;
mod setup;
mod talk;
mod verify;
mod walk;

use std::process::ExitCode;

const USAGE: &str = "\
cargo demo [--no-wait]    start PostgreSQL and a development server, walk through a credential's life, stay up
                          --no-wait: stop everything after the walk
                          COFFERDAM_DEMO_PG=postgresql://user:password@host:port/db uses a server that is there
                          COFFERDAM_BIN=file does the same for Cofferdam's own binary
cargo verify [--fast]     format, lints, licences, all tests; --fast leaves out the licences";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["demo"] => demo::demo(true),
        ["demo", "--no-wait"] => demo::demo(false),
        ["verify"] => verify::verify(true),
        ["verify", "--fast"] => verify::verify(false),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            talk::trouble(&trouble);
            ExitCode::FAILURE
        }
    }
}
