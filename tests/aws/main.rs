//! The engine `aws` against a cloud of its own: what people type, what appears in the cloud, and that it goes again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and says what it counted"
)]

mod bench;
mod common;
mod crash;
mod faults;
mod inventory;
mod pages;
mod points;
mod pool;
mod proxy;
mod statics;
mod users;
