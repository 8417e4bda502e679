//! How many calls a mount may run at once: fewer, the fewer places are left.
//!
//! A mount gets another place only while it has fewer than there are free, and the last eighth of them goes to mounts that
//! have none. One mount that hangs ends up with half of the places; more that hang share with it as its calls reach their
//! deadlines, and some places are left for the others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Beyond this many waiting calls of a mount, those that gave up are forgotten.
const REMEMBERED: usize = 1024;

/// Divides places among mounts.
pub(crate) struct Shares {
    places: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    taken: usize,
    /// Mounts that have places or wait for some.
    mounts: HashMap<String, Mount>,
    /// Those that wait, in the order in which they began to.
    waiting: Vec<String>,
}

#[derive(Default)]
struct Mount {
    has: usize,
    line: VecDeque<Waiter>,
}

struct Waiter {
    most: usize,
    turn: oneshot::Sender<Share>,
}

/// The right of a mount to run one more call.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    mount: String,
}

impl Shares {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places, inner: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, after the mount's earlier calls, until it may have one more place. It never has more than `most`.
    pub(crate) async fn take(self: &Arc<Self>, mount: &str, most: usize) -> Option<Share> {
        // With none at all it would wait for ever.
        let most = most.max(1);
        let turn = {
            let mut inner = self.lock();
            if inner.is_first_in_line(mount) && inner.may(self.places, mount, most) {
                inner.grant(mount);
                None
            } else {
                Some(inner.wait(mount, most))
            }
        };
        match turn {
            None => Some(Share { shares: Arc::clone(self), mount: mount.to_owned() }),
            // A waiter is only dropped with all places.
            Some(turn) => turn.await.ok(),
        }
    }

    /// Lets in whoever may come now: of the mounts that wait, the one with the fewest places first.
    fn admit(self: &Arc<Self>) {
        loop {
            let next = {
                let mut inner = self.lock();
                inner.forget_the_gone();
                inner.next(self.places)
            };
            let Some((mount, turn)) = next else { return };
            // Who gave up at this very moment leaves the place to the next: dropping it lets them in.
            drop(turn.send(Share { shares: Arc::clone(self), mount }));
        }
    }
}

impl Inner {
    fn is_first_in_line(&self, mount: &str) -> bool {
        self.mounts.get(mount).is_none_or(|m| m.line.is_empty())
    }

    fn may(&self, places: usize, mount: &str, most: usize) -> bool {
        let has = self.mounts.get(mount).map_or(0, |m| m.has);
        let free = places.saturating_sub(self.taken);
        let offered = if has == 0 { free } else { free.saturating_sub(places / 8) };
        has < most && has < offered
    }

    fn grant(&mut self, mount: &str) {
        self.taken += 1;
        match self.mounts.get_mut(mount) {
            Some(known) => known.has += 1,
            None => {
                self.mounts.insert(mount.to_owned(), Mount { has: 1, line: VecDeque::new() });
            }
        }
    }

    fn wait(&mut self, mount: &str, most: usize) -> oneshot::Receiver<Share> {
        let (turn, called) = oneshot::channel();
        let known = self.mounts.entry(mount.to_owned()).or_default();
        if known.line.len() >= REMEMBERED {
            known.line.retain(|waiter| !waiter.turn.is_closed());
        }
        if known.line.is_empty() {
            self.waiting.push(mount.to_owned());
        }
        known.line.push_back(Waiter { most, turn });
        called
    }

    /// Takes those who gave up from the heads of their lines.
    fn forget_the_gone(&mut self) {
        let Self { mounts, waiting, .. } = self;
        waiting.retain(|mount| {
            let Some(known) = mounts.get_mut(mount) else { return false };
            while known.line.front().is_some_and(|waiter| waiter.turn.is_closed()) {
                known.line.pop_front();
            }
            let waits = !known.line.is_empty();
            if !waits && known.has == 0 {
                mounts.remove(mount);
            }
            waits
        });
    }

