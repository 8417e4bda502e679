//! Access rules: policies in HCL or JSON, and what they allow. Pure functions.
//!
//! A policy's text becomes a [`Policy`] (`document.rs`); the policies of a token become an [`Acl`] (`decide.rs`), which
//! is asked about every request. `hcl.rs` reads the language and serves configuration files too.

pub mod builtin;
pub mod capability;
pub mod decide;
pub mod document;
pub mod hcl;
pub mod password;
mod pattern;
mod rule;
pub mod template;

#[cfg(test)]
mod fuzz;

pub use capability::{Capabilities, Capability};
pub use decide::{Acl, Ask, Reason, Verdict};
pub use document::{PathRule, Policy};
pub use password::PasswordPolicy;
pub use template::{AliasField, GroupField, Identity, NoIdentity, Selector};
