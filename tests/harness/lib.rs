//! What every black-box test stands on: a private PostgreSQL, the real binary, HTTP, the command line, and patience.
//!
//! Nothing here imports a crate of the host. A harness fails by panicking: a test that cannot be set up has failed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "test support: it fails by panicking and works on files of its own"
)]

mod api;
mod artifacts;
mod cli;
mod database;
mod guests;
mod moto;
mod oracle;
mod points;
mod postgres;
mod process;
mod proxy;
mod replay;
mod server;
mod syncs;
mod wait;

pub use api::{Api, Reply};
pub use artifacts::{armed_binary, binary, checkout, profile, target_folder, target_root};
pub use cli::{Cli, Said};
pub use database::{Credential, DatabaseMount};
pub use guests::hostile_engines;
pub use moto::Moto;
pub use oracle::{Oracle, Promised};
pub use points::Points;
pub use postgres::{Hang, Postgres};
pub use process::{Kept, powerless};
pub use proxy::{Answer, Proxy};
pub use replay::{Replay, Step, fits};
pub use server::{Key, Server};
pub use syncs::Syncs;
pub use wait::{PATIENCE, wait_at_most, wait_until};