    fn next(&mut self, places: usize) -> Option<(String, oneshot::Sender<Share>)> {
        let first = |mount: &String| self.mounts.get(mount)?.line.front();
        let may = |mount: &&String| first(mount).is_some_and(|waiter| self.may(places, mount, waiter.most));
        let mount = self.waiting.iter().filter(may).min_by_key(|m| self.mounts.get(*m).map_or(0, |m| m.has))?.clone();
        let waiter = self.mounts.get_mut(&mount)?.line.pop_front()?;
        self.grant(&mount);
        if self.is_first_in_line(&mount) {
            self.waiting.retain(|waiting| *waiting != mount);
        }
        Some((mount, waiter.turn))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        {
            let mut inner = self.shares.lock();
            inner.taken -= 1;
            if let Some(known) = inner.mounts.get_mut(&self.mount) {
                known.has -= 1;
                if known.has == 0 && known.line.is_empty() {
                    inner.mounts.remove(&self.mount);
                }
            }
            if inner.waiting.is_empty() {
                return;
            }
        }
        self.shares.admit();
    }
}

impl std::fmt::Debug for Shares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shares").field("places", &self.places).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const MANY: usize = 100;

    fn take(shares: &Arc<Shares>, mount: &str) -> Option<Share> {
        shares.take(mount, MANY).now_or_never().flatten()
    }

    /// As many as it gets at once.
    fn fill(shares: &Arc<Shares>, mount: &str) -> Vec<Share> {
        std::iter::from_fn(|| take(shares, mount)).collect()
    }

    #[test]
    fn a_dozen_hang_and_others_go_on() {
        let shares = Shares::new(56);
        let mut held = vec![fill(&shares, "hung 0")];
        assert_eq!(held[0].len(), 25);
        for i in 1..12 {
            held.push(fill(&shares, &format!("hung {i}")));
            // One that just came runs a call, and another one after it.
            for _ in 0..3 {
                assert!(take(&shares, "good").is_some(), "with {i} hung mounts");
            }
        }
    }

    #[test]
    fn who_came_late_gets_as_much_in_the_end() {
        let shares = Shares::new(56);
        let names: Vec<String> = (0..6).map(|i| format!("hung {i}")).collect();
        let mut held: Vec<Vec<Share>> = names.iter().map(|name| fill(&shares, name)).collect();
        // Calls end one by one at their deadlines, and each mount asks for all that it can get.
        for _ in 0..20 {
            for (name, held) in names.iter().zip(&mut held) {
                held.pop();
                held.extend(fill(&shares, name));
            }
        }
        for held in &held {
            assert!((7..=9).contains(&held.len()), "{}", held.len());
        }
        assert!(56 - held.iter().map(Vec::len).sum::<usize>() >= 7);
    }

    #[test]
    fn a_mount_waits_for_itself_and_not_for_others() {
        let shares = Shares::new(8);
        let held = fill(&shares, "hung");
        assert_eq!(held.len(), 4);
        let mut second = std::pin::pin!(shares.take("hung", MANY));
        assert!(second.as_mut().now_or_never().is_none());
        let good = take(&shares, "good");
        assert!(good.is_some());
        drop(good);
        assert!(second.as_mut().now_or_never().is_none(), "what others leave is not for it");
        drop(held);
        assert!(second.now_or_never().flatten().is_some());
    }

    #[test]
    fn the_poorest_comes_first() {
        let shares = Shares::new(2);
        let rich = take(&shares, "rich");
        let other = take(&shares, "other");
        assert!(rich.is_some() && other.is_some());
        let mut richer = std::pin::pin!(shares.take("rich", MANY));
        let mut poor = std::pin::pin!(shares.take("poor", MANY));
        assert!(richer.as_mut().now_or_never().is_none() && poor.as_mut().now_or_never().is_none());
        drop(other);
        assert!(richer.now_or_never().is_none());
        assert!(poor.now_or_never().flatten().is_some());
    }

    #[test]
    fn its_own_limit_holds_and_who_gave_up_is_forgotten() {
        let shares = Shares::new(56);
        let one = shares.take("m", 1).now_or_never().flatten();
        assert!(one.is_some());
        assert!(shares.take("m", 1).now_or_never().is_none());
        drop(one);
        assert!(shares.take("m", 0).now_or_never().flatten().is_some(), "never none at all");
        assert!(shares.lock().mounts.is_empty() && shares.lock().waiting.is_empty() && shares.lock().taken == 0);
    }
}
