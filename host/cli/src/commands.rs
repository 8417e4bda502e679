//! The command tree.

use crate::command::Command;

mod audit;
mod auth;
mod engine;
mod fence;
mod inventory;
mod kv;
mod lease;
mod login;
mod misc;
mod mounts;
mod operator;
mod policy;
mod read_write;
mod sandbox;
mod secrets;
mod status;
mod token;

const ALL: &[&[Command]] = &[
    read_write::COMMANDS,
    kv::COMMANDS,
    kv::metadata::COMMANDS,
    kv::versions::COMMANDS,
    policy::COMMANDS,
    token::COMMANDS,
    lease::COMMANDS,
    secrets::COMMANDS,
    auth::COMMANDS,
    audit::COMMANDS,
    operator::COMMANDS,
    login::COMMANDS,
    status::COMMANDS,
    sandbox::COMMANDS,
    inventory::COMMANDS,
    engine::COMMANDS,
    misc::COMMANDS,
];

/// Words that only stand before other words.
pub(crate) const GROUPS: &[(&str, &str)] = &[
    ("audit", "Interact with audit devices"),
    ("auth", "Interact with auth methods"),
    ("engine", "Look at the components of engines"),
    ("inventory", "See what engines made in their backends, and what has no lease"),
    ("kv", "Interact with the key-value store"),
    ("kv metadata", "Interact with the metadata of keys"),
    ("lease", "Interact with leases"),
    ("operator", "Perform operator-specific tasks"),
    ("policy", "Interact with policies"),
    ("print", "Print runtime configuration"),
    ("sandbox", "See what engines may do, and what they were refused"),
    ("secrets", "Interact with secrets engines"),
    ("token", "Interact with tokens"),
];

/// Every command.
pub(crate) fn all() -> impl Iterator<Item = &'static Command> {
    ALL.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_their_groups_exist() {
        let mut names: Vec<&str> = all().map(|c| c.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for name in names {
            assert!(!GROUPS.iter().any(|(g, _)| *g == name), "{name} is both");
            if let Some((group, _)) = name.rsplit_once(' ') {
                assert!(GROUPS.iter().any(|(g, _)| *g == group), "{group}");
            }
        }
    }

    #[test]
    fn every_command_is_described_and_has_each_flag_once() {
        for command in all() {
            assert!(!command.about.is_empty() && !command.about.ends_with('.'), "{}", command.name);
            let flags = command.all_flags();
            let mut names: Vec<&str> = flags.iter().flat_map(|f| [f.name, f.alias]).filter(|n| !n.is_empty()).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}", command.name);
        }
    }
}
