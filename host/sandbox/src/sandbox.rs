//! The sandbox itself: one runtime for all engines, with its permits, its gate and its cache.

use std::net::SocketAddr;
use std::sync::Arc;

use cap_std::fs::Dir;
use tokio::time::Instant;
use wasmtime::component::Linker;

use crate::SandboxError;
use crate::cache::Cache;
use crate::compiler::Compiler;
use crate::connections::Connections;
use crate::instance::Kept;
use crate::leash::Leashes;
use crate::net::address::Shut;
use crate::net::gate::Border;
use crate::net::http::{pool::Pool, tls};
use crate::net::ledger::Ledger;
use crate::net::resolver::{Resolver, System};
use crate::permits::{Permits, Slot};
use crate::policy::Policy;
use crate::state::State;
use crate::{component, runtime};
use cofferdam_model::engine::Lane;
use cofferdam_model::review::{Denial, Report};

/// What the server decides for all engines.
#[derive(Debug)]
pub struct SandboxConfig {
    /// Instances at once, at least 2. An eighth of them, at least one, only revokes.
    pub pool_size: u32,
    /// Where compiled components are kept; nobody else should be able to write there.
    pub cache: Option<Dir>,
    /// The server's own listeners and its store: no derived grant opens them. A wildcard address means every address of
    /// this machine.
    pub shut: Vec<SocketAddr>,
    /// Whether derived grants open loopback: a database beside the server is common.
    pub allow_loopback: bool,
    /// PEM text of certificate authorities that are believed besides the usual ones when the host speaks HTTPS for an
    /// engine. May be empty.
    pub authorities: Vec<u8>,
}

/// Runs components.
pub struct Sandbox {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: Arc<Linker<State>>,
    pub(crate) cache: Cache,
    pub(crate) permits: Permits,
    pub(crate) connections: Connections,
    pub(crate) kept: Arc<Kept>,
    pub(crate) leashes: Leashes,
    pub(crate) border: Arc<Border>,
}

impl Sandbox {
    /// Starts the runtime and its clock.
    ///
    /// # Errors
    /// [`SandboxError::Runtime`] where the machine cannot hold a pool of this size.
    pub fn new(config: SandboxConfig) -> Result<Arc<Self>, SandboxError> {
        Self::with_resolver(config, Box::new(System))
    }

    pub(crate) fn with_resolver(config: SandboxConfig, resolver: Box<dyn Resolver>) -> Result<Arc<Self>, SandboxError> {
        let engine = runtime::engine(config.pool_size)?;
        let kept = Arc::default();
        let border = Arc::new(Border {
            shut: Shut { own: config.shut, allow_loopback: config.allow_loopback },
            resolver,
            ledger: Ledger::default(),
            tls: tls::client(&config.authorities)?,
            pool: Pool::default(),
        });
        runtime::start_clock(&engine, &kept, &border)?;
        Ok(Arc::new(Self {
            linker: component::linker(&engine)?,
            cache: Cache::new(&engine, config.cache),
            permits: Permits::new(config.pool_size),
            connections: Connections::default(),
            kept,
            leashes: Leashes::default(),
            border,
            engine,
        }))
    }

    /// Gives the key that proves which compiled components this server wrote. Before, every component is compiled.
    pub fn unlock_cache(&self, key: &[u8; 32]) {
        self.cache.unlock(key);
    }

    /// The last refusals of the egress gate, oldest first.
    pub fn denials(&self) -> Vec<Denial> {
        self.border.ledger.denials()
    }

    /// What each engine did on each mount since the start.
    pub fn reports(&self) -> Vec<Report> {
        self.border.ledger.reports()
    }

    /// Ends instances and connections that wait for a next call. For the seal: they hold what they read.
    pub fn drop_idle(&self) {
        while self.kept.evict() {}
        self.border.pool.clear();
    }

    /// A place in the pool; an idle instance makes way for a call.
    pub(crate) async fn slot(&self, lane: Lane) -> Option<Slot> {
        drop(self.kept.expire());
        loop {
            if let Some(slot) = self.permits.try_slot(lane) {
                return Some(slot);
            }
            // What goes may have had a place of the other sort.
            if !self.kept.evict() {
                return self.permits.slot(lane).await;
            }
        }
    }

    /// Loads a component under its policy. Blocking.
    pub(crate) fn load(
        &self,
        policy: &Policy,
        bytes: &[u8],
        compiler: Option<&dyn Compiler>,
    ) -> Result<component::Loaded, SandboxError> {
        let started = Instant::now();
        let loaded = component::load(&self.linker, &self.cache, policy, bytes, compiler)?;
        tracing::info!(
            engine = policy.engine,
            digest = loaded.digest,
            millis = started.elapsed().as_millis(),
            "component loaded"
        );
        Ok(loaded)
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}
