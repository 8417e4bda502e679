//! One instance of a component: made for one call, or kept for the next call on the same backend.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cofferdam_model::engine::{Call, Grant};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Store, UpdateDeadline};

use crate::connections::Allowance;
use crate::net::gate::Border;
use crate::permits::Slot;
use crate::policy::Limits;
use crate::state::{State, ticks};

/// What a guest may move to the host in one call of an import beyond the largest entry: names, framing.
const MARGIN: usize = 256 << 10;

/// An instance in its store. Its place in the pool is given back after the store is gone.
pub(crate) struct Compartment {
    pub(crate) store: Store<State>,
    pub(crate) instance: Instance,
    born: Instant,
    /// Dropped last.
    _slot: Slot,
}

/// Why an instance could not be made.
pub(crate) struct NotStarted {
    pub(crate) error: wasmtime::Error,
    pub(crate) store: Box<Store<State>>,
    _slot: Slot,
}

impl Compartment {
    /// Makes a store with all limits set, then the instance: a start function runs under the same limits.
    pub(crate) async fn start(
        engine: &wasmtime::Engine,
        pre: &InstancePre<State>,
        border: Arc<Border>,
        limits: &Limits,
        slot: Slot,
    ) -> Result<Self, NotStarted> {
        let mut store = Store::new(engine, State::new(border, limits));
        store.limiter(|state| &mut state.growth);
        store.set_hostcall_fuel(limits.response_bytes.clamp(1 << 20, 4 << 20) + MARGIN);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            let state = store.data_mut();
            match state.cpu_left.checked_sub(1) {
                // Giving way lets the outer deadline end the call.
                Some(left) => {
                    state.cpu_left = left;
                    Ok(UpdateDeadline::Yield(1))
                }
                None => Ok(UpdateDeadline::Interrupt),
            }
        });
        match pre.instantiate_async(&mut store).await {
            Ok(instance) => Ok(Self { store, instance, born: Instant::now(), _slot: slot }),
            Err(error) => Err(NotStarted { error, store: Box::new(store), _slot: slot }),
        }
    }

    /// Gives a kept instance a new call's allowance.
    pub(crate) fn renew(&mut self, limits: &Limits) {
        let state = self.store.data_mut();
        state.cpu_left = ticks(limits);
        state.growth.forget();
        self.store.set_epoch_deadline(1);
        drop(self.store.data().output.take());
    }

    fn age(&self) -> Duration {
        self.born.elapsed()
    }
}

/// Which calls may follow each other in one instance: those that see the same world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WarmKey {
    mount: String,
    backend: String,
    generation: Option<u64>,
    grants: Vec<Grant>,
    secret: [u8; 32],
}

impl WarmKey {
    /// None: the call names no backend, so there is no connection to keep.
    pub(crate) fn of(call: &Call) -> Option<Self> {
        let backend = call.backend.as_ref()?;
        let secret = backend.secret.as_ref().map_or("", |s| s.expose());
        Some(Self {
            mount: call.mount.uuid.clone(),
            backend: backend.name.clone(),
            generation: backend.target.as_ref().map(|t| t.generation),
            grants: backend.grants.clone(),
            secret: Sha256::digest(secret).into(),
        })
    }
}

impl WarmKey {
    fn same_backend(&self, other: &Self) -> bool {
        (&self.mount, &self.backend) == (&other.mount, &other.backend)
    }
}

/// Instances that wait for their next call. They keep their places in the pool, so the oldest makes way when one is
/// needed.
#[derive(Default)]
pub(crate) struct Kept {
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    digest: Arc<str>,
    key: WarmKey,
    since: Instant,
    until: Instant,
    compartment: Compartment,
}

impl Kept {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An instance that served this key before, for this caller alone.
    pub(crate) fn check_out(&self, digest: &str, key: &WarmKey) -> Option<Compartment> {
        let gone = self.expire();
        drop(gone);
        let mut idle = self.lock();
        // The one used last has the best chance that its connection still lives.
        let at = idle.iter().rposition(|i| &*i.digest == digest && i.key == *key)?;
        idle.remove(at).map(|i| i.compartment)
    }

    /// Keeps an instance after a call that ended well.
    pub(crate) fn check_in(
        &self,
        digest: &Arc<str>,
        key: WarmKey,
        mut compartment: Compartment,
        allowance: &Allowance,
        limits: &Limits,
    ) {
        let age = compartment.age();
        if age >= allowance.lifetime {
            return;
        }
        let state = compartment.store.data_mut();
        state.gate.close();
        state.active = None;
        let now = Instant::now();
        let until = now + (allowance.lifetime - age).min(Duration::from_secs(limits.warm_idle_s));
        let mut idle = self.lock();
        let same = idle.iter().filter(|i| i.key.same_backend(&key)).count();
        if same < allowance.idle {
            idle.push_back(Idle { digest: Arc::clone(digest), key, since: now, until, compartment });
        }
    }

    /// Drops what has waited too long. The instances are returned so that they are dropped outside of the lock.
    pub(crate) fn expire(&self) -> Vec<Compartment> {
        let now = Instant::now();
        self.take_if(|i| i.until <= now)
    }

    /// Drops all that know the mount's state as it was.
    pub(crate) fn forget_mount(&self, uuid: &str) {
        drop(self.take_if(|i| i.key.mount == uuid));
    }

    /// Drops what would continue this key.
    pub(crate) fn forget(&self, key: &WarmKey) {
        drop(self.take_if(|i| i.key == *key));
    }

    /// Drops all whose connections go to a target that died.
    pub(crate) fn forget_target(&self, mount: &str, backend: &str, generation: u64) {
        let died = |key: &WarmKey| {
            key.mount == mount && key.backend == backend && key.generation.is_none_or(|g| g <= generation)
        };
        drop(self.take_if(|i| died(&i.key)));
    }

    /// Drops the oldest kept instances of a backend, whatever they know, until no more than `room` are left.
    pub(crate) fn trim(&self, key: &WarmKey, room: usize) {
        let gone = {
            let mut idle = self.lock();
            let mut surplus = idle.iter().filter(|i| i.key.same_backend(key)).count().saturating_sub(room);
            let (gone, stay): (VecDeque<Idle>, VecDeque<Idle>) = idle.drain(..).partition(|i| {
                let goes = surplus > 0 && i.key.same_backend(key);
                surplus -= usize::from(goes);
                goes
            });
            *idle = stay;
            gone
        };
        drop(gone);
    }

    /// Makes room: drops the instance that has waited longest.
    pub(crate) fn evict(&self) -> bool {
        let oldest = {
            let mut idle = self.lock();
            let at = idle.iter().enumerate().min_by_key(|(_, i)| i.since).map(|(at, _)| at);
            at.and_then(|at| idle.remove(at))
        };
        oldest.is_some()
    }

    /// How many there are, by mount.
    pub(crate) fn by_mount(&self) -> Vec<(String, u64)> {
        let mut counts = std::collections::BTreeMap::<String, u64>::new();
        for idle in self.lock().iter() {
            *counts.entry(idle.key.mount.clone()).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    fn take_if(&self, mut condition: impl FnMut(&Idle) -> bool) -> Vec<Compartment> {
        let mut idle = self.lock();
        let (gone, stay): (VecDeque<Idle>, VecDeque<Idle>) = idle.drain(..).partition(|i| condition(i));
        *idle = stay;
        gone.into_iter().map(|i| i.compartment).collect()
    }
}

#[cfg(test)]
mod tests;
