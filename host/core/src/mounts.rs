//! The mount table: which engine answers which path.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use cofferdam_model::mount::MountView;
use cofferdam_model::{Error, Result, Timestamp, ids};
use cofferdam_storage::Storage;
use cofferdam_storage::port::{Batch, Check, Op, Outcome};
use serde::{Deserialize, Serialize};

use crate::spaces;

/// The mounts that are always there: path, kind, description.
const BUILTIN: [(&str, &str, &str); 4] = [
    ("sys/", "system", "system endpoints used for control, policy and debugging"),
    ("cubbyhole/", "cubbyhole", "per-token private secret storage"),
    ("identity/", "identity", "identity store"),
    ("auth/token/", "token", "token based credentials"),
];

/// What a mount is, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MountEntry {
    /// Never reused.
    pub(crate) uuid: String,
    /// With a trailing slash; auth mounts begin with `auth/`.
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) accessor: String,
    pub(crate) description: String,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) config: MountConfig,
    pub(crate) local: bool,
    pub(crate) seal_wrap: bool,
    pub(crate) external_entropy_access: bool,
    /// Being removed: serves nobody, but keeps what its leases need.
    pub(crate) draining: bool,
    /// The format of its entries; none: no engine.
    pub(crate) storage_format: Option<u32>,
}

/// What can be tuned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MountConfig {
    /// Seconds; 0: the system's.
    pub(crate) default_lease_ttl: u64,
    /// Seconds; 0: the system's.
    pub(crate) max_lease_ttl: u64,
    pub(crate) force_no_cache: bool,
    pub(crate) listing_visibility: String,
    pub(crate) token_type: String,
    pub(crate) audit_non_hmac_request_keys: Option<Vec<String>>,
    pub(crate) audit_non_hmac_response_keys: Option<Vec<String>>,
    pub(crate) passthrough_request_headers: Option<Vec<String>>,
    pub(crate) allowed_response_headers: Option<Vec<String>>,
    /// `host:port`, reachable besides what policy and configuration open.
    pub(crate) egress: Vec<String>,
    /// Who wrote that (display name and accessor), and when; for reviewers.
    pub(crate) egress_by: Option<(String, Timestamp)>,
}

impl MountEntry {
    /// Whether it is one of the host's own.
    pub(crate) fn is_builtin(&self) -> bool {
        BUILTIN.iter().any(|(_, kind, _)| self.kind == *kind)
    }

    /// The gate that everything made on this mount passes.
    pub(crate) fn gate(&self) -> String {
        spaces::mount_gate(&self.uuid, self.storage_format.unwrap_or(0))
    }

    pub(crate) fn is_auth(&self) -> bool {
        self.path.starts_with("auth/")
    }

    pub(crate) fn options(&self) -> Vec<(String, String)> {
        self.options.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// As an engine sees it; `system` are the server's TTLs.
    pub(crate) fn view(&self, system: (u64, u64)) -> MountView {
        let (default_ttl, max_ttl) = self.ttls(system);
        MountView {
            uuid: self.uuid.clone(),
            path: self.path.clone(),
            accessor: self.accessor.clone(),
            kind: self.kind.clone(),
            default_ttl,
            max_ttl,
            options: self.options(),
        }
    }

    /// Effective default and maximum, in seconds. A mount's maximum may exceed the system's.
    pub(crate) fn ttls(&self, (default_ttl, max_ttl): (u64, u64)) -> (u64, u64) {
        let pick = |own: u64, system: u64| if own > 0 { own } else { system };
        let max = pick(self.config.max_lease_ttl, max_ttl);
        (pick(self.config.default_lease_ttl, default_ttl).min(max), max)
    }
}

/// A mount to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewMount {
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) description: String,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) config: MountConfig,
    pub(crate) local: bool,
    pub(crate) seal_wrap: bool,
    pub(crate) external_entropy_access: bool,
    pub(crate) storage_format: Option<u32>,
}

/// All mounts, by path, and those being removed.
#[derive(Default)]
struct Table {
    serving: BTreeMap<String, Arc<MountEntry>>,
    by_uuid: BTreeMap<String, Arc<MountEntry>>,
}

/// The mount table.
pub(crate) struct Mounts {
    storage: Storage,
    table: RwLock<Arc<Table>>,
    /// Those that are there and not served, by uuid, and why: their records do not open or do not read, or the path was
    /// given to another one meanwhile.
    unserved: BTreeMap<String, String>,
    /// One change at a time; a reader never waits for it.
    changing: tokio::sync::Mutex<()>,
}

