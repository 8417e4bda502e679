//! The vault: what a request goes through, and everything that must not be lost or forged.
//!
//! Core knows neither wasmtime nor HTTP nor SQL. Engines arrive as `cofferdam_model::engine::Catalog`, storage as
//! `cofferdam_storage::port::Physical`. Read `pipeline.rs` first: one request from end to end.

mod acls;
mod backends;
mod calls;
mod core;
mod dispatch;
mod fence;
mod inventory;
mod issue;
mod kept;
mod keys;
mod lifecycle;
mod metrics;
mod mount_life;
mod mounts;
mod native;
mod passwords;
mod pipeline;
mod policies;
mod pool;
mod reaper;
mod remembered;
mod repeat;
mod rotate;
mod spaces;
mod targets;
mod vault;

pub use crate::core::{Core, DevInit, OnUnseal, Parts, Settings};
pub use crate::fence::{Place, Seen, Witness};
pub use crate::metrics::ProcessStats;

/// The version that the server tells its clients.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
