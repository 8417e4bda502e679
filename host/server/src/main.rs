//! The binary `cofferdam`: the server, and the command line that talks to servers.

mod certificates;
mod clock;
mod command;
mod compile;
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
mod process;
mod reload;
mod run;
mod tls;
mod wire;
mod witness;

use std::process::ExitCode;

use cofferdam_cli::Inspector;
use cofferdam_model::review::Inspection;

/// The runtime, for the command line.
struct Sandbox;

impl Inspector for Sandbox {
    fn inspect(&self, component: &[u8], policy: Option<&str>) -> Result<Inspection, String> {
        cofferdam_sandbox::inspect(component, policy).map_err(|e| e.to_string())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let code = match arguments.split_first() {
        Some((command, limits)) if command == compile::COMMAND => compile::main(limits),
        _ => cofferdam_cli::main(arguments, &command::server, &Sandbox),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
