//! Where the host keeps its own entries. A mount's entries lie under its uuid; what the host keeps for a mount lies
//! beside it and is out of the engine's reach.

/// The mount table: one entry a mount, by uuid.
pub(crate) const MOUNTS: &str = "host/mounts";
/// ACL policies, by name.
pub(crate) const POLICIES: &str = "host/policies";
/// Password policies, by name.
pub(crate) const PASSWORDS: &str = "host/passwords";
/// Settings of the barrier's key.
pub(crate) const KEYS: &str = "host/keys";
/// Rotations under way, by `<mount uuid>/<slot>/<address>`.
pub(crate) const ROTATIONS: &str = "host/rotations";

/// Credentials that are kept in rotation, by `<mount uuid>/<slot>`.
pub(crate) const KEPT: &str = "host/kept";

/// Pools of credentials that are made ahead, by `<mount uuid>/<path below the mount>`. What waits in them lies in the
/// ledger's own space, `cofferdam_leases::STOCK`.
pub(crate) const POOLS: &str = "host/pools";

/// Targets and slots of one mount.
pub(crate) fn of_mount(uuid: &str) -> String {
    format!("host/mount/{uuid}")
}

/// One token's cubbyhole.
pub(crate) fn cubbyhole(digest: &str) -> String {
    format!("host/cubbyhole/{digest}")
}

/// Open while the mount serves and its entries have this format: what ran under another one is not committed.
pub(crate) fn mount_gate(uuid: &str, format: u32) -> String {
    format!("mount/{uuid}/{format}")
}

/// Open while credentials may be made on this generation of a backend.
pub(crate) fn target_gate(uuid: &str, backend: &str, generation: u64) -> String {
    format!("target/{uuid}/{backend}/{generation}")
}
