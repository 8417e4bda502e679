//! What is in the backends of a mount, held against its leases.
//!
//! Only what bears this cluster's and this mount's stamp counts: a clone of this server, another mount or somebody
//! else's users are none of our business. Nothing here ends anything; what an operator wants ended gets a lease that
//! has ended, and the ledger does the rest.

mod listings;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cofferdam_leases::{Lease, Orphan};
use cofferdam_model::engine::{BackendAccess, Engine, Lane, Target};
use cofferdam_model::inventory::Found;
use cofferdam_model::{Error, Result, Timestamp, ids};
use cofferdam_storage::port::{LeaseFilter, LeaseState, Op};
use serde::{Deserialize, Serialize};

use crate::calls::told;
use crate::dispatch::broken;
use crate::mounts::MountEntry;
use crate::spaces;
use crate::targets::identity;
use crate::vault::Vault;

pub(crate) use listings::Listings;

/// What one page of an engine may take.
const PAGE: Duration = Duration::from_secs(60);
/// More objects than this are not held against leases in one go.
const OBJECTS_MAX: usize = 50_000;
/// An engine that shows more pages of one backend does not come to an end.
const PAGES_MAX: usize = 1_000;
/// Leases read in one go.
const LEASES: usize = 1_000;

/// What an object is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A client has a lease of it.
    Leased,
    /// It was made ahead, and waits for a client.
    Stock,
    /// Being made, or on its way out.
    Pending,
    /// In the backend, without a lease.
    Orphan,
    /// A lease whose object is not in the backend.
    Ghost,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Leased => "leased",
            Self::Stock => "stock",
            Self::Pending => "pending",
            Self::Orphan => "orphan",
            Self::Ghost => "ghost",
        }
    }
}

/// An object or a lease of the mount.
pub(crate) struct Item {
    pub(crate) backend: String,
    pub(crate) object: String,
    pub(crate) kind: String,
    pub(crate) stamp: String,
    pub(crate) state: State,
    pub(crate) lease: Option<String>,
    /// Unix seconds.
    pub(crate) created_at: Option<u64>,
    pub(crate) ignored: Option<Ignored>,
    found: Option<(Found, BackendAccess)>,
}

/// What an operator said of an orphan.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Ignored {
    pub(crate) stamp: String,
    pub(crate) by: String,
    pub(crate) at: Timestamp,
}

/// What was found, and what could not be looked at.
pub(crate) struct Inventory {
    /// Sorted by backend, then by stamp.
    pub(crate) items: Vec<Item>,
    pub(crate) warnings: Vec<String>,
}

impl Inventory {
    /// For reading only: without what opens the backends.
    pub(crate) fn for_reading(mut self) -> Self {
        self.items.iter_mut().for_each(|item| item.found = None);
        self
    }
}

/// A backend at one address.
struct Place {
    backend: String,
    target: Target,
}

/// Looks at all backends of a mount, or for one object only.
pub(crate) async fn look(vault: &Arc<Vault>, mount: &MountEntry, object: Option<&str>) -> Result<Inventory> {
    let engine = vault.engine(mount).await?;
    if !engine.has_inventory() {
        return Err(Error::invalid(format!(
            "an engine of type {:?} does not tell what is in its backends",
            mount.kind
        )));
    }
    let mut leases = leases_of(vault, mount).await?;
    let (places, addresses) = places(vault, mount).await?;
    let mut found = Vec::new();
    let (mut seen, mut warnings) = (HashSet::new(), Vec::new());
    for place in places {
        match browse(vault, mount, &*engine, &place, object).await {
            Ok((access, all)) => {
                seen.insert(identity(&mount.uuid, &access));
                found.extend(all.into_iter().map(|found| (found, access.clone())));
            }
            Err(e) => warnings.push(format!("{}: not looked at: {}", place.backend, e.messages.join("; "))),
        }
        if found.len() > OBJECTS_MAX {
            return Err(Error::invalid(format!("there are more than {OBJECTS_MAX} objects")));
        }
    }
    // An object is never there before its lease's row: what has none now has one that was made since, or none at all.
    let before: HashSet<String> = leases.keys().cloned().collect();
    if found.iter().any(|(found, _)| !leases.contains_key(&found.stamp)) {
        leases.extend(leases_of(vault, mount).await?);
    }
    let ignored = ignored(vault, mount).await?;
    let stamps: HashSet<String> = found.iter().map(|(found, _)| found.stamp.clone()).collect();
    let mut items: BTreeMap<(String, String), Item> = BTreeMap::new();
    for (found, access) in found {
        let lease = leases.get(&found.stamp);
        let state = lease.map_or(State::Orphan, state_of);
        let item = Item {
            backend: access.name.clone(),
            object: found.object.clone(),
            kind: found.kind.clone(),
            stamp: found.stamp.clone(),
            state,
            lease: lease.map(|lease| lease.id.clone()),
            created_at: found.created_at,
            ignored: ignored.get(&found.stamp).cloned(),
            found: Some((found, access)),
        };
        items.insert((item.backend.clone(), item.stamp.clone()), item);
    }
    for lease in leases.values().filter(|lease| before.contains(&lease.record.stamp)) {
        let looked = addresses.get(&(lease.backend.clone(), lease.generation)).is_some_and(|at| seen.contains(at));
        let wanted = object.is_none_or(|object| object == lease.record.object);
        if !looked || !wanted || stamps.contains(&lease.record.stamp) || !is_owed(lease) {
            continue;
        }
        // It may have been taken back while we looked.
        if vault.ledger().get(&lease.id).await?.is_some_and(|now| is_owed(&now)) {
            items.insert((lease.backend.clone(), lease.record.stamp.clone()), ghost(lease));
        }
    }
    Ok(Inventory { items: items.into_values().collect(), warnings })
}

