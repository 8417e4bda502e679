//! The engines of this repository, built from source and run in the sandbox.

mod database;
mod kv;
mod memory;
mod support;
mod trouble;
