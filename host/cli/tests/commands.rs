//! Whole commands against a server of a few lines: what they send, what they print, how they end.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "commands/support.rs"]
mod support;

#[path = "commands/keys.rs"]
mod keys;
#[path = "commands/leases.rs"]
mod leases;
#[path = "commands/logins.rs"]
mod logins;
#[path = "commands/mounts.rs"]
mod mounts;
#[path = "commands/operator.rs"]
mod operator;
#[path = "commands/paths.rs"]
mod paths;
#[path = "commands/policies.rs"]
mod policies;
#[path = "commands/tokens.rs"]
mod tokens;
