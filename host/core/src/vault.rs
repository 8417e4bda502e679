//! Everything that exists only while unsealed.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cofferdam_leases::Ledger;
use cofferdam_model::engine::Catalog;
use cofferdam_model::{Clock, Result, SecretText};
use cofferdam_storage::Storage;
use cofferdam_tokens::{NewToken, TokenRecord, Tokens};
use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};

use crate::acls::Acls;
use crate::backends::EngineBackends;
use crate::core::{Core, Settings};
use crate::fence::Fence;
use crate::lifecycle::Cluster;
use crate::mounts::Mounts;
use crate::passwords::Passwords;
use crate::policies::Policies;
use crate::remembered::Remembered;
use crate::targets::Targets;

/// How long sealing waits for requests that are under way.
const DRAIN: Duration = Duration::from_secs(10);

/// The unsealed server.
pub(crate) struct Vault {
    pub(crate) storage: Storage,
    pub(crate) fence: Arc<Fence>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) cluster: Cluster,
    pub(crate) tokens: Tokens,
    pub(crate) mounts: Mounts,
    pub(crate) policies: Policies,
    pub(crate) acls: Acls,
    pub(crate) passwords: Passwords,
    pub(crate) targets: Targets,
    pub(crate) remembered: Remembered,
    /// Something that was kept for leases may have outlived the last of them.
    pub(crate) unreleased: AtomicBool,
    pub(crate) moved: crate::mount_life::Moved,
    pub(crate) counted: crate::metrics::Counted,
    pub(crate) rotating: crate::rotate::Rotating,
    pub(crate) listings: crate::inventory::Listings,
    /// Distinguishes callers for engines without showing tokens.
    pub(crate) fingerprint_key: cofferdam_crypto::Key,
    /// Set once, right after construction: the ledger reaches back for engines.
    ledger: OnceLock<Arc<Ledger>>,
    /// Held for reading by every request.
    serving: Arc<RwLock<()>>,
    stop: watch::Sender<bool>,
    /// One change of the keyring at a time.
    pub(crate) keying: tokio::sync::Mutex<()>,
    /// Wakes the keeper of the barrier's key.
    pub(crate) keys_changed: tokio::sync::Notify,
    /// Wakes the reaper of tokens.
    pub(crate) reap: tokio::sync::Notify,
    /// Wakes the keeper of credentials that are kept in rotation.
    pub(crate) keep: tokio::sync::Notify,
    /// Credentials that are made ahead.
    pub(crate) pools: crate::pool::Pools,
}

impl Vault {
    /// Opens what the store holds. The storage must be unsealed.
    pub(crate) async fn open(core: &Core, cluster: Cluster) -> Result<Arc<Self>> {
        let storage = core.storage.clone();
        let keyring = storage.keyring()?;
        let root = keyring.derive("host");
        let vault = Arc::new(Self {
            catalog: core.catalog.clone(),
            clock: core.clock.clone(),
            settings: core.settings.clone(),
            tokens: Tokens::new(storage.clone(), core.clock.clone(), &root),
            mounts: Mounts::load(storage.clone()).await?,
            policies: Policies::new(storage.clone()),
            acls: Acls::default(),
            passwords: Passwords::new(storage.clone()),
            targets: Targets::new(storage.clone()),
            remembered: Remembered::default(),
            // Whoever was here before may have been interrupted.
            unreleased: AtomicBool::new(true),
            moved: crate::mount_life::Moved::default(),
            counted: crate::metrics::Counted::default(),
            rotating: crate::rotate::Rotating::default(),
            listings: crate::inventory::Listings::default(),
            fingerprint_key: root.derive("caller fingerprint"),
            ledger: OnceLock::new(),
            serving: Arc::new(RwLock::new(())),
            stop: watch::Sender::new(false),
            keying: tokio::sync::Mutex::default(),
            keys_changed: tokio::sync::Notify::new(),
            reap: tokio::sync::Notify::new(),
            keep: tokio::sync::Notify::new(),
            pools: crate::pool::Pools::default(),
            storage: storage.clone(),
            fence: core.fence.clone(),
            cluster,
        });
        let ledger = Ledger::new(
            storage,
            core.clock.clone(),
            Arc::new(EngineBackends::new(Arc::downgrade(&vault))),
            &root,
            vault.cluster.id.clone(),
            cofferdam_leases::Settings::default(),
        );
        // A second set is impossible: the vault was made a moment ago, and nobody else has it.
        let _ = vault.ledger.set(ledger);
        Ok(vault)
    }

    /// The lease ledger.
    #[expect(clippy::expect_used, reason = "set in open, before anybody can hold a vault")]
    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        self.ledger.get().expect("set in open")
    }

    /// Starts what works on its own. What acts on backends (expiry of leases and tokens, rotations and removals that a
    /// crash interrupted) waits behind the fence.
    pub(crate) fn start_workers(self: &Arc<Self>) {
        tokio::spawn(crate::keys::work(self.clone(), self.stop.subscribe()));
        tokio::spawn(crate::reaper::forget(self.clone(), self.stop.subscribe()));
        tokio::spawn(crate::fence::work(self.fence.clone(), self.stop.subscribe()));
        let vault = self.clone();
        tokio::spawn(async move {
            if vault.fence.lifted(vault.stop.subscribe()).await {
                tokio::spawn(vault.ledger().clone().work(vault.stop.subscribe()));
                tokio::spawn(crate::reaper::work(vault.clone(), vault.stop.subscribe()));
                tokio::spawn(crate::reaper::sweep(vault.clone(), vault.stop.subscribe()));
                tokio::spawn(crate::kept::work(vault.clone(), vault.stop.subscribe()));
                tokio::spawn(crate::pool::fill::work(vault.clone(), vault.stop.subscribe()));
            }
        });
    }

    /// Held for as long as a request runs.
    pub(crate) async fn serve(&self) -> OwnedRwLockReadGuard<()> {
        self.serving.clone().read_owned().await
    }

    /// Whether it has been sealed: nothing new begins on it.
    pub(crate) fn is_closed(&self) -> bool {
        *self.stop.borrow()
    }

    /// Stops the workers and waits for requests that are under way, up to a limit.
    pub(crate) async fn close(&self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(DRAIN, self.serving.write()).await.is_err() {
            tracing::warn!("requests were still running when the server was sealed; they settle after the next unseal");
        }
    }

    /// Default and maximum TTL of the system, in seconds.
    pub(crate) fn system_ttls(&self) -> (u64, u64) {
        (self.settings.default_lease_ttl, self.settings.max_lease_ttl)
    }

    pub(crate) async fn create_root_token(&self, id: Option<String>) -> Result<SecretText> {
        let record = TokenRecord {
            policies: vec!["root".to_owned()],
            path: "auth/token/root".to_owned(),
            display_name: "root".to_owned(),
            ..TokenRecord::default()
        };
        Ok(self.tokens.create(NewToken { id, record }).await?.0)
    }
}
