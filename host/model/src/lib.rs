//! The nouns of the server and the ports between its layers. No I/O, no HTTP, no SQL, no wasm.

pub mod clock;
pub mod duration;
pub mod engine;
pub mod error;
pub mod failure;
pub mod fields;
pub mod ids;
pub mod inventory;
pub mod json;
pub mod mount;
pub mod request;
pub mod response;
pub mod review;
pub mod route;
pub mod secret;
pub mod view;

#[cfg(test)]
mod fuzz;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use error::{Error, ErrorKind, Result};
pub use request::{Operation, Request};
pub use response::{AuthInfo, LeaseInfo, Response, WrapInfo};
pub use secret::SecretText;
