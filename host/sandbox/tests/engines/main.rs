//! The engines of this repository, built from source and run in the sandbox.

mod kv;
mod support;