impl Mounts {
    /// Loads the table. A record that is damaged costs its own mount only.
    ///
    /// # Errors
    /// Store trouble; a damaged record of one of the server's own mounts.
    pub(crate) async fn load(storage: Storage) -> Result<Self> {
        let (mut table, mut unserved) = (Table::default(), BTreeMap::new());
        let mut after: Option<String> = None;
        loop {
            let page = storage.each_entry(spaces::MOUNTS, "", after.as_deref(), 1_000).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (uuid, row) in page {
                let why = match row.and_then(|row| read(&row.value)) {
                    Ok(mount) if !mount.draining && table.serving.contains_key(&mount.path) => {
                        format!("another one is at {}; move that one, and seal and unseal", mount.path)
                    }
                    Ok(mount) => {
                        table.put(mount);
                        continue;
                    }
                    Err(error) => format!("its record is damaged: {error}"),
                };
                tracing::error!("the mount {uuid} is not served: {why}");
                unserved.insert(uuid, why);
            }
        }
        let has = |kind: &str| table.by_uuid.values().any(|mount| mount.kind == kind);
        let missing = BUILTIN.iter().find(|(_, kind, _)| !has(kind));
        // A store that is being initialized has none of them yet.
        if let Some((path, ..)) = missing.filter(|_| !unserved.is_empty()) {
            return Err(Error::internal(format!("the record of {path} is damaged: restore the store from a backup")));
        }
        Ok(Self { storage, table: RwLock::new(Arc::new(table)), unserved, changing: tokio::sync::Mutex::new(()) })
    }

