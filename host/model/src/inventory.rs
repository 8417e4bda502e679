//! What engines find in their backends, be there a lease or not.

use crate::engine::Handle;

/// An object that bears a stamp of the mount that asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The exact name.
    pub object: String,
    /// One of the description's kinds.
    pub kind: String,
    /// What stands on it.
    pub stamp: String,
    /// What a revocation has to know.
    pub handle: Handle,
    /// Unix seconds.
    pub created_at: Option<u64>,
}

/// Some of them.
#[derive(Debug, Default)]
pub struct Page {
    /// In the engine's own order.
    pub items: Vec<Found>,
    /// Where the next page begins; none: this was the last one.
    pub next: Option<String>,
}
