//! The rules of this repository that a machine can check: who may import whom, how files look, what nobody writes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and these read the checkout"
)]

mod files;
mod layers;
mod style;