    fn table(&self) -> Arc<Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The mount with the longest path that the request's path begins with, and the rest.
    pub(crate) fn route<'a>(&self, path: &'a str) -> Option<(Arc<MountEntry>, &'a str)> {
        let table = self.table();
        let found = path
            .char_indices()
            .filter(|(_, c)| *c == '/')
            .map(|(i, _)| &path[..=i])
            .rev()
            .find_map(|prefix| table.serving.get(prefix));
        // `GET sys` or `LIST secret` without the slash still belongs to the mount.
        let found = found.or_else(|| table.serving.get(&format!("{path}/")));
        found.map(|m| (m.clone(), path.get(m.path.len()..).unwrap_or_default()))
    }

    /// The mount at exactly this path (with a trailing slash).
    pub(crate) fn at(&self, path: &str) -> Option<Arc<MountEntry>> {
        self.table().serving.get(path).cloned()
    }

    /// The mount of this uuid, serving or draining.
    pub(crate) fn by_uuid(&self, uuid: &str) -> Option<Arc<MountEntry>> {
        self.table().by_uuid.get(uuid).cloned()
    }

    /// The mount of this uuid, serving or draining. None: there is none any more, and what is kept for it may go.
    ///
    /// # Errors
    /// Unavailable where there is one that is not served: what is kept for it stays.
    pub(crate) fn find(&self, uuid: &str) -> Result<Option<Arc<MountEntry>>> {
        match self.unserved.get(uuid) {
            Some(why) => Err(Error::unavailable(format!("the mount {uuid} is not served: {why}"))),
            None => Ok(self.by_uuid(uuid)),
        }
    }

    /// Mounts that are there and not served, by uuid, and why.
    pub(crate) const fn unserved(&self) -> &BTreeMap<String, String> {
        &self.unserved
    }

    /// All serving mounts, sorted by path.
    pub(crate) fn all(&self) -> Vec<Arc<MountEntry>> {
        self.table().serving.values().cloned().collect()
    }

    /// All mounts that are being removed.
    pub(crate) fn draining(&self) -> Vec<Arc<MountEntry>> {
        self.table().by_uuid.values().filter(|m| m.draining).cloned().collect()
    }

    /// Why nothing can be mounted at this path, if so.
    fn conflict(&self, path: &str) -> Option<Error> {
        let table = self.table();
        let taken = table.serving.keys().find(|m| m.starts_with(path) || path.starts_with(m.as_str()));
        taken.map(|m| Error::invalid(format!("path is already in use at {m}")))
    }

    /// Mounts, durably.
    pub(crate) async fn create(&self, new: NewMount) -> Result<Arc<MountEntry>> {
        let _changing = self.changing.lock().await;
        if let Some(conflict) = self.conflict(&new.path) {
            return Err(conflict);
        }
        let accessor =
            format!("{}{}_{}", if new.path.starts_with("auth/") { "auth_" } else { "" }, new.kind, ids::hex_digits(8));
        let mount = MountEntry {
            uuid: ids::uuid(),
            path: new.path,
            accessor,
            kind: new.kind,
            description: new.description,
            options: new.options,
            config: new.config,
            local: new.local,
            seal_wrap: new.seal_wrap,
            external_entropy_access: new.external_entropy_access,
            draining: false,
            storage_format: new.storage_format,
        };
        let gate = Op::SetGate { gate: mount.gate(), open: true };
        self.write(mount, Batch { checks: Vec::new(), ops: vec![gate] }).await
    }

    /// Replaces a mount's record, durably.
    pub(crate) async fn update(
        &self,
        uuid: &str,
        change: impl FnOnce(&mut MountEntry) -> Result<()>,
    ) -> Result<Arc<MountEntry>> {
        let _changing = self.changing.lock().await;
        let Some(old) = self.by_uuid(uuid) else { return Err(Error::invalid("no such mount")) };
        let mut next = MountEntry::clone(&old);
        change(&mut next)?;
        if next.path != old.path
            && let Some(conflict) = self.conflict(&next.path)
        {
            return Err(conflict);
        }
        self.write(next, Batch::default()).await
    }

    /// Stops serving, durably; from then on nothing can be made on it.
    pub(crate) async fn drain(&self, uuid: &str) -> Result<()> {
        let _changing = self.changing.lock().await;
        let Some(old) = self.by_uuid(uuid) else { return Ok(()) };
        let next = MountEntry { draining: true, ..MountEntry::clone(&old) };
        let shut = Op::SetGate { gate: old.gate(), open: false };
        self.write(next, Batch { checks: Vec::new(), ops: vec![shut] }).await.map(|_| ())
    }

    /// Removes a drained mount with everything that was kept for it.
    pub(crate) async fn remove(&self, uuid: &str) -> Result<()> {
        let _changing = self.changing.lock().await;
        let Some(old) = self.by_uuid(uuid) else { return Ok(()) };
        let mut ops = vec![
            Op::DeleteSpace(uuid.to_owned()),
            Op::DeleteSpace(spaces::of_mount(uuid)),
            Op::DeleteGate(old.gate()),
            Op::DeleteEntry { space: spaces::MOUNTS.to_owned(), key: uuid.to_owned() },
        ];
        ops.extend(self.target_gates(uuid).await?.into_iter().map(Op::DeleteGate));
        self.storage.apply(Batch { checks: Vec::new(), ops }).await?;
        self.replace(|table| table.forget(uuid));
        Ok(())
    }

    /// The gates of the mount's targets: rows outside of its spaces.
    async fn target_gates(&self, uuid: &str) -> Result<Vec<String>> {
        const PAGE: usize = 1_000;
        let (space, mut after) = (spaces::of_mount(uuid), None::<String>);
        let mut gates = Vec::new();
        loop {
            let page = self.storage.entries(&space, "generation/", after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(gates) };
            after = Some(last.key.clone());
            gates.extend(page.iter().filter_map(|e| {
                let (backend, generation) = e.key.strip_prefix("generation/")?.rsplit_once('/')?;
                Some(spaces::target_gate(uuid, backend, generation.parse().ok()?))
            }));
        }
    }

    /// Brings a mount to new options and another format of its entries, in one commit with the entries (`batch`).
    /// Calls that still run under the old format are refused when they commit.
    pub(crate) async fn reformat(&self, old: &MountEntry, next: MountEntry, mut batch: Batch) -> Result<()> {
        let _changing = self.changing.lock().await;
        let Some(current) = self.by_uuid(&old.uuid) else { return Err(Error::invalid("no such mount")) };
        // What was tuned or moved meanwhile stays so.
        let next =
            MountEntry { options: next.options, storage_format: next.storage_format, ..MountEntry::clone(&current) };
        batch.checks.push(Check::GateOpen(old.gate()));
        batch.ops.push(Op::DeleteGate(old.gate()));
        batch.ops.push(Op::SetGate { gate: next.gate(), open: true });
        self.write(next, batch).await.map(|_| ())
    }

    async fn write(&self, mount: MountEntry, mut batch: Batch) -> Result<Arc<MountEntry>> {
        let value = serde_json::to_vec(&mount).map_err(|e| Error::internal(format!("mount record: {e}")))?;
        batch.ops.push(Op::PutEntry { space: spaces::MOUNTS.to_owned(), key: mount.uuid.clone(), value });
        if let Outcome::Conflict(why) = self.storage.apply(batch).await? {
            return Err(Error::unavailable(format!("{}: changed at the same moment ({why:?}); try again", mount.path)));
        }
        let mount = Arc::new(mount);
        let kept = mount.clone();
        self.replace(|table| {
            table.forget(&kept.uuid);
            table.insert(kept);
        });
        Ok(mount)
    }

    fn replace(&self, change: impl FnOnce(&mut Table)) {
        let mut slot = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Table { serving: slot.serving.clone(), by_uuid: slot.by_uuid.clone() };
        change(&mut next);
        *slot = Arc::new(next);
    }

    /// The mounts that are always there.
    pub(crate) async fn create_builtin(&self) -> Result<()> {
        for (path, kind, description) in BUILTIN {
            let (path, kind, description) = (path.to_owned(), kind.to_owned(), description.to_owned());
            self.create(NewMount { path, kind, description, ..NewMount::default() }).await?;
        }
        Ok(())
    }
}

fn read(record: &[u8]) -> Result<MountEntry> {
    serde_json::from_slice(record).map_err(|e| Error::internal(format!("it does not read: {e}")))
}

impl Table {
    fn put(&mut self, mount: MountEntry) {
        self.insert(Arc::new(mount));
    }

    fn insert(&mut self, mount: Arc<MountEntry>) {
        if !mount.draining {
            self.serving.insert(mount.path.clone(), mount.clone());
        }
        self.by_uuid.insert(mount.uuid.clone(), mount);
    }

    fn forget(&mut self, uuid: &str) {
        let Some(old) = self.by_uuid.remove(uuid) else { return };
        // While it drained, another mount may have come to its path.
        if self.serving.get(&old.path).is_some_and(|there| there.uuid == uuid) {
            self.serving.remove(&old.path);
        }
    }
}
