//! Bytes at rest: the only crate that knows SQL.
//!
//! Callers see [`Storage`]: rows in the clear, encrypted by the barrier on their way down and opened on their way up.
//! Below it lies a [`port::Physical`] store, which sees ciphertext and the few plain columns that must be indexed.

mod barrier;
mod batch;
pub mod port;
mod print;
mod sqlite;

pub use barrier::Storage;
pub use sqlite::{Sqlite, WriteStats};
