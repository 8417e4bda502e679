//! Mounts, as an engine sees them.

/// What a call knows of its mount.
#[derive(Clone, Debug, Default)]
pub struct MountView {
    /// Never reused; storage, leases and slots hang on it, so a move rewrites nothing.
    pub uuid: String,
    /// With a trailing slash.
    pub path: String,
    /// `<type>_<8 hex>`.
    pub accessor: String,
    /// The engine's type (`kv`, `database`).
    pub kind: String,
    /// Effective, in seconds.
    pub default_ttl: u64,
    /// Effective, in seconds.
    pub max_ttl: u64,
    /// `options` of the mount.
    pub options: Vec<(String, String)>,
}
