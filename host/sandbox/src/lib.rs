//! Runs engines as WASI components. The only crate that knows wasmtime.
//!
//! A [`Sandbox`] is the runtime: a pool of instances, permits, the egress gate, the cache of compiled code. A
//! [`BuiltinCatalog`] offers the embedded engines on it, each under its sandbox policy.

#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
mod bindings;
mod cache;
mod catalog;
mod clocks;
mod compiler;
mod component;
mod connections;
mod convert;
mod engine;
mod error;
mod fault;
mod imports;
mod inspect;
mod instance;
mod leash;
mod limits;
#[cfg(test)]
#[path = "../tests/engines/memory.rs"]
mod memory;
mod net;
mod output;
mod permits;
mod policy;
mod redact;
mod review;
mod runtime;
mod sandbox;
mod state;
mod target;

#[cfg(test)]
mod fuzz;

pub use catalog::{Builtin, BuiltinCatalog};
pub use cofferdam_model::review::{Counts, Denial, Report};
pub use compiler::{Compiler, compile};
pub use connections::ConnectionRule;
pub use error::SandboxError;
pub use inspect::inspect;
pub use policy::{DefaultRule, Expect, Limits, ParameterRule, Policy, TargetRule, World};
pub use sandbox::{Sandbox, SandboxConfig};
pub use target::{Grammar, Word};
