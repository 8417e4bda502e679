//! Init, unseal and seal.

use std::sync::Arc;

use cofferdam_crypto::{Key, Keyring, shamir};
use cofferdam_failpoints::point;
use cofferdam_model::{Error, ErrorKind, Result, SecretText, ids};
use cofferdam_storage::port::{Batch, Op};
use serde::{Deserialize, Serialize};

use crate::core::{Core, DevInit};
use crate::keys::{self, META_KEYRING};
use crate::mounts::NewMount;
use crate::spaces;
use crate::vault::Vault;

const META_SEAL: &str = "seal";
const META_CLUSTER: &str = "cluster";

/// How the root key is split. Not secret.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SealConfig {
    pub(crate) shares: u8,
    pub(crate) threshold: u8,
}

/// Who we are. Not secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The shares that were given so far.
#[derive(Default)]
pub(crate) struct UnsealProgress {
    shares: Vec<shamir::ShareBytes>,
    nonce: String,
}

/// `sys/seal-status`, without the parts that never change.
pub(crate) struct SealState {
    pub(crate) config: Option<SealConfig>,
    pub(crate) sealed: bool,
    pub(crate) progress: usize,
    pub(crate) nonce: String,
    pub(crate) cluster: Option<Cluster>,
}

/// What `sys/init` answers.
pub(crate) struct Initialized {
    pub(crate) shares: Vec<shamir::ShareBytes>,
    pub(crate) root_token: SecretText,
}

impl Core {
    pub(crate) async fn is_initialized(&self) -> Result<bool> {
        Ok(self.seal_config().await?.is_some())
    }

    async fn seal_config(&self) -> Result<Option<SealConfig>> {
        self.read_meta(META_SEAL).await
    }