/// Whether there must be an object.
fn is_owed(lease: &Lease) -> bool {
    lease.state == LeaseState::Active && lease.record.confirmed && !lease.record.ends_itself
}

fn state_of(lease: &Lease) -> State {
    match lease.state {
        LeaseState::Active if lease.record.shelved.is_some() => State::Stock,
        LeaseState::Active => State::Leased,
        _ => State::Pending,
    }
}

fn ghost(lease: &Lease) -> Item {
    Item {
        backend: lease.backend.clone(),
        object: lease.record.object.clone(),
        kind: lease.record.kind.clone(),
        stamp: lease.record.stamp.clone(),
        state: State::Ghost,
        lease: Some(lease.id.clone()),
        created_at: u64::try_from(lease.record.issued_at.seconds()).ok(),
        ignored: None,
        found: None,
    }
}

/// The mount's leases, by stamp.
async fn leases_of(vault: &Vault, mount: &MountEntry) -> Result<HashMap<String, Lease>> {
    let mut filter = LeaseFilter { mount: Some(mount.uuid.clone()), ..LeaseFilter::default() };
    let mut all = HashMap::new();
    loop {
        let page = vault.ledger().find(&filter, LEASES).await?;
        let Some(last) = page.last() else { return Ok(all) };
        filter.after = Some(last.id.clone());
        all.extend(page.into_iter().map(|lease| (lease.record.stamp.clone(), lease)));
    }
}

/// Each backend once for each address, by its latest generation; and the address of every generation.
async fn places(vault: &Vault, mount: &MountEntry) -> Result<(Vec<Place>, HashMap<(String, u64), String>)> {
    let mut places: BTreeMap<(String, String, u16), Place> = BTreeMap::new();
    let mut addresses = HashMap::new();
    for known in vault.targets.all(&mount.uuid).await? {
        let (backend, target) = (known.backend, known.target);
        addresses.insert((backend.clone(), target.generation), format!("{}:{}", target.host, target.port));
        places.insert((backend.clone(), target.host.clone(), target.port), Place { backend, target });
    }
    Ok((places.into_values().collect(), addresses))
}

/// Everything at one place that bears the mount's stamp.
async fn browse(
    vault: &Vault,
    mount: &MountEntry,
    engine: &dyn Engine,
    place: &Place,
    object: Option<&str>,
) -> Result<(BackendAccess, Vec<Found>)> {
    let access = vault.targets.open(mount, &place.backend, Some(place.target.clone())).await?;
    let mark = vault.ledger().mark(&mount.uuid);
    let (mut all, mut after) = (Vec::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let call = vault.call(mount, &ids::uuid(), None, Some(access.clone()), PAGE, Lane::Serve);
        let page = engine.browse(call, &mark, object, after.as_deref()).await.map_err(told)?;
        all.extend(page.items.into_iter().filter(|found| found.stamp.starts_with(&mark)));
        if all.len() > OBJECTS_MAX || page.next.is_none() {
            return Ok((access, all));
        }
        if page.next == after {
            return Err(broken(engine, mount, "the same page again and again"));
        }
        after = page.next;
    }
    Err(broken(engine, mount, "pages without end"))
}

async fn ignored(vault: &Vault, mount: &MountEntry) -> Result<HashMap<String, Ignored>> {
    let entries = vault.storage.entries(&spaces::of_mount(&mount.uuid), IGNORED, None, OBJECTS_MAX).await?;
    let read = entries.iter().filter_map(|entry| serde_json::from_slice::<Ignored>(&entry.value).ok());
    Ok(read.map(|ignored| (ignored.stamp.clone(), ignored)).collect())
}

const IGNORED: &str = "ignored/";

/// Remembers that an operator knows of an orphan, until it has a lease or is gone.
pub(crate) fn ignore(mount: &MountEntry, item: &Item, by: String, at: Timestamp) -> Result<Op> {
    let unique = item.stamp.rsplit('/').next().unwrap_or_default();
    let ignored = Ignored { stamp: item.stamp.clone(), by, at };
    let value = serde_json::to_vec(&ignored).map_err(|e| Error::internal(format!("an ignored object: {e}")))?;
    Ok(Op::PutEntry { space: spaces::of_mount(&mount.uuid), key: format!("{IGNORED}{unique}"), value })
}

/// What the ledger has to know of an orphan.
pub(crate) async fn orphan(vault: &Vault, mount: &MountEntry, item: Item) -> Result<Orphan> {
    let no_orphan = || Error::invalid(format!("{:?} is no orphan: it is {}", item.object, item.state.name()));
    if item.state != State::Orphan {
        return Err(no_orphan());
    }
    let (found, access) = item.found.clone().ok_or_else(no_orphan)?;
    let engine = vault.engine(mount).await?;
    Ok(Orphan {
        path: format!("{}inventory", mount.path),
        mount: mount.uuid.clone(),
        gates: vec![mount.gate()],
        identity: identity(&mount.uuid, &access),
        generation: access.target.as_ref().map_or(0, |target| target.generation),
        backend: access.name,
        kind: found.kind,
        object: found.object,
        handle: found.handle,
        stamp: found.stamp,
        digest: engine.digest().to_owned(),
    })
}
