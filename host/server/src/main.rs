//! The binary `cofferdam`: the server, and the command line that talks to servers.

mod command;
mod config;
mod dev;
mod engines;
#[cfg(feature = "failpoints")]
mod failpoints;
mod files;
mod flags;
mod harden;
mod listen;
mod logging;
mod plugins;
mod run;
mod tls;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = cofferdam_cli::main(std::env::args().skip(1).collect(), &command::server);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
