//! Who is asking: tokens at rest, found by a keyed digest and never kept themselves.
//!
//! This crate knows rows and rules of one token. What hangs on a token (children, leases, cubbyhole) is taken down by
//! `core`, which knows the ledger.

mod record;
mod store;

pub use record::{NewToken, Token, TokenRecord};
pub use store::{PREFIX, Tokens};
