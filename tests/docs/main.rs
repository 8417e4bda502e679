//! Runs what the documents tell people to type.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and reads the documents of the checkout"
)]

mod blocks;
mod commands;
mod inline;
mod running;
mod tour;
