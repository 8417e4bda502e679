//! A ledger with all that it needs.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_crypto::{Key, Keyring};
use cofferdam_leases::{Intent, IssueError, Ledger, Made, Make, Settings, Shelf, Stocked, Wanted};
use cofferdam_model::clock::ManualClock;
use cofferdam_model::engine::{Handle, Plan, TtlWish};
use cofferdam_model::view::Changes;
use cofferdam_model::{Clock, SecretText, Timestamp};
use cofferdam_storage::port::{Batch, LeaseFilter, LeaseState, Op, Outcome, Physical, TokenRow};
use cofferdam_storage::{Sqlite, Storage};
use tokio::sync::watch;

use crate::backend::{Backend, Creates};
use crate::steps::Stepped;

pub(crate) const TOKEN: &str = "t";
pub(crate) const GATE: &str = "mount/m";
/// Seconds; longer than any test lasts, however far it moves the clock.
const TTL: u64 = 100_000_000;

pub(crate) struct World {
    pub(crate) store: Arc<Stepped>,
    pub(crate) storage: Storage,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) backend: Arc<Backend>,
    pub(crate) ledger: Arc<Ledger>,
    stop: watch::Sender<bool>,
}

/// What survives a process.
#[derive(Clone)]
pub(crate) struct Lasting {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) backend: Arc<Backend>,
    keyring: Arc<Keyring>,
}

impl Lasting {
    pub(crate) fn new() -> Self {
        let now = Timestamp::from_seconds(1_000_000);
        Self { clock: Arc::new(ManualClock::new(now)), backend: Arc::default(), keyring: Arc::new(Keyring::new(now)) }
    }

    /// A process on this store.
    pub(crate) fn start(&self, below: Arc<dyn Physical>) -> World {
        let store = Arc::new(Stepped::new(below, self.backend.clone()));
        let storage = Storage::new(store.clone());
        storage.unseal(self.keyring.clone());
        let clock: Arc<dyn Clock> = self.clock.clone();
        let root: Key = self.keyring.derive("host");
        let settings = Settings::default();
        let ledger = Ledger::new(storage.clone(), clock, self.backend.clone(), &root, "cluster".to_owned(), settings);
        let (clock, backend) = (self.clock.clone(), self.backend.clone());
        World { store, storage, clock, backend, ledger, stop: watch::Sender::new(false) }
    }
}

