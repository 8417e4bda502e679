//! Enabling, migrating and removing mounts: the parts that need engines and leases.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_failpoints::point;
use cofferdam_model::engine::Lane;
use cofferdam_model::{Error, Result, ids};
use cofferdam_storage::port::{Batch, LeaseFilter};

use crate::calls::{MIGRATE_DEADLINE, told};
use crate::mounts::{MountEntry, NewMount};
use crate::vault::Vault;

/// Moves of mounts since the server was unsealed: id → (from, to). A move is finished when it is answered.
#[derive(Default)]
pub(crate) struct Moved(Mutex<BTreeMap<String, (String, String)>>);

impl Moved {
    const KEPT_MAX: usize = 1_000;

    pub(crate) fn record(&self, from: &str, to: &str) -> String {
        let id = ids::uuid();
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if moved.len() >= Self::KEPT_MAX {
            moved.clear();
        }
        moved.insert(id.clone(), (from.to_owned(), to.to_owned()));
        id
    }

    pub(crate) fn of(&self, id: &str) -> Option<(String, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl Vault {
    /// Mounts an engine that exists and accepts the options.
    pub(crate) async fn enable_mount(&self, mut new: NewMount) -> Result<Arc<MountEntry>> {
        if matches!(new.kind.as_str(), "system" | "cubbyhole" | "identity" | "token") {
            return Err(Error::invalid(format!("type: there is one {:?} only", new.kind)));
        }
        let engine = self
            .catalog
            .engine(&new.kind)
            .await?
            .ok_or_else(|| Error::invalid(format!("plugin not found in the catalog: {}", new.kind)))?;
        match new.options.get("version").map(String::as_str) {
            None | Some("") => {}
            Some(_) if new.kind != "kv" => {
                return Err(Error::invalid("options: only kv has a version"));
            }
            Some("1" | "2") => {}
            Some(other) => return Err(Error::invalid(format!("options: unknown version {other:?} of kv"))),
        }
        let options: Vec<(String, String)> = new.options.clone().into_iter().collect();
        new.storage_format = Some(engine.describe(&new.path, &options).await?.storage_format);
        self.mounts.create(new).await
    }

    /// Gives a mount other options that ask for another format of its entries. Requests see the old mount or the new
    /// one, never half of it: entries and record change in one commit.
    pub(crate) async fn upgrade(&self, mount: &MountEntry, options: BTreeMap<String, String>) -> Result<()> {
        let engine = self.engine(mount).await?;
        let mut next = MountEntry { options, ..mount.clone() };
        let description = engine.describe(&next.path, &next.options()).await?;
        let (stored, wanted) = (mount.storage_format.unwrap_or(0), description.storage_format);
        next.storage_format = Some(wanted);
        if stored != wanted && !description.reads_storage.contains(&stored) {
            return Err(Error::invalid(format!(
                "engine {}: cannot bring entries of format {stored} to format {wanted}",
                mount.kind
            )));
        }
        let mut batch = Batch::default();
        if stored != wanted {
            let call = self.call(&next, &ids::uuid(), None, None, MIGRATE_DEADLINE, Lane::Serve);
            let done = engine.migrate(call, stored).await.map_err(told)?;
            batch.extend_changes(&mount.uuid, &done.changes);
        }
        self.mounts.reformat(mount, next, batch).await
    }

    /// A lease is gone, or a configuration: its target goes if nothing needs it any more, and sockets with it. What
    /// cannot go now goes later.
    pub(crate) async fn release_target(&self, mount: &MountEntry, backend: &str, generation: u64) {
        if let Err(e) = self.try_release_target(mount, backend, generation).await {
            tracing::warn!(mount = mount.path, backend, generation, error = %e, "an old target is not yet gone");
            self.unreleased.store(true, Ordering::SeqCst);
        }
    }

    async fn try_release_target(&self, mount: &MountEntry, backend: &str, generation: u64) -> Result<()> {
        if self.targets.release(&mount.uuid, backend, generation).await? {
            self.engine(mount).await?.withdraw(&mount.uuid, backend, generation);
        }
        Ok(())
    }

    /// Releases every target that nothing needs, if there may be such: a lease and what it held go in two commits, and
    /// the second may have failed, or the server may have ended between them.
    pub(crate) async fn release_targets(&self) -> Result<()> {
        if !self.unreleased.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        for mount in self.mounts.all() {
            match self.targets.generations(&mount.uuid).await {
                Ok(generations) => {
                    for (backend, generation) in generations {
                        self.release_target(&mount, &backend, generation).await;
                    }
                }
                Err(e) => {
                    self.unreleased.store(true, Ordering::SeqCst);
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    /// Stops serving a mount, takes its leases back and removes it. Answers how many leases could not be taken back
    /// yet: then the mount goes on draining by itself.
    pub(crate) async fn unmount(&self, uuid: &str) -> Result<i64> {
        let leases = LeaseFilter { mount: Some(uuid.to_owned()), ..LeaseFilter::default() };
        if self.ledger().count(&leases).await? > 0 {
            self.fence.check()?;
        }
        self.mounts.drain(uuid).await?;
        point!("unmount.drained");
        self.finish_unmount(uuid).await
    }

    pub(crate) async fn finish_unmount(&self, uuid: &str) -> Result<i64> {
        let leases = LeaseFilter { mount: Some(uuid.to_owned()), ..LeaseFilter::default() };
        // A lease that fails stays due; what counts is how many are left.
        let revoked = self.ledger().revoke_all(leases.clone(), true, false).await;
        let left = self.ledger().count(&leases).await?;
        if left == 0 {
            point!("unmount.emptied");
            let generations = self.targets.generations(uuid).await?;
            let mount = self.mounts.by_uuid(uuid);
            self.mounts.remove(uuid).await?;
            if let Some(mount) = mount {
                let engine = self.engine(&mount).await?;
                for (backend, generation) in generations {
                    engine.withdraw(uuid, &backend, generation);
                }
            }
        } else if let Err(e) = revoked {
            tracing::warn!(mount = uuid, left, error = %e, "leases of a removed mount are left");
        }
        Ok(left)
    }
}
