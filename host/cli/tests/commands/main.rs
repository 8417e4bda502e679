//! Whole commands against a server of a few lines: what they send, what they print, how they end.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

mod keys;
mod leases;
mod logins;
mod mounts;
mod operator;
mod paths;
mod policies;
mod sandbox;
mod tokens;