/// What the tests want to be made.
pub(crate) fn intent(backend: &str, object: &str) -> Intent {
    Intent {
        path: format!("db/creds/{backend}"),
        mount: "m".to_owned(),
        gates: vec![GATE.to_owned()],
        generation: 1,
        identity: "db.example:5432".to_owned(),
        token: Some(TOKEN.to_owned()),
        plan: Plan {
            kind: "user".to_owned(),
            role: "role".to_owned(),
            backend: backend.to_owned(),
            object: object.to_owned(),
            handle: Handle { format: 1, data: "\"planned\"".to_owned() },
            carry: SecretText::new("{}"),
            ttl: TtlWish { ttl: None, max_ttl: None, renewable: true },
        },
        digest: "digest".to_owned(),
        ttl: TTL,
        creates_within: 30,
        settles_after: 60,
        ends_itself: false,
        changes: Changes::default(),
        shelf: None,
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let world = Lasting::new().start(Arc::new(Sqlite::memory().await.unwrap()));
        world.found().await;
        world
    }

    /// A live token and an open gate.
    pub(crate) async fn found(&self) {
        let token = TokenRow {
            digest: TOKEN.to_owned(),
            accessor_key: "a".to_owned(),
            parent: None,
            live: true,
            version: 1,
            due_at: None,
            uses_left: None,
            body: b"{}".to_vec(),
        };
        self.applied(vec![Op::InsertToken(token), Op::SetGate { gate: GATE.to_owned(), open: true }]).await;
    }

    pub(crate) async fn applied(&self, ops: Vec<Op>) {
        assert_eq!(self.storage.apply(Batch { checks: Vec::new(), ops }).await.unwrap(), Outcome::Applied);
    }

    /// Ends the token as its revocation does: first nothing can be made on it any more.
    pub(crate) async fn condemn_token(&self) {
        let mut row = self.storage.token(TOKEN).await.unwrap().unwrap();
        row.live = false;
        row.version += 1;
        self.applied(vec![Op::UpdateToken { expect: row.version - 1, row }]).await;
    }

    pub(crate) fn make(&self, how: Creates) -> Make {
        let backend = self.backend.clone();
        Box::new(move |lease| Box::pin(async move { backend.create(lease, how).await }))
    }

    pub(crate) async fn issue(&self, backend: &str, object: &str, how: Creates) -> Result<Made, IssueError> {
        self.ledger.issue(intent(backend, object), self.make(how)).await
    }

    pub(crate) async fn made(&self, backend: &str, object: &str) -> String {
        self.issue(backend, object, Creates::Well).await.unwrap().lease.id
    }

    /// Makes these ahead.
    pub(crate) async fn stocked(&self, objects: &[&str]) -> Vec<Stocked> {
        for object in objects {
            let shelf = Shelf { folder: "m/creds/s//".to_owned(), seconds: TTL / 2, conditions: Vec::new() };
            let intent = Intent { token: None, shelf: Some(shelf), ..intent("s", object) };
            self.ledger.issue(intent, self.make(Creates::Well)).await.unwrap();
        }
        self.ledger.stocked("m/", None, 10).await.unwrap()
    }

    /// Hands one out; answers its lease.
    pub(crate) async fn hand_out(&self, stocked: &Stocked) -> Option<String> {
        let wanted = Wanted { path: "db/creds/s", digest: "digest", default_ttl: TTL, max_ttl: TTL };
        self.ledger.hand_out(stocked, &wanted, TOKEN).await.unwrap().map(|given| given.lease.id)
    }

    /// A secret waits where a lease says so, and nowhere else; and no token has such a lease.
    pub(crate) async fn stock_agrees(&self) {
        let secrets = self.ledger.stocked("", None, 100).await.unwrap().into_iter().map(|s| (s.lease, s.key));
        let leases = self.ledger.find(&LeaseFilter::default(), 100).await.unwrap();
        assert!(leases.iter().all(|l| l.record.shelved.is_none() || l.token.is_none()));
        let waiting = leases.into_iter().filter_map(|l| Some((l.id, l.record.shelved?.key)));
        let sorted = |mut all: Vec<(String, String)>| {
            all.sort();
            all
        };
        assert_eq!(sorted(secrets.collect()), sorted(waiting.collect()));
    }

    pub(crate) async fn state(&self, id: &str) -> Option<LeaseState> {
        self.ledger.get(id).await.unwrap().map(|l| l.state)
    }

    /// Objects of leases in this state, or in any other.
    pub(crate) async fn objects(&self, state: Option<LeaseState>) -> Vec<String> {
        let leases = self.ledger.find(&LeaseFilter { state, ..LeaseFilter::default() }, 100_000).await.unwrap();
        let mut objects: Vec<_> = leases.into_iter().map(|l| l.record.object).collect();
        objects.sort();
        objects
    }

    pub(crate) fn start_worker(&self) {
        tokio::spawn(self.ledger.clone().work(self.stop.subscribe()));
    }

    pub(crate) fn stop_worker(&self) {
        self.stop.send_replace(true);
    }

    /// Lets the worker work, while the clock goes on, until something holds.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        for _ in 0..3_000 {
            if holds().await {
                return;
            }
            self.clock.advance_seconds(2);
            self.ledger.look();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {what}; rows {:?}, objects {:?}", self.objects(None).await, self.backend.objects());
    }

    /// As [`World::until`], while the clock stands.
    pub(crate) async fn soon<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        for _ in 0..3_000 {
            if holds().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {what}; rows {:?}, objects {:?}", self.objects(None).await, self.backend.objects());
    }

    /// The oracle: after the worker had its time, the backend holds what active leases stand for, and no row is left
    /// over.
    pub(crate) async fn agrees(&self) {
        let agreed = || async {
            let active = self.objects(Some(LeaseState::Active)).await;
            active == self.backend.objects() && active == self.objects(None).await
        };
        self.until("the backend holds what active leases stand for", agreed).await;
    }
}
