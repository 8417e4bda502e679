//! Where backends are, generation by generation, and the root secrets that go with an address.
//!
//! A target is immutable: a configuration that moves elsewhere makes a new generation, and a generation lives, with the
//! hole that it opens, until its last lease is gone. A root secret belongs to an address, not to a name: it does not
//! follow a configuration that moves.

use cofferdam_model::engine::{BackendAccess, ConnectionLimits, Grant, GrantOrigin, NewTarget, Protocol, Target};
use cofferdam_model::view::Version;
use cofferdam_model::{Error, Result, SecretText, Timestamp};
use cofferdam_storage::Storage;
use cofferdam_storage::port::{Batch, Check, LeaseFilter, Op, Outcome};
use serde::{Deserialize, Serialize};

use crate::mounts::MountEntry;
use crate::spaces;

/// The current generation of a backend.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Current {
    pub(crate) target: Target,
    /// Who wrote the configuration (display name and accessor), for reviewers.
    pub(crate) written_by: String,
    /// False once the configuration was deleted: nothing new is made on it.
    pub(crate) live: bool,
    /// How it came about; empty in rows that were written before this was kept.
    #[serde(default)]
    pub(crate) written: Written,
}

/// How a target came about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Written {
    /// When; zero: not known.
    pub(crate) at: Timestamp,
    /// The path of the write.
    pub(crate) path: String,
    /// The field that named the address.
    pub(crate) field: String,
}

/// Who writes a configuration, and how.
pub(crate) struct Writer {
    /// Display name and accessor of the token.
    pub(crate) by: String,
    /// The path of the write.
    pub(crate) path: String,
    /// Now.
    pub(crate) at: Timestamp,
}

/// A target of a mount, for reviewers.
pub(crate) struct Known {
    pub(crate) backend: String,
    pub(crate) target: Target,
    /// None: not the current one; leases still need it.
    pub(crate) current: Option<Current>,
}

/// A change of a backend's address that waits for the call that checks it.
pub(crate) struct Staged {
    current: Current,
    /// Of the record of the current generation, as it was when this was decided; 0: there was none.
    version: Version,
    /// Generation that it replaces.
    pub(crate) replaces: Option<u64>,
    is_new: bool,
}

impl Staged {
    pub(crate) fn target(&self) -> &Target {
        &self.current.target
    }
}

/// Targets and slots of all mounts.
pub(crate) struct Targets {
    storage: Storage,
}

impl Targets {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// The backend's current generation.
    pub(crate) async fn current(&self, mount: &str, backend: &str) -> Result<Option<Current>> {
        Ok(self.read(mount, &current_key(backend)).await?.map(|(current, _)| current))
    }

    async fn generation(&self, mount: &str, backend: &str, generation: u64) -> Result<Option<Target>> {
        Ok(self.read(mount, &generation_key(backend, generation)).await?.map(|(target, _)| target))
    }

    async fn read<T: for<'a> Deserialize<'a>>(&self, mount: &str, key: &str) -> Result<Option<(T, Version)>> {
        let Some(entry) = self.storage.entry(&spaces::of_mount(mount), key).await? else { return Ok(None) };
        serde_json::from_slice(&entry.value)
            .map(|value| Some((value, entry.version)))
            .map_err(|e| Error::internal(format!("{key} of mount {mount} does not read: {e}")))
    }

    /// What a call on the backend's current generation may reach.
    pub(crate) async fn access(&self, mount: &MountEntry, backend: &str) -> Result<BackendAccess> {
        let current = self.current(&mount.uuid, backend).await?;
        self.open(mount, backend, current.filter(|c| c.live).map(|c| c.target)).await
    }

    /// What a call on the generation of a lease may reach.
    pub(crate) async fn access_of(&self, mount: &MountEntry, backend: &str, generation: u64) -> Result<BackendAccess> {
        let target = self.generation(&mount.uuid, backend, generation).await?;
        self.open(mount, backend, target).await
    }

