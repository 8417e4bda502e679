//! The binary under the name `vault`, as people and their scripts use it: words, columns, exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and looks into files of its own"
)]

mod errors;
mod kv;
mod life;
mod login;
mod operator;
mod tls;

use std::sync::OnceLock;

use harness::{Cli, Server};

/// One development server for all of these.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::dev)
}

/// A shell with the root token.
pub(crate) fn cli() -> Cli {
    Cli::of(server())
}

/// The value of a row of a table.
pub(crate) fn row<'a>(table: &'a str, key: &str) -> &'a str {
    table
        .lines()
        .find_map(|line| line.strip_prefix(key).filter(|rest| rest.starts_with(' ')))
        .unwrap_or_else(|| panic!("no row {key}:\n{table}"))
        .trim()
}
