//! Listings that are read page by page. Backends are looked at once, for the first page; the others come from what was
//! found then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_model::{Timestamp, ids};

use super::Inventory;

/// Listings at once; the oldest gives way, and whoever reads it has the backends looked at anew.
const MOST: usize = 4;
/// Seconds for which one is kept.
const KEPT: i64 = 300;

/// What was found, for whoever asks for the next page.
#[derive(Default)]
pub(crate) struct Listings(Mutex<VecDeque<Listing>>);

struct Listing {
    id: String,
    /// The mount's uuid.
    mount: String,
    until: Timestamp,
    inventory: Arc<Inventory>,
}

impl Listings {
    /// Keeps one. Its id.
    pub(crate) fn keep(&self, mount: &str, inventory: Arc<Inventory>, now: Timestamp) -> String {
        self.sweep(now);
        let listing =
            Listing { id: ids::base62(20), mount: mount.to_owned(), until: now.plus_seconds(KEPT), inventory };
        let id = listing.id.clone();
        self.with(|all| {
            all.truncate(MOST - 1);
            all.push_front(listing);
        });
        id
    }

    /// The listing of this id, if it is of this mount and still there.
    pub(crate) fn get(&self, id: &str, mount: &str, now: Timestamp) -> Option<Arc<Inventory>> {
        self.sweep(now);
        self.with(|all| {
            let found = all.iter().find(|listing| listing.id == id && listing.mount == mount);
            found.map(|listing| listing.inventory.clone())
        })
    }

    /// Its last page was read.
    pub(crate) fn forget(&self, id: &str) {
        self.with(|all| all.retain(|listing| listing.id != id));
    }

    /// Lets go of what is over.
    pub(crate) fn sweep(&self, now: Timestamp) {
        self.with(|all| all.retain(|listing| now < listing.until));
    }

    fn with<T>(&self, work: impl FnOnce(&mut VecDeque<Listing>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_kept_for_a_while_and_for_its_mount() {
        let (listings, now) = (Listings::default(), Timestamp::from_seconds(1_000));
        let inventory = || Arc::new(Inventory { items: Vec::new(), warnings: Vec::new() });
        let first = listings.keep("a", inventory(), now);
        assert!(listings.get(&first, "a", now).is_some() && listings.get(&first, "b", now).is_none());
        assert!(listings.get(&first, "a", now.plus_seconds(KEPT - 1)).is_some());
        let others: Vec<String> = (0..MOST).map(|_| listings.keep("a", inventory(), now)).collect();
        assert!(listings.get(&first, "a", now).is_none(), "the oldest gives way");
        listings.forget(&others[0]);
        assert!(listings.get(&others[0], "a", now).is_none() && listings.get(&others[1], "a", now).is_some());
        assert!(listings.get(&others[1], "a", now.plus_seconds(KEPT)).is_none());
    }
}
