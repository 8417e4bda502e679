//! Who may run now: slots of the pool, permits of each mount, and a reserve for revocation.

mod shares;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_model::engine::Lane;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::shares::{Share, Shares};
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
pub(crate) enum MountPermit {
    /// A client waits for it.
    Serve { _share: Share },
    /// It revokes.
    Revoke { _permit: OwnedSemaphorePermit },
}

/// All permits of a server.
pub(crate) struct Permits {
    serve: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    describe: Arc<Semaphore>,
    common: usize,
    reserved: usize,
    shares: Arc<Shares>,
    /// Of each mount, for revocations.
    revoking: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Permits {
    /// Divides a pool. An eighth of it, at least one slot, is for revocations alone; the rest is common, and the mounts
    /// share it.
    pub(crate) fn new(pool_size: u32) -> Self {
        let pool = (pool_size as usize).max(2);
        let reserved = (pool / 8).max(1);
        let common = pool - reserved;
        Self {
            serve: Arc::new(Semaphore::new(common)),
            reserve: Arc::new(Semaphore::new(reserved)),
            describe: Arc::new(Semaphore::new(DESCRIBERS as usize)),
            common,
            reserved,
            shares: Shares::new(common),
            revoking: Mutex::default(),
        }
    }

    /// Waits for one of the mount's permits.
    pub(crate) async fn mount(&self, uuid: &str, lane: Lane, limits: &Limits) -> Option<MountPermit> {
        match lane {
            Lane::Serve => self.shares.take(uuid, limits.permits).await.map(|_share| MountPermit::Serve { _share }),
            // Closed semaphores do not occur; were one closed, the call would end as one that waited in vain.
            Lane::Revoke => {
                let permit = self.revoking(uuid, limits).acquire_owned().await.ok();
                permit.map(|_permit| MountPermit::Revoke { _permit })
            }
        }
    }

    /// A slot without waiting.
    pub(crate) fn try_slot(&self, lane: Lane) -> Option<Slot> {
        let serve = || Arc::clone(&self.serve).try_acquire_owned();
        let permit = match lane {
            Lane::Serve => serve(),
            Lane::Revoke => Arc::clone(&self.reserve).try_acquire_owned().or_else(|_| serve()),
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
                    biased;
                    permit = Arc::clone(&self.reserve).acquire_owned() => permit,
                    permit = serve => permit,
                }
            }
        };
        permit.ok().map(|permit| Slot { _permit: permit })
    }

    /// A slot for an instance that only describes.
    pub(crate) async fn describer(&self) -> Option<Slot> {
        Arc::clone(&self.describe).acquire_owned().await.ok().map(|permit| Slot { _permit: permit })
    }

    /// Slots in all and taken ones: common, and reserved for revocations.
    pub(crate) fn slots(&self) -> [(usize, usize); 2] {
        [(self.common, &self.serve), (self.reserved, &self.reserve)]
            .map(|(all, semaphore)| (all, all.saturating_sub(semaphore.available_permits())))
    }

    fn revoking(&self, uuid: &str, limits: &Limits) -> Arc<Semaphore> {
        let mut mounts = self.revoking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permits) = mounts.get(uuid) {
            return Arc::clone(permits);
        }
        if mounts.len() >= REMEMBERED {
            // Whoever waits or runs holds a clone.
            mounts.retain(|_, permits| Arc::strong_count(permits) > 1);
        }
        let most = (self.common / 2).max(1);
        let permits = Arc::new(Semaphore::new(limits.revoke_permits.clamp(1, most)));
        mounts.insert(uuid.to_owned(), Arc::clone(&permits));
        permits
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
        assert_eq!(taken.len(), 4);
        assert!(permits.mount("b", Lane::Serve, &limits).now_or_never().is_some());
        assert!(permits.mount("a", Lane::Revoke, &limits).now_or_never().is_some(), "a hung mount can still revoke");
        drop(taken);
        assert!(permits.mount("a", Lane::Serve, &limits).now_or_never().is_some());
    }

    #[test]
    fn two_mounts_that_hang_leave_places_for_others() {
        let permits = Permits::new(64);
        let limits = Limits { permits: 100, ..limits() };
        let take = |mount: &str| permits.mount(mount, Lane::Serve, &limits).now_or_never().flatten();
        let hung: Vec<_> = ["a", "b"].iter().flat_map(|m| std::iter::from_fn(move || take(m))).collect();
        let slots: Vec<_> = hung.iter().map_while(|_| permits.try_slot(Lane::Serve)).collect();
        assert_eq!(slots.len(), hung.len());
        assert!(take("c").is_some() && permits.try_slot(Lane::Serve).is_some());
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
        let limits = Limits { revoke_permits: 1, ..limits() };
        let held = permits.mount("busy", Lane::Revoke, &limits).now_or_never().flatten();
        assert!(held.is_some());
        for i in 0..REMEMBERED + 10 {
            assert!(permits.mount(&format!("m{i}"), Lane::Revoke, &limits).now_or_never().flatten().is_some());
        }
        assert!(permits.mount("busy", Lane::Revoke, &limits).now_or_never().is_none());
        assert!(permits.revoking.lock().is_ok_and(|all| all.len() <= REMEMBERED));
    }
}