    /// What a call on this target may reach.
    pub(crate) async fn open(
        &self,
        mount: &MountEntry,
        backend: &str,
        target: Option<Target>,
    ) -> Result<BackendAccess> {
        let secret = self.slot(&mount.uuid, backend, target.as_ref()).await?;
        let derived = target.iter().flat_map(Target::grants);
        let explicit = mount.config.egress.iter().filter_map(|e| operator_grant(e));
        let grants = derived.chain(explicit).collect();
        let connections = self.connections(&mount.uuid, backend).await?;
        Ok(BackendAccess { name: backend.to_owned(), target, grants, connections, secret })
    }

    /// How many connections the backend may get. Not a part of the target: it changes without a new generation.
    pub(crate) async fn connections(&self, mount: &str, backend: &str) -> Result<ConnectionLimits> {
        Ok(self.read(mount, &connections_key(backend)).await?.map(|(limits, _)| limits).unwrap_or_default())
    }

    /// What puts them.
    pub(crate) fn put_connections(mount: &str, backend: &str, limits: ConnectionLimits) -> Result<Op> {
        Ok(Op::PutEntry { space: spaces::of_mount(mount), key: connections_key(backend), value: json(&limits)? })
    }

    /// The root secret of the backend at this address.
    pub(crate) async fn slot(&self, mount: &str, name: &str, target: Option<&Target>) -> Result<Option<SecretText>> {
        let entry = self.storage.entry(&spaces::of_mount(mount), &slot_key(name, target)).await?;
        entry
            .map(|e| String::from_utf8(e.value).map(SecretText::new))
            .transpose()
            .map_err(|_| Error::internal(format!("slot {name} of mount {mount} does not read")))
    }

    /// What holds as long as the root secret is the one that it is now.
    pub(crate) async fn same_slot(&self, mount: &str, name: &str, target: Option<&Target>) -> Result<Check> {
        let (space, key) = (spaces::of_mount(mount), slot_key(name, target));
        let version = self.storage.entry(&space, &key).await?.map_or(0, |entry| entry.version);
        Ok(Check::Entry { space, key, version })
    }

    /// What puts a root secret.
    pub(crate) fn put_slot(mount: &str, name: &str, target: Option<&Target>, secret: &SecretText) -> Op {
        let value = secret.expose().as_bytes().to_vec();
        Op::PutEntry { space: spaces::of_mount(mount), key: slot_key(name, target), value }
    }

    /// Prepares a configuration's address: the same generation where nothing moved, else the next one.
    ///
    /// A change sends the stored root secret along another way: to another host or port, or to the same one without the
    /// protection that it had (`sslmode`), or into a database of the writer's choice. It needs the secret fields again in
    /// the same request, or `sudo` on the path: an explicit act.
    pub(crate) async fn stage(
        &self,
        mount: &str,
        backend: &str,
        new: NewTarget,
        sent: impl Fn(&str) -> bool,
        sudo: bool,
        writer: Writer,
    ) -> Result<Staged> {
        let found = self.read::<Current>(mount, &current_key(backend)).await?;
        let version = found.as_ref().map_or(0, |(_, version)| *version);
        let old = found.map(|(current, _)| current);
        if let Some(old) = &old {
            let Target { host, port, location, endpoints, .. } = &old.target;
            let same = (host, *port, location, endpoints) == (&new.host, new.port, &new.location, &new.endpoints);
            // That of a deleted configuration is kept for its leases, and is not for whoever writes the next one.
            let goes_along = if old.live {
                !same
            } else {
                let key = address_key(backend, &new.host, new.port);
                self.storage.entry(&spaces::of_mount(mount), &key).await?.is_some()
            };
            if goes_along && !sudo && !new.secret_fields.iter().all(|f| sent(f)) {
                return Err(Error::invalid(format!(
                    "{}: it changes; send {} again with it (or use a token with sudo on this path), since the stored \
                     one would otherwise go there",
                    new.field,
                    new.secret_fields.join(", "),
                )));
            }
            if same && old.live {
                return Ok(Staged { current: old.clone(), version, replaces: None, is_new: false });
            }
        }
        let written = Written { at: writer.at, path: writer.path, field: new.field };
        let replaces = old.as_ref().map(|o| o.target.generation);
        let target = Target {
            generation: replaces.map_or(1, |g| g + 1),
            host: new.host,
            port: new.port,
            location: new.location,
            endpoints: new.endpoints,
        };
        let current = Current { target, written_by: writer.by, live: true, written };
        Ok(Staged { current, version, replaces, is_new: true })
    }