    async fn read_meta<T: for<'a> Deserialize<'a>>(&self, key: &str) -> Result<Option<T>> {
        let Some(bytes) = self.store.meta(key).await? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| Error::internal(format!("the store's {key} record does not read: {e}")))
    }

    pub(crate) async fn seal_state(&self) -> Result<SealState> {
        // While the state changes there is no progress to tell, and whoever asks must not wait for its end.
        let (progress, nonce) = match self.unsealing.try_lock() {
            Ok(given) => (given.shares.len(), given.nonce.clone()),
            Err(_) => (0, String::new()),
        };
        let sealed = self.unsealed().await.is_none();
        let cluster = if sealed { None } else { self.read_meta(META_CLUSTER).await? };
        Ok(SealState { config: self.seal_config().await?, sealed, progress, nonce, cluster })
    }

    /// Makes root key, keyring, built-in mounts and a root token; the server is sealed afterwards.
    pub(crate) async fn initialize(
        self: &Arc<Self>,
        config: SealConfig,
        root_token: Option<String>,
    ) -> Result<Initialized> {
        let mut progress = self.unsealing.lock().await;
        if self.is_initialized().await? {
            return Err(Error::invalid("Vault is already initialized"));
        }
        shamir::check(config.shares, config.threshold).map_err(|e| Error::invalid(e.to_string()))?;
        let root_key = Key::random();
        let keyring = Keyring::new(self.clock.now());
        let blob = keyring.wrap(&root_key).map_err(crypto)?;
        let name = match self.settings.cluster_name.as_str() {
            "" => format!("vault-cluster-{}", ids::hex_digits(8)),
            name => name.to_owned(),
        };
        let cluster = Cluster { id: ids::uuid(), name };
        let shares = shamir::split(&root_key, config.shares, config.threshold).map_err(crypto)?;

        // The seal's record goes last: without it the store counts as empty, and a crash before it starts anew.
        self.clear().await?;
        self.store.set_meta(vec![(META_KEYRING.to_owned(), blob), (META_CLUSTER.to_owned(), json(&cluster)?)]).await?;
        self.storage.unseal(Arc::new(keyring));
        let made = self.furnish(cluster, root_token, &root_key).await;
        self.storage.seal();
        let root_token = made?;
        self.fence.advance().await?;
        self.store.set_meta(vec![(META_SEAL.to_owned(), json(&config)?)]).await?;
        *progress = UnsealProgress::default();
        Ok(Initialized { shares, root_token })
    }

    /// Removes what is left of an initialisation that broke off: nobody has a key to it.
    async fn clear(&self) -> Result<()> {
        const PAGE: usize = 1_000;
        let spaces = [spaces::MOUNTS, spaces::POLICIES].map(|space| Op::DeleteSpace(space.to_owned()));
        let mut ops = spaces.to_vec();
        ops.extend(self.store.tokens(None, PAGE).await?.into_iter().map(|t| Op::DeleteToken { digest: t.digest }));
        self.store.apply(Batch { checks: Vec::new(), ops }).await.map(|_| ())
    }

    /// The mounts and policies that are always there, and a root token.
    async fn furnish(&self, cluster: Cluster, root_token: Option<String>, root_key: &Key) -> Result<SecretText> {
        keys::keep_root(&self.storage, root_key).await?;
        let vault = Vault::open(self, cluster).await?;
        vault.mounts.create_builtin().await?;
        vault.policies.create_builtin().await?;
        let root_token = vault.create_root_token(root_token).await?;
        vault.close().await;
        self.storage.settle_count().await?;
        Ok(root_token)
    }

    /// Takes one share; unseals where the threshold is reached.
    pub(crate) async fn unseal_with(self: &Arc<Self>, share: &str) -> Result<()> {
        let mut progress = self.unsealing.lock().await;
        let Some(config) = self.seal_config().await? else {
            return Err(Error::invalid("Vault is not initialized"));
        };
        if self.unsealed().await.is_some() {
            return Ok(());
        }
        let share = shamir::parse_share(share)
            .map_err(|e| Error::invalid(format!("'key' must be a valid hex or base64 string: {e}")))?;
        if progress.shares.is_empty() {
            progress.nonce = ids::uuid();
        }
        if !progress.shares.contains(&share) {
            progress.shares.push(share);
        }
        if progress.shares.len() < usize::from(config.threshold) {
            return Ok(());
        }
        let shares = std::mem::take(&mut *progress).shares;
        let invalid = || Error::invalid("unseal failed, invalid key");
        let root_key = shamir::combine(&shares, config.threshold).map_err(|_| invalid())?;
        let blob = self.store.meta(META_KEYRING).await?.ok_or_else(|| Error::internal("the store has no keyring"))?;
        let keyring = Keyring::unwrap(&root_key, &blob).map_err(|_| invalid())?;
        self.open_vault(keyring, &root_key).await
    }

    async fn open_vault(self: &Arc<Self>, keyring: Keyring, root_key: &Key) -> Result<()> {
        let cluster =
            self.read_meta(META_CLUSTER).await?.ok_or_else(|| Error::internal("the store has no cluster id"))?;
        let counted = self.storage.recall_count(&keyring).await?;
        self.fence.judge().await?;
        (self.on_unseal)(keyring.derive("compiled code").expose());
        self.storage.unseal(Arc::new(keyring));
        match self.open_barrier(cluster, root_key, counted).await {
            Ok(vault) => {
                // Before anything is made that a store from a backup would not know of.
                self.fence.move_on().await;
                vault.start_workers();
                self.set_vault(Some(vault)).await;
                Ok(())
            }
            Err(e) => {
                self.storage.seal();
                Err(e)
            }
        }
    }

    async fn open_barrier(&self, cluster: Cluster, root_key: &Key, counted: bool) -> Result<Arc<Vault>> {
        keys::keep_root(&self.storage, root_key).await?;
        if !counted {
            tracing::warn!("how often the barrier's key has encrypted is not known: it is rotated");
            keys::rotate(&self.storage, self.clock.now()).await?;
        }
        Vault::open(self, cluster).await
    }

    /// Forgets the shares that were given so far.
    pub(crate) async fn reset_unseal(&self) -> Result<()> {
        let mut progress = self.unsealing.lock().await;
        if self.unsealed().await.is_some() {
            return Err(Error::invalid("Vault is unsealed"));
        }
        *progress = UnsealProgress::default();
        Ok(())
    }

    /// Refuses new requests, waits for those under way, wipes the keys. What could not finish settles after the next
    /// unseal.
    pub(crate) async fn seal(&self) {
        let _changing = self.unsealing.lock().await;
        if let Some(vault) = self.set_vault(None).await {
            point!("seal.refusing");
            vault.close().await;
            point!("seal.drained");
        }
        (self.on_seal)();
        if !self.storage.is_sealed() {
            if let Err(e) = self.storage.settle_count().await {
                tracing::warn!(error = %e, "the count of encryptions stays higher than it is");
            }
            // A store that is put back from now on is older than the mark.
            self.fence.move_on().await;
        }
        self.storage.seal();
    }

    /// Initialises an empty store (one share), unseals, mounts KV version 2 at `secret/`.
    ///
    /// # Errors
    /// A store that was initialised before: a development server keeps no unseal key.
    pub async fn dev_init(self: &Arc<Self>, root_token: Option<String>) -> Result<DevInit> {
        let made = self.initialize(SealConfig { shares: 1, threshold: 1 }, root_token).await?;
        let unseal_key = made.shares.first().map(|s| shamir::to_base64(s)).unwrap_or_default();
        self.unseal_with(&unseal_key).await?;
        let vault = self.unsealed().await.ok_or_else(|| Error::new(ErrorKind::Sealed, "Vault is sealed"))?;
        vault
            .enable_mount(NewMount {
                path: "secret/".to_owned(),
                kind: "kv".to_owned(),
                description: "key/value secret storage".to_owned(),
                options: [("version".to_owned(), "2".to_owned())].into(),
                ..NewMount::default()
            })
            .await?;
        Ok(DevInit { root_token: made.root_token, unseal_key })
    }

    /// Seals, for the end of the process.
    pub async fn shutdown(&self) {
        self.seal().await;
    }
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::internal(format!("a record of the store: {e}")))
}

fn crypto(error: cofferdam_crypto::CryptoError) -> Error {
    Error::internal(format!("keys: {error}"))
}
