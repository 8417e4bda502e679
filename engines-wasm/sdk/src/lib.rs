//! What an engine's author sees of the contract: traits with defaults, route tables, typed fields and entries, and (with
//! the feature `testing`) a host in memory for native tests.
//!
//! An engine crate is a `cdylib` and an `rlib`. It implements [`Engine`] (and [`Issuer`], if it makes credentials) for a
//! unit type and ends with [`export_secrets!`] or [`export_issuer!`] (and [`export_inventory!`], if it
//! tells what is in its backends)

#[doc(hidden)]
#[path = "bindings.rs"]
pub mod __bindings;
#[doc(hidden)]
#[path = "export.rs"]
pub mod __export;
mod context;
pub mod duration;
mod engine;
pub mod failure;
mod host;
mod reply;
mod route;
#[cfg(all(feature = "testing", not(target_arch = "wasm32")))]
pub mod testing;
pub mod time;
pub mod types;

pub use context::{Context, Storage};
pub use engine::{Engine, Inventory, Issuer, Options};
pub use host::Host;
pub use route::{RouteBuilder, route};
