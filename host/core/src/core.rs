//! The server's whole state: uninitialised, sealed or unsealed.

use std::sync::Arc;

use cofferdam_model::engine::Catalog;
use cofferdam_model::review::Review;
use cofferdam_model::{Clock, Error, ErrorKind, Request, Response, Result, SecretText};
use cofferdam_storage::Storage;
use cofferdam_storage::port::Physical;
use tokio::sync::{Mutex, RwLock};

use crate::fence::{Fence, Witness};
use crate::lifecycle::UnsealProgress;
use crate::metrics::{Answers, ProcessStats};
use crate::vault::Vault;

/// Called at every unseal with a key derived from the barrier.
pub type OnUnseal = Box<dyn Fn(&[u8; 32]) + Send + Sync>;

/// What a core is built from.
pub struct Parts {
    /// The store.
    pub store: Arc<dyn Physical>,
    /// The file beside the store by which copies of it are told apart; none beside a store in memory.
    pub witness: Option<Arc<dyn Witness>>,
    /// The engines.
    pub catalog: Arc<dyn Catalog>,
    /// What may be asked of their compartments.
    pub review: Arc<dyn Review>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The operator's settings.
    pub settings: Settings,
    /// The sandbox's cache of compiled code needs the key.
    pub on_unseal: OnUnseal,
    /// What the operating system says of this process, where it says something.
    pub process: Box<dyn Fn() -> Option<ProcessStats> + Send + Sync>,
    /// Called at every seal, after the last request: whoever keeps secrets of a backend in memory forgets them.
    pub on_seal: Box<dyn Fn() + Send + Sync>,
}

/// The operator's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seconds.
    pub default_lease_ttl: u64,
    /// Seconds.
    pub max_lease_ttl: u64,
    /// Empty: a random one is chosen at initialisation.
    pub cluster_name: String,
    /// How clients reach this server.
    pub api_addr: String,
    /// A development server.
    pub dev: bool,
    /// Metrics are there in Prometheus's format.
    pub prometheus: bool,
}

impl Default for Settings {
    fn default() -> Self {
        const DAYS_32: u64 = 768 * 3_600;
        Self {
            default_lease_ttl: DAYS_32,
            max_lease_ttl: DAYS_32,
            cluster_name: String::new(),
            api_addr: String::new(),
            dev: false,
            prometheus: true,
        }
    }
}

/// What a development server tells its operator.
#[derive(Debug)]
pub struct DevInit {
    /// All-powerful.
    pub root_token: SecretText,
    /// The one share, base64.
    pub unseal_key: String,
}

/// The server below HTTP.
pub struct Core {
    pub(crate) store: Arc<dyn Physical>,
    pub(crate) storage: Storage,
    pub(crate) fence: Arc<Fence>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) review: Arc<dyn Review>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) process: Box<dyn Fn() -> Option<ProcessStats> + Send + Sync>,
    pub(crate) answers: Answers,
    pub(crate) on_unseal: OnUnseal,
    pub(crate) on_seal: Box<dyn Fn() + Send + Sync>,
    /// None while sealed. Requests hold the inner Arc for as long as they run.
    vault: RwLock<Option<Arc<Vault>>>,
    /// One change of the state at a time; holds the shares that were given so far.
    pub(crate) unsealing: Mutex<UnsealProgress>,
}

impl Core {
    /// A sealed (or uninitialised) core.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            storage: Storage::new(parts.store.clone()),
            fence: Arc::new(Fence::new(parts.store.clone(), parts.witness)),
            store: parts.store,
            catalog: parts.catalog,
            review: parts.review,
            clock: parts.clock,
            settings: parts.settings,
            process: parts.process,
            answers: Answers::default(),
            on_unseal: parts.on_unseal,
            on_seal: parts.on_seal,
            vault: RwLock::new(None),
            unsealing: Mutex::new(UnsealProgress::default()),
        })
    }

    /// Everything below `/v1/`, sealed or not.
    ///
    /// # Errors
    /// What the client is to see; the kind decides its status.
    pub async fn handle(self: &Arc<Self>, request: Request) -> Result<Response> {
        if let Some(answer) = crate::native::system::always(self, &request).await {
            return answer;
        }
        // Also where it was never initialised: that is what clients of the peers look for.
        let vault = self.unsealed().await.ok_or_else(|| Error::new(ErrorKind::Sealed, "Vault is sealed"))?;
        crate::pipeline::run(self, &vault, request).await
    }

    /// Counts an answer to a client, by its HTTP status.
    pub fn answered(&self, status: u16) {
        self.answers.count(status);
    }

    pub(crate) async fn unsealed(&self) -> Option<Arc<Vault>> {
        self.vault.read().await.clone()
    }

    pub(crate) async fn set_vault(&self, vault: Option<Arc<Vault>>) -> Option<Arc<Vault>> {
        std::mem::replace(&mut *self.vault.write().await, vault)
    }
}