    /// What commits a staged address together with the configuration that named it, if no other one came in between.
    pub(crate) fn commit(mount: &str, backend: &str, staged: &Staged) -> Result<Batch> {
        let mut batch = Batch::default();
        let space = spaces::of_mount(mount);
        let key = current_key(backend);
        batch.checks.push(Check::Entry { space: space.clone(), key: key.clone(), version: staged.version });
        if !staged.is_new {
            return Ok(batch);
        }
        let target = &staged.current.target;
        batch.ops.push(Op::PutEntry { space: space.clone(), key, value: json(&staged.current)? });
        let key = generation_key(backend, target.generation);
        batch.ops.push(Op::PutEntry { space, key, value: json(target)? });
        let gate = spaces::target_gate(mount, backend, target.generation);
        batch.ops.push(Op::SetGate { gate, open: true });
        if let Some(old) = staged.replaces {
            batch.ops.push(Op::SetGate { gate: spaces::target_gate(mount, backend, old), open: false });
        }
        Ok(batch)
    }

    /// What ends a backend whose configuration is deleted: nothing new is made on it; what exists keeps its hole.
    pub(crate) async fn retire(&self, mount: &str, backend: &str) -> Result<Batch> {
        let found = self.read::<Current>(mount, &current_key(backend)).await?;
        let Some((mut current, version)) = found else { return Ok(Batch::default()) };
        current.live = false;
        let gate = spaces::target_gate(mount, backend, current.target.generation);
        let (space, key) = (spaces::of_mount(mount), current_key(backend));
        Ok(Batch {
            checks: vec![Check::Entry { space: space.clone(), key: key.clone(), version }],
            ops: vec![
                Op::PutEntry { space: space.clone(), key, value: json(&current)? },
                Op::SetGate { gate, open: false },
                Op::DeleteEntry { space, key: connections_key(backend) },
            ],
        })
    }

    /// A target of the backend at this address, if one is in use: the current one, or one that leases still hold.
    pub(crate) async fn at(&self, mount: &str, backend: &str, (host, port): (&str, u16)) -> Result<Option<Target>> {
        let same = |t: &Target| t.host == host && t.port == port;
        if let Some(current) = self.current(mount, backend).await?.filter(|c| c.live && same(&c.target)) {
            return Ok(Some(current.target));
        }
        let prefix = format!("generation/{backend}/");
        let entries = self.storage.entries(&spaces::of_mount(mount), &prefix, None, 10_000).await?;
        Ok(entries.iter().filter_map(|e| serde_json::from_slice::<Target>(&e.value).ok()).rfind(same))
    }

    /// A lease is gone: its generation goes with it if it was the last one on it, and is no longer the current one.
    /// True: it went, and whoever still holds a connection through it must let go.
    pub(crate) async fn release(&self, mount: &str, backend: &str, generation: u64) -> Result<bool> {
        loop {
            match self.try_release(mount, backend, generation).await? {
                Some(gone) => return Ok(gone),
                // A configuration that came in between may have put its own root secret at this address.
                None => continue,
            }
        }
    }

