//! Puts the parts together, lowest first: store, sandbox, engines, core.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use cap_std::fs::Dir;
use cofferdam_api::Handler;
use cofferdam_core::{Core, Parts, Settings, Witness};
use cofferdam_model::review::Review;
use cofferdam_model::{Error, Request, Response, Result};
use cofferdam_sandbox::{BuiltinCatalog, Sandbox, SandboxConfig, SandboxError};
use cofferdam_storage::Sqlite;
use cofferdam_storage::port::Physical;

#[cfg(not(feature = "failpoints"))]
use crate::clock::machine;
use crate::compile::Outside;
use crate::config::{Config, Store};
#[cfg(feature = "failpoints")]
use crate::failpoints::machine;
use crate::witness::{self, MarkFile};
use crate::{engines, files, harden, plugins as plugin_files, process};

/// Instances of components that exist at once.
const POOL: u32 = 64;
/// Below the store's directory: compiled components.
const CACHE: &str = "compiled";

/// Why the vault cannot be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The store.
    #[error("storage: {}", .0.log.clone().unwrap_or_else(|| .0.messages.join("; ")))]
    Store(Error),
    /// The store was lost: another one must not silently take its place.
    #[error(
        "storage: {0} is missing or empty, and the mark beside it says that it was used: put it back, or remove the mark \
         (cofferdam.mark) to begin anew"
    )]
    Gone(String),
    /// The store's directory, that of engines, or a file with certificate authorities.
    #[error("{path}: {source}")]
    Directory {
        /// As configured.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The sandbox, or a built-in engine.
    #[error("engines: {0}")]
    Sandbox(#[from] SandboxError),
}

/// Everything below HTTP.
#[derive(Clone)]
pub(crate) struct Vault {
    core: Arc<Core>,
    store: Arc<dyn Physical>,
}

impl Vault {
    /// Opens the store and starts everything above it, sealed. `listening` are our own sockets,
    /// `plugins` a directory of engines besides the built-in ones.
    pub(crate) async fn build(
        config: &Config,
        store: &Store,
        settings: Settings,
        listening: &[SocketAddr],
        plugins: Option<&str>,
    ) -> Result<Self, WireError> {
        let Opened { store, cache, witness } = open(store).await?;
        let unreadable = |path: &str| {
            let path = path.to_owned();
            |source| WireError::Directory { path, source }
        };
        let authorities = match &config.backend_ca_file {
            Some(path) => files::read(path).map_err(unreadable(path))?,
            None => Vec::new(),
        };
        let sandbox = Sandbox::new(SandboxConfig {
            pool_size: POOL,
            cache,
            shut: listening.to_vec(),
            allow_loopback: config.allow_loopback,
            authorities,
        })?;
        let compiler = Outside::new().map_err(unreadable("the server's own program"))?;
        // From here on nothing needs to be opened below /proc/self, and no key is in memory yet.
        harden::memory();
        let mut catalog = BuiltinCatalog::new(Arc::clone(&sandbox), engines::builtins())?;
        if let Some(path) = plugins {
            catalog.add(plugin_files::from_directory(path).map_err(unreadable(path))?, path, compiler)?;
        }
        let catalog = Arc::new(catalog);
        let unlocked = Arc::clone(&sandbox);
        let core = Core::new(Parts {
            store: Arc::clone(&store),
            witness,
            review: Arc::clone(&catalog) as Arc<dyn Review>,
            catalog,
            clock: machine(),
            settings,
            process: Box::new(process::stats()),
            on_unseal: Box::new(move |key| unlocked.unlock_cache(key)),
            on_seal: Box::new(move || sandbox.drop_idle()),
        });
        Ok(Self { core, store })
    }

    /// What answers requests.
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Seals, and closes the store.
    pub(crate) async fn end(self) {
        self.core.shutdown().await;
        self.store.close().await;
    }
}

impl Handler for Vault {
    async fn handle(&self, request: Request) -> Result<Response> {
        self.core.handle(request).await
    }

    fn answered(&self, status: u16) {
        self.core.answered(status);
    }
}

/// A store with what lies beside it.
struct Opened {
    store: Arc<dyn Physical>,
    cache: Option<Dir>,
    witness: Option<Arc<dyn Witness>>,
}

async fn open(store: &Store) -> Result<Opened, WireError> {
    match store {
        Store::Memory => {
            let store = Arc::new(Sqlite::memory().await.map_err(WireError::Store)?);
            Ok(Opened { store, cache: None, witness: None })
        }
        Store::Sqlite { path, machine_id } => {
            let unusable = |source| WireError::Directory { path: path.clone(), source };
            if witness::is_bereft(Path::new(path)).map_err(unusable)? {
                return Err(WireError::Gone(Path::new(path).join(Sqlite::FILE).display().to_string()));
            }
            let store = Arc::new(Sqlite::open(path).await.map_err(WireError::Store)?);
            let dir = files::directory(Path::new(path)).map_err(unusable)?;
            let cache = Some(files::private_directory(&dir, CACHE).map_err(unusable)?);
            let witness: Arc<dyn Witness> = Arc::new(MarkFile::new(dir, machine_id.as_deref()));
            Ok(Opened { store, cache, witness: Some(witness) })
        }
    }
}
