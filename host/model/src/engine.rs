//! The port behind which engines live. `sandbox` implements it with components; core knows nothing else of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::inventory::Page;
use crate::mount::MountView;
use crate::request::Operation;
use crate::route::Description;
use crate::view::{Changes, View};
use crate::{Result, SecretText};

pub use crate::failure::{CallError, Cause, Failure};

mod access;

pub use access::{BackendAccess, ConnectionLimits, Endpoint, Grant, GrantOrigin, NewTarget, Protocol, Target};

/// Where built-in and registered engines are found, by type (`kv`, `database`).
#[async_trait]
pub trait Catalog: Send + Sync {
    /// The engine of this type, loaded if it was not yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unavailable`] where the component does not load.
    async fn engine(&self, kind: &str) -> Result<Option<Arc<dyn Engine>>>;
    /// The types that can be mounted, sorted.
    fn kinds(&self) -> Vec<String>;
}

/// One engine build: a component with its sandbox policy. Serves any number of mounts.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Hex SHA-256 of the component.
    fn digest(&self) -> &str;

    /// Routes, kinds and formats for a mount with these options. Cached. One that is refused is listed for `mount`, the
    /// path that asks: there may be no mount yet.
    async fn describe(&self, mount: &str, options: &[(String, String)]) -> Result<Arc<Description>>;

    /// Reads the backend's address out of an authorized configuration write, as the sandbox policy (and only it) says.
    /// None: this route and these fields name no address.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming the field.
    fn target(&self, route: &str, fields: &Map<String, Value>) -> Result<Option<NewTarget>>;

    /// Whether the sandbox policy says that this route names a backend's address (its deletion then retires it).
    fn names_targets(&self, route: &str) -> bool;

    /// How many connections an authorized configuration write allows its backend, where the sandbox policy says which
    /// fields tell. None: this route tells nothing of connections.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming the field.
    fn connections(&self, route: &str, fields: &Map<String, Value>) -> Result<Option<ConnectionLimits>> {
        let _ = (route, fields);
        Ok(None)
    }

    /// One request. With `gate`, the engine's existence check runs first, in the same instance and transaction.
    async fn handle(
        &self,
        call: Call,
        request: EngineRequest,
        gate: Option<&dyn ExistsGate>,
    ) -> Result<Done<Outcome>, CallError>;

    /// Makes the credential of a durable intent.
    async fn create(&self, call: Call, lease: EngineLease, carry: SecretText) -> Result<Done<Issued>, CallError>;

    /// Extends it in the backend.
    async fn renew(&self, call: Call, lease: EngineLease) -> Result<Done<Renewed>, CallError>;

    /// Ends credentials: one answer each, in order.
    async fn revoke(&self, call: Call, leases: Vec<EngineLease>) -> Result<Vec<Result<Ended, Failure>>, CallError>;

    /// A new root secret; no effect.
    async fn propose(&self, call: Call, slot: &str, current: &SecretText) -> Result<SecretText, CallError>;

    /// Makes the backend accept it. Some: what it came to; the candidate from then on, to be applied again.
    async fn apply(
        &self,
        call: Call,
        slot: &str,
        current: &SecretText,
        candidate: &SecretText,
    ) -> Result<Option<SecretText>, CallError>;

    /// Logs in with it anew.
    async fn prove(&self, call: Call, slot: &str, secret: &SecretText) -> Result<(), CallError>;

    /// Ends what the old secret may still do. Some: JSON text of an object, for the client. Where `new` is `null`,
    /// `old` is a candidate that is given up, and all that came of it ends.
    async fn retire(
        &self,
        call: Call,
        slot: &str,
        old: &SecretText,
        new: &SecretText,
    ) -> Result<Option<String>, CallError>;

    /// Whether it tells what is in its backends.
    fn has_inventory(&self) -> bool {
        false
    }

    /// What is on the call's backend and bears a stamp that begins with `mark`: all of it, page by page, or the object
    /// of this name. No effect.
    async fn browse(
        &self,
        call: Call,
        mark: &str,
        object: Option<&str>,
        after: Option<&str>,
    ) -> Result<Page, CallError> {
        let _ = (call, mark, object, after);
        Err(CallError::Host(crate::Error::internal("an engine without an inventory was asked for it")))
    }

    /// Ends what may still hold connections to a backend whose target (of this generation, or an earlier one) died:
    /// calls in flight end as faults, kept instances go. Called after the commit that took the grants away.
    fn withdraw(&self, mount_uuid: &str, backend: &str, generation: u64) {
        let _ = (mount_uuid, backend, generation);
    }

    /// Told of an answer that broke the contract in a way that only the caller could see (`a plan in a call with
    /// network`): counted and listed like those that are seen where the call ran.
    fn blame(&self, mount: &str, answer: &str) {
        let _ = (mount, answer);
    }

    /// Brings the mount's entries to the current format.
    async fn migrate(&self, call: Call, stored_format: u32) -> Result<Done<()>, CallError>;
}

/// Asked between the existence check and the request itself.
pub trait ExistsGate: Send + Sync {
    /// Whether the request may go on, now that it is known whether it creates.
    ///
    /// # Errors
    /// Usually [`Error::permission_denied`].
    fn decide(&self, exists: bool) -> Result<()>;
}