    /// None: the configuration changed meanwhile.
    async fn try_release(&self, mount: &str, backend: &str, generation: u64) -> Result<Option<bool>> {
        let found = self.read::<Current>(mount, &current_key(backend)).await?;
        let version = found.as_ref().map_or(0, |(_, version)| *version);
        let current = found.map(|(current, _)| current);
        if current.as_ref().is_some_and(|c| c.live && c.target.generation == generation) {
            return Ok(Some(false));
        }
        let filter = LeaseFilter {
            mount: Some(mount.to_owned()),
            backend: Some(backend.to_owned()),
            generation: Some(i64::try_from(generation).unwrap_or(i64::MAX)),
            ..LeaseFilter::default()
        };
        if self.storage.count_leases(&filter).await? > 0 {
            return Ok(Some(false));
        }
        let Some(gone) = self.generation(mount, backend, generation).await? else { return Ok(Some(false)) };
        let space = spaces::of_mount(mount);
        let mut ops = vec![
            Op::DeleteEntry { space: space.clone(), key: generation_key(backend, generation) },
            Op::DeleteGate(spaces::target_gate(mount, backend, generation)),
        ];
        if !self.address_in_use(mount, backend, &gone, current.as_ref()).await? {
            ops.push(Op::DeleteEntry { space: space.clone(), key: slot_key(backend, Some(&gone)) });
        }
        let checks = vec![Check::Entry { space, key: current_key(backend), version }];
        let released = self.storage.apply(Batch { checks, ops }).await? == Outcome::Applied;
        Ok(released.then_some(true))
    }

    /// Every generation that a mount still has, by backend.
    pub(crate) async fn generations(&self, mount: &str) -> Result<Vec<(String, u64)>> {
        let entries = self.storage.entries(&spaces::of_mount(mount), "generation/", None, 100_000).await?;
        let named = entries.iter().filter_map(|e| {
            let (backend, generation) = e.key.strip_prefix("generation/")?.rsplit_once('/')?;
            Some((backend.to_owned(), generation.parse().ok()?))
        });
        Ok(named.collect())
    }

    /// Every target of a mount, sorted by backend and generation.
    pub(crate) async fn all(&self, mount: &str) -> Result<Vec<Known>> {
        let mut known = Vec::new();
        for (backend, generation) in self.generations(mount).await? {
            let Some(target) = self.generation(mount, &backend, generation).await? else { continue };
            let current = self.current(mount, &backend).await?;
            let current = current.filter(|c| c.live && c.target.generation == generation);
            known.push(Known { backend, target, current });
        }
        known.sort_by(|a, b| (&a.backend, a.target.generation).cmp(&(&b.backend, b.target.generation)));
        Ok(known)
    }

    /// Whether another generation of the backend still needs the root secret of this address.
    async fn address_in_use(
        &self,
        mount: &str,
        backend: &str,
        gone: &Target,
        current: Option<&Current>,
    ) -> Result<bool> {
        let same = |t: &Target| t.host == gone.host && t.port == gone.port;
        if current.is_some_and(|c| c.live && same(&c.target)) {
            return Ok(true);
        }
        let prefix = format!("generation/{backend}/");
        let entries = self.storage.entries(&spaces::of_mount(mount), &prefix, None, 10_000).await?;
        Ok(entries
            .iter()
            .filter_map(|e| serde_json::from_slice::<Target>(&e.value).ok())
            .any(|t| t.generation != gone.generation && same(&t)))
    }
}

/// Names the backend itself, for the uniqueness of objects: its address, or the mount's own where it has none.
pub(crate) fn identity(mount: &str, access: &BackendAccess) -> String {
    access.target.as_ref().map_or_else(|| format!("{mount}/{}", access.name), |t| format!("{}:{}", t.host, t.port))
}

/// `host:port` as an operator writes it.
pub(crate) fn operator_grant(text: &str) -> Option<Grant> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let port = port.parse().ok().filter(|p| *p != 0)?;
    let plain =
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_'));
    plain.then_some(Grant { host, port, protocol: Protocol::Tcp, origin: GrantOrigin::Operator })
}

fn current_key(backend: &str) -> String {
    format!("current/{backend}")
}

fn generation_key(backend: &str, generation: u64) -> String {
    format!("generation/{backend}/{generation}")
}

fn connections_key(backend: &str) -> String {
    format!("connections/{backend}")
}

fn slot_key(name: &str, target: Option<&Target>) -> String {
    match target {
        Some(t) => address_key(name, &t.host, t.port),
        None => format!("slot/{name}/-"),
    }
}

fn address_key(name: &str, host: &str, port: u16) -> String {
    format!("slot/{name}/{host}:{port}")
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::internal(format!("a target's record: {e}")))
}
