//! The vault below HTTP, driven through `Core::handle` with engines and a backend of a few lines.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod engines;
mod model;
mod store;
mod world;

mod access;
mod damage;
mod engine_faults;
mod inventory;
mod issue;
mod kept;
mod keys;
mod lifecycle;
mod migration;
mod mounts;
mod policies;
mod pool;
mod remembered;
mod retarget;
mod review;
mod rotation;
mod tokens;
