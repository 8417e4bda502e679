//! The server is stopped, cut off or lied to at every named point of its protocols, and what it does afterwards is
//! compared with the database and with what its clients were told. It runs in a build with failpoints.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and says what it did"
)]

mod action;
mod clock;
mod fence;

mod operation;
mod pool;
mod races;

mod scene;
mod shipped;
mod standby;

mod table;
mod wire;
