//! What the process gives up before it holds a key. All of it is best effort: a container may have done more.

use cap_std::ambient_authority;
use cap_std::fs::Dir;
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

/// Keys are not locked in memory: the runtime gives pages back in a way that locked ones do not allow, and a cipher's
/// round keys lie wherever it does. So the operator is told where they could be swapped out.
pub(crate) fn warn_of_swap() {
    let Ok(root) = Dir::open_ambient_dir("/", ambient_authority()) else { return };
    let swaps = root.read_to_string("proc/swaps").unwrap_or_default();
    let groups = root.read_to_string("proc/self/cgroup").unwrap_or_default();
    let limit = own_group(&groups).and_then(|group| root.read_to_string(format!("{group}/memory.swap.max")).ok());
    if may_swap(&swaps, limit.as_deref()) {
        tracing::warn!(
            "this machine has swap, and keys may be written there: switch it off or encrypt it, or forbid it to this \
             process (systemd: MemorySwapMax=0). disable_mlock = true says that this is known"
        );
    }
}

/// Where the limits of this process's control group lie.
fn own_group(groups: &str) -> Option<String> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(format!("sys/fs/cgroup/{path}").trim_end_matches('/').to_owned())
}

/// The first line of the list is its heading.
fn may_swap(swaps: &str, limit: Option<&str>) -> bool {
    swaps.lines().skip(1).any(|line| !line.trim().is_empty()) && limit.is_none_or(|limit| limit.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_counts_where_there_is_some_and_it_is_not_forbidden() {
        let heading = "Filename\tType\tSize\tUsed\tPriority\n";
        let some = format!("{heading}/dev/sda2 partition 1 0 -2\n");
        assert!(may_swap(&some, None) && may_swap(&some, Some("max\n")));
        assert!(!may_swap(&some, Some("0\n")) && !may_swap(heading, None) && !may_swap("", None));
        let unit = "0::/system.slice/cofferdam.service\n";
        assert_eq!(own_group(unit).as_deref(), Some("sys/fs/cgroup/system.slice/cofferdam.service"));
        assert_eq!(own_group("5:memory:/x\n0::/\n").as_deref(), Some("sys/fs/cgroup"));
    }
}