/// Everything that a call may use besides its arguments.
#[derive(Clone)]
pub struct Call {
    /// Of the client's request, or of the job.
    pub request_id: String,
    /// The mount.
    pub mount: Arc<MountView>,
    /// Who asks; none in the host's own calls.
    pub caller: Option<Caller>,
    /// The mount's committed entries.
    pub view: Arc<dyn View>,
    /// What operators keep outside of the mount.
    pub services: Arc<dyn Services>,
    /// Opens the network and the slot of one backend.
    pub backend: Option<BackendAccess>,
    /// The host ends the call then.
    pub deadline: Duration,
    /// Which reserve of instances it draws on.
    pub lane: Lane,
    /// Texts that must not appear in any message of this call.
    pub secrets: Vec<SecretText>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Stable for one token, different between mounts.
    pub fingerprint: String,
    /// Of the token.
    pub display_name: String,
}

/// Which reserve a call draws on: revocations never wait behind requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A client waits.
    Serve,
    /// Something must be taken back.
    Revoke,
}

/// What operators keep outside of the mount.
#[async_trait]
pub trait Services: Send + Sync {
    /// A password by the named policy, or by the default one.
    ///
    /// # Errors
    /// A text for the engine.
    async fn generate_password(&self, policy: Option<&str>) -> Result<SecretText, String>;

    /// A credential that the host keeps in rotation on this backend of the mount.
    async fn kept(&self, backend: &str, slot: &str) -> Result<Option<Kept>> {
        let _ = (backend, slot);
        Ok(None)
    }
}

/// A request for an engine.
#[derive(Clone, Debug)]
pub struct EngineRequest {
    /// Create or update is settled by the existence check.
    pub operation: Operation,
    /// Below the mount.
    pub path: String,
    /// The pattern that matched.
    pub route: String,
    /// What it captured.
    pub params: Vec<(String, String)>,
    /// JSON text of an object.
    pub fields: String,
}

/// A call's result with what it changed.
#[derive(Debug)]
pub struct Done<T> {
    /// The result.
    pub value: T,
    /// To be committed with the row that the result makes.
    pub changes: Changes,
}

/// What a request comes to.
#[derive(Debug)]
pub enum Outcome {
    /// Answer now.
    Reply(Reply),
    /// Make this credential.
    Issue(Plan),
    /// Rotate the secret in this slot.
    Rotate(String),
    /// Keep a credential in rotation, or no longer.
    Keep(Keeping),
}

/// A credential of an account that exists already.
#[derive(Debug)]
pub struct Keeping {
    /// Its slot.
    pub slot: String,
    /// Seconds between rotations; none: it is kept no longer.
    pub every: Option<u64>,
    /// For the client, JSON text of an object.
    pub data: Option<String>,
}

/// One that was rotated.
#[derive(Debug)]
pub struct Kept {
    /// JSON text.
    pub secret: SecretText,
    /// Unix seconds.
    pub rotated_at: u64,
    /// Unix seconds, by the clock that engines see.
    pub next_at: u64,
}

/// A finished answer.
#[derive(Debug, Default)]
pub struct Reply {
    /// JSON text of `data`; none: nothing.
    pub data: Option<String>,
    /// In place of the usual one.
    pub status: Option<u16>,
    /// For the client.
    pub warnings: Vec<String>,
    /// Without a lease.
    pub lease_duration: Option<u64>,
}

/// A credential to be made.
#[derive(Debug)]
pub struct Plan {
    /// One of the description's kinds.
    pub kind: String,
    /// For people.
    pub role: String,
    /// Where it will live.
    pub backend: String,
    /// The exact name.
    pub object: String,
    /// Private to the engine.
    pub handle: Handle,
    /// For `create`, never stored.
    pub carry: SecretText,
    /// Wishes.
    pub ttl: TtlWish,
}

/// What the engine remembers of a lease.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Handle {
    /// Of `data`.
    pub format: u32,
    /// JSON text.
    pub data: String,
}

/// What the engine would like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TtlWish {
    /// Seconds.
    pub ttl: Option<u64>,
    /// Seconds.
    pub max_ttl: Option<u64>,
    /// May be renewed.
    pub renewable: bool,
}

/// A lease as an engine sees it.
#[derive(Clone, Debug)]
pub struct EngineLease {
    /// The whole id.
    pub id: String,
    /// One of the description's kinds.
    pub kind: String,
    /// For people.
    pub role: String,
    /// Where it lives.
    pub backend: String,
    /// Its exact name.
    pub object: String,
    /// Private to the engine.
    pub handle: Handle,
    /// What is written onto the object.
    pub stamp: String,
    /// Unix seconds.
    pub issued_at: u64,
    /// Unix seconds.
    pub expires_at: u64,
    /// Unix seconds; absolute.
    pub not_after: u64,
    /// The create was seen to have succeeded.
    pub confirmed: bool,
}

/// A credential that was made.
#[derive(Debug)]
pub struct Issued {
    /// For the client, JSON text of an object.
    pub data: SecretText,
    /// For the client.
    pub warnings: Vec<String>,
    /// In place of the plan's.
    pub handle: Option<Handle>,
}

/// A credential that was renewed.
#[derive(Debug, Default)]
pub struct Renewed {
    /// In place of the lease's.
    pub handle: Option<Handle>,
    /// For the client.
    pub warnings: Vec<String>,
}

/// How a revocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was there and is gone.
    Removed,
    /// It was not there, seen by a positive query.
    Absent,
}
