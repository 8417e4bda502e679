//! Who may run now: slots of the pool, permits of each mount, and a reserve for revocation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_model::engine::Lane;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::policy::Limits;

/// Beyond this many mounts, those without a running call are forgotten.
const REMEMBERED: usize = 1024;

/// Instances beside the pool that only describe engines.
pub(crate) const DESCRIBERS: u32 = 2;

/// A place in the pool. Belongs to an instance as long as that exists, idle or not.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// The right of a mount to run one more call.
#[derive(Debug)]
pub(crate) struct MountPermit {
    _permit: OwnedSemaphorePermit,
}

/// All permits of a server.
pub(crate) struct Permits {
    serve: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    describe: Arc<Semaphore>,
    most_per_mount: usize,
    mounts: Mutex<HashMap<String, Arc<Lanes>>>,
}

struct Lanes {
    serve: Arc<Semaphore>,
    revoke: Arc<Semaphore>,
}

impl Permits {
    /// Divides a pool. An eighth of it, at least one slot, is for revocations alone; no mount may take more than half of
    /// the rest.
    pub(crate) fn new(pool_size: u32) -> Self {
        let pool = (pool_size as usize).max(2);
        let reserve = (pool / 8).max(1);
        let serve = pool - reserve;
        Self {
            serve: Arc::new(Semaphore::new(serve)),
            reserve: Arc::new(Semaphore::new(reserve)),
            describe: Arc::new(Semaphore::new(DESCRIBERS as usize)),
            most_per_mount: (serve / 2).max(1),
            mounts: Mutex::default(),
        }
    }

    /// Waits for one of the mount's permits.
    pub(crate) async fn mount(&self, uuid: &str, lane: Lane, limits: &Limits) -> Option<MountPermit> {
        let lanes = self.lanes(uuid, limits);
        let semaphore = match lane {
            Lane::Serve => Arc::clone(&lanes.serve),
            Lane::Revoke => Arc::clone(&lanes.revoke),
        };
        // Closed semaphores do not occur; were one closed, the call would end as one that waited in vain.
        semaphore.acquire_owned().await.ok().map(|permit| MountPermit { _permit: permit })
    }

    /// A slot without waiting.
    pub(crate) fn try_slot(&self, lane: Lane) -> Option<Slot> {
        let serve = Arc::clone(&self.serve).try_acquire_owned();
        let permit = match lane {
            Lane::Serve => serve,
            Lane::Revoke => serve.or_else(|_| Arc::clone(&self.reserve).try_acquire_owned()),
        };
        permit.ok().map(|permit| Slot { _permit: permit })
    }

    /// Waits for a slot; revocations take whichever comes first, a common or a reserved one.
    pub(crate) async fn slot(&self, lane: Lane) -> Option<Slot> {
        let serve = Arc::clone(&self.serve).acquire_owned();
        let permit = match lane {
            Lane::Serve => serve.await,
            Lane::Revoke => {
                tokio::select! {
                    permit = serve => permit,
                    permit = Arc::clone(&self.reserve).acquire_owned() => permit,
                }
            }
        };
        permit.ok().map(|permit| Slot { _permit: permit })
    }

    /// A slot for an instance that only describes.
    pub(crate) async fn describer(&self) -> Option<Slot> {
        Arc::clone(&self.describe).acquire_owned().await.ok().map(|permit| Slot { _permit: permit })
    }

    fn lanes(&self, uuid: &str, limits: &Limits) -> Arc<Lanes> {
        let mut mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lanes) = mounts.get(uuid) {
            return Arc::clone(lanes);
        }
        if mounts.len() >= REMEMBERED {
            // Whoever waits or runs holds a clone of the semaphores.
            mounts.retain(|_, lanes| {
                Arc::strong_count(lanes) > 1
                    || Arc::strong_count(&lanes.serve) > 1
                    || Arc::strong_count(&lanes.revoke) > 1
            });
        }
        let lanes = Arc::new(Lanes {
            serve: Arc::new(Semaphore::new(limits.permits.clamp(1, self.most_per_mount))),
            revoke: Arc::new(Semaphore::new(limits.revoke_permits.clamp(1, self.most_per_mount))),
        });
        mounts.insert(uuid.to_owned(), Arc::clone(&lanes));
        lanes
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::policy::tests::limits;

    #[test]
    fn a_mount_never_takes_the_whole_pool() {
        let permits = Permits::new(8);
        let limits = Limits { permits: 100, ..limits() };
        let taken: Vec<_> =
            std::iter::from_fn(|| permits.mount("a", Lane::Serve, &limits).now_or_never().flatten()).collect();
        assert_eq!(taken.len(), 3);
        assert!(permits.mount("b", Lane::Serve, &limits).now_or_never().is_some());
        assert!(permits.mount("a", Lane::Revoke, &limits).now_or_never().is_some(), "a hung mount can still revoke");
        drop(taken);
        assert!(permits.mount("a", Lane::Serve, &limits).now_or_never().is_some());
    }

    #[test]
    fn revocations_have_slots_of_their_own() {
        let permits = Permits::new(8);
        let taken: Vec<_> = std::iter::from_fn(|| permits.try_slot(Lane::Serve)).collect();
        assert_eq!(taken.len(), 7);
        assert!(permits.slot(Lane::Serve).now_or_never().is_none(), "waits");
        let reserved = permits.slot(Lane::Revoke).now_or_never().flatten();
        assert!(reserved.is_some());
        assert!(permits.slot(Lane::Revoke).now_or_never().is_none());
        drop(taken);
        assert!(permits.slot(Lane::Revoke).now_or_never().flatten().is_some(), "common slots serve revocations too");
    }

    #[test]
    fn idle_mounts_are_forgotten_and_busy_ones_are_not() {
        let permits = Permits::new(64);
        let limits = Limits { permits: 1, ..limits() };
        let held = permits.mount("busy", Lane::Serve, &limits).now_or_never().flatten();
        assert!(held.is_some());
        for i in 0..REMEMBERED + 10 {
            assert!(permits.mount(&format!("m{i}"), Lane::Serve, &limits).now_or_never().flatten().is_some());
        }
        assert!(permits.mount("busy", Lane::Serve, &limits).now_or_never().is_none());
    }
}
