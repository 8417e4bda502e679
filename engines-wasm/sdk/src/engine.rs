//! The traits that an engine implements.

use crate::types::{
    CredentialKind, Description, Ended, Failure, Issued, Lease, Outcome, Page, Renewed, Request, Route,
};
use crate::{Context, failure};

/// The options of a mount, as `describe` gets them.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a>(&'a [(String, String)]);

impl<'a> Options<'a> {
    /// Reads names and values.
    #[must_use]
    pub const fn new(pairs: &'a [(String, String)]) -> Self {
        Self(pairs)
    }

    /// The value of the option of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        crate::types::lookup(self.0, name)
    }
}

/// A secrets engine. All state lives in the host: the functions are associated, and an instance serves one call.
pub trait Engine {
    /// The engine's routes, kinds and formats with these mount options. Runs without a host: no storage, no clock.
    fn describe(options: Options<'_>) -> Description;

    /// Whether what the request would write exists. Asked only on routes with `upsert`, before `handle`.
    ///
    /// # Errors
    /// Whatever keeps the engine from telling.
    fn exists(ctx: &Context, request: &Request) -> Result<bool, Failure> {
        let _ = (ctx, request);
        Ok(true)
    }

    /// Serves one request. An error undoes everything that the call wrote.
    ///
    /// # Errors
    /// Whatever the client or the operator should know.
    fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure>;

    /// Brings the mount's entries from `stored_format` to the format that `describe` names.
    ///
    /// # Errors
    /// `unsupported` unless the engine overrides it.
    fn migrate(ctx: &Context, stored_format: u32) -> Result<(), Failure> {
        let _ = ctx;
        Err(failure::unsupported(format!("no migration from storage format {stored_format}")))
    }
}

/// An issuer that tells what is in its backends.
pub trait Inventory: Issuer {
    /// The objects on this backend whose stamp begins with `mark`; with `object`, only the one of this name. No effect.
    ///
    /// # Errors
    /// Whatever keeps the engine from telling all: what it does not show counts as not there.
    fn browse(
        ctx: &Context,
        backend: &str,
        mark: &str,
        object: Option<&str>,
        after: Option<&str>,
    ) -> Result<Page, Failure>;
}

/// An engine that makes credentials in a backend.
pub trait Issuer: Engine {
    /// Makes what the plan said. At most once for an intent.
    ///
    /// # Errors
    /// Whatever kept the credential from being made; see [`Failure::untouched`].
    fn create(ctx: &Context, intent: &Lease, carry: &str) -> Result<Issued, Failure>;

    /// Extends the credential in the backend until `lease.expires_at`.
    ///
    /// # Errors
    /// Whatever kept it from being extended.
    fn renew(ctx: &Context, lease: &Lease) -> Result<Renewed, Failure>;

    /// Ends credentials: one answer for each lease, in order.
    fn revoke(ctx: &Context, leases: &[Lease]) -> Vec<Result<Ended, Failure>>;

    /// Root rotation: a new secret from the current one, without network.
    ///
    /// # Errors
    /// `unsupported` unless the engine overrides it.
    fn propose(ctx: &Context, slot: &str, current: &str) -> Result<String, Failure> {
        let _ = (ctx, current);
        Err(no_rotation(slot))
    }

    /// Root rotation: makes the backend accept the candidate. Repeatable. Where the backend chooses, the answer is the
    /// candidate from then on, and this is called again with it.
    ///
    /// # Errors
    /// `unsupported` unless the engine overrides it.
    fn apply(ctx: &Context, slot: &str, current: &str, candidate: &str) -> Result<Option<String>, Failure> {
        let _ = (ctx, current, candidate);
        Err(no_rotation(slot))
    }

    /// Root rotation: logs in anew with the secret, and sees that a wrong one is refused.
    ///
    /// # Errors
    /// `unsupported` unless the engine overrides it.
    fn prove(ctx: &Context, slot: &str, secret: &str) -> Result<(), Failure> {
        let _ = (ctx, secret);
        Err(no_rotation(slot))
    }

    /// Root rotation: ends what the old secret may still do. Repeatable. The answer is for the client, a JSON object.
    /// Where `new` is `null`, `old` is the candidate of a credential that is kept no longer: all that came of it ends.
    ///
    /// # Errors
    /// Whatever keeps the old secret alive.
    fn retire(ctx: &Context, slot: &str, old: &str, new: &str) -> Result<Option<String>, Failure> {
        let _ = (ctx, slot, old, new);
        Ok(None)
    }
}

fn no_rotation(slot: &str) -> Failure {
    failure::unsupported(format!("the secret {slot:?} cannot be rotated"))
}

impl Description {
    /// An engine of this name and version, with storage format 1.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            help: String::new(),
            routes: Vec::new(),
            kinds: Vec::new(),
            storage_format: 1,
            reads_storage: Vec::new(),
        }
    }

    /// What the engine is for.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Adds a route; the first that matches wins.
    #[must_use]
    pub fn route(mut self, route: impl Into<Route>) -> Self {
        self.routes.push(route.into());
        self
    }

    /// Adds a kind of credential.
    #[must_use]
    pub fn kind(mut self, kind: CredentialKind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// The format in which entries are stored, and those that `migrate` reads.
    #[must_use]
    pub fn storage(mut self, format: u32, reads: impl Into<Vec<u32>>) -> Self {
        self.storage_format = format;
        self.reads_storage = reads.into();
        self
    }
}
