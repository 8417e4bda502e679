//! What the server promises over HTTP, promise by promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and looks into files of its own"
)]

mod bodies;
mod common;
mod connections;
mod database;
mod fence;
mod inventory;
mod kept;
mod leases;
mod metrics;
mod pool;
mod races;
mod reload;
mod sandbox_view;
mod seal;
mod store;
mod targets;
mod tokens;
