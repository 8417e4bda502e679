//! An answer before HTTP.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::{SecretText, Timestamp};

/// An answer. Nothing in it: 204 on a write, 404 on a read.
#[derive(Debug, Default)]
pub struct Response {
    /// The envelope's `data`, spliced in as it is.
    pub data: Option<Box<RawValue>>,
    /// The envelope's `warnings`.
    pub warnings: Vec<String>,
    /// A lease, or only a duration.
    pub lease: LeaseInfo,
    /// The credential was made ahead, and counts as usable since then.
    pub ready_at: Option<Timestamp>,
    /// A login or a new token.
    pub auth: Option<Box<AuthInfo>>,
    /// A wrapped answer: nothing else is shown then.
    pub wrap_info: Option<Box<WrapInfo>>,
    /// In place of the usual 200, 204 or 404.
    pub status: Option<u16>,
    /// The body is `data` itself, without the envelope (`sys/init`, `sys/health`, help).
    pub bare: bool,
    /// The keys of `data` also appear at the envelope's top level (old `sys` endpoints).
    pub copy_to_top: bool,
    /// The mount's type, for the envelope.
    pub mount_type: Option<String>,
    /// A body that is no JSON, in place of everything else.
    pub raw: Option<Raw>,
}

/// A body as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// Its content type.
    pub media_type: &'static str,
    /// The body.
    pub text: String,
}

impl Response {
    /// Nothing to say.
    pub fn empty() -> Self {
        Self::default()
    }

    /// An answer with data.
    pub fn with_data(data: Map<String, Value>) -> Self {
        Self::with_value(&Value::Object(data))
    }

    /// An answer with any JSON as data.
    pub fn with_value(data: &(impl Serialize + ?Sized)) -> Self {
        Self { data: serde_json::value::to_raw_value(data).ok(), ..Self::default() }
    }

    /// A listing; empty: nothing, which becomes 404.
    pub fn with_keys(keys: Vec<String>) -> Self {
        if keys.is_empty() {
            return Self::empty();
        }
        Self::with_value(&serde_json::json!({ "keys": keys }))
    }

    /// Adds a warning.
    #[must_use]
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// Whether there is anything to show.
    pub fn is_empty(&self) -> bool {
        self.data.is_none()
            && self.auth.is_none()
            && self.wrap_info.is_none()
            && self.warnings.is_empty()
            && self.lease.id.is_empty()
    }
}

/// The envelope's lease fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseInfo {
    /// Empty: no lease, only a duration.
    pub id: String,
    /// Seconds.
    pub duration: u64,
    /// May be renewed.
    pub renewable: bool,
}

/// The envelope's `auth`.
#[derive(Clone, Debug, Default)]
pub struct AuthInfo {
    /// Empty where a renewal by accessor must not show it.
    pub client_token: SecretText,
    /// Empty for batch tokens.
    pub accessor: String,
    /// All policies in force.
    pub policies: Vec<String>,
    /// The token's own.
    pub token_policies: Vec<String>,
    /// Those of the entity.
    pub identity_policies: Vec<String>,
    /// What the login or the creator said of the token.
    pub metadata: Option<std::collections::BTreeMap<String, String>>,
    /// Seconds; 0: does not expire.
    pub lease_duration: u64,
    /// May be renewed.
    pub renewable: bool,
    /// Empty: none.
    pub entity_id: String,
    /// `service` or `batch`.
    pub token_type: String,
    /// Has no parent.
    pub orphan: bool,
    /// Uses left; 0: without limit.
    pub num_uses: u64,
}

/// The envelope's `wrap_info`.
#[derive(Clone, Debug)]
pub struct WrapInfo {
    /// Good for one unwrapping.
    pub token: SecretText,
    /// Of that token.
    pub accessor: String,
    /// Seconds.
    pub ttl: u64,
    /// When it was wrapped.
    pub creation_time: Timestamp,
    /// The path of the wrapped request.
    pub creation_path: String,
    /// The accessor of the token inside, if the answer was a login.
    pub wrapped_accessor: Option<String>,
}
