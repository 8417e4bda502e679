//! What the process gives up before it holds a key. All of it is best effort: a container may have done more.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// No core files; as many open files as the system allows.
pub(crate) fn limits() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!("core files cannot be forbidden: {error}");
    }
    let files = getrlimit(Resource::Nofile);
    if files.current != files.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files })
    {
        tracing::warn!("the limit of open files cannot be raised: {error}");
    }
}

/// No other process of this user may read our memory.
///
/// Called after the sandbox has opened what it needs below `/proc/self`, which then belongs to root.
pub(crate) fn memory() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("the process cannot be made undumpable: {error}");
    }
}
