//! The contract's nouns under the names that authors use, with the conveniences they lack.

use serde::{Deserialize, Serialize};

pub use crate::__bindings::issuance::cofferdam::engine::slots::KeptSecret as Kept;
pub use crate::__bindings::issuance::exports::cofferdam::engine::credentials::{Ended, Issued, Renewed};
pub use crate::__bindings::secrets::cofferdam::engine::call::{Endpoint, MountInfo, TargetInfo as Target};
pub use crate::__bindings::secrets::cofferdam::engine::caller::Identity;
pub use crate::__bindings::secrets::cofferdam::engine::log::Level;
pub use crate::__bindings::secrets::cofferdam::engine::storage::Entry;
pub use crate::__bindings::secrets::cofferdam::engine::types::{
    Body, Cause, Failure, Handle, Keeping, Lease, Listing, Operation, Outcome, Plan, Reply, Request, TtlWish,
};
pub use crate::__bindings::secrets::exports::cofferdam::engine::descriptor::{
    Description, Field, FieldKind as Kind, FieldTraits, Kind as CredentialKind, Route, Traits,
};
pub use crate::__bindings::stock::exports::cofferdam::engine::inventory::{Found, Page};

use crate::failure;

/// The value of a name in a list of pairs.
#[must_use]
pub fn lookup<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

impl Request {
    /// What the route's pattern captured under this name; empty where the pattern has no such name.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        lookup(&self.params, name).unwrap_or_default()
    }

    /// The fields that were sent. Fields that may be absent are `Option`s or have serde defaults.
    ///
    /// # Errors
    /// `invalid` if they are not of that shape.
    pub fn fields<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Failure> {
        serde_json::from_str(&self.fields).map_err(|error| failure::invalid(format!("invalid request: {error}")))
    }
}

impl Handle {
    /// A handle of this format.
    ///
    /// # Errors
    /// `internal` if the data cannot be written as JSON.
    pub fn new<T: Serialize + ?Sized>(format: u32, data: &T) -> Result<Self, Failure> {
        Ok(Self { format, data: to_json(data)? })
    }

    /// What the handle remembers.
    ///
    /// # Errors
    /// `internal` if it is not of that shape.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Failure> {
        from_json(&self.data)
    }
}

impl MountInfo {
    /// The value of the mount option of this name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        lookup(&self.options, name)
    }
}

/// JSON text of a value.
///
/// # Errors
/// `internal` if the value has no JSON form.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(failure::json)
}

/// A value from JSON text that the engine itself once wrote (handles, carries, slots).
///
/// # Errors
/// `internal` if it is not of that shape. The text is not repeated: it may be a secret.
pub fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        failure::internal(format!("unreadable JSON at line {}, column {}", error.line(), error.column()))
    })
}
