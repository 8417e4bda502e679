//! Tests of the store, in memory and on disk alike.

mod conflicts;
mod entries;
mod faults;
mod gathered;
mod groups;
mod leases;
mod tokens;
mod waves;

use super::*;
use crate::port::{Check, Conflict, LeaseState, Op};

/// A store and the directory that it needs.
struct Home {
    store: Arc<Sqlite>,
    directory: Option<tempfile::TempDir>,
}

impl std::ops::Deref for Home {
    type Target = Sqlite;

    fn deref(&self) -> &Sqlite {
        &self.store
    }
}

async fn on_disk() -> Home {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(directory.path().join("store")).await.unwrap());
    Home { store, directory: Some(directory) }
}

/// Both kinds.
async fn homes() -> [Home; 2] {
    [Home { store: Arc::new(Sqlite::memory().await.unwrap()), directory: None }, on_disk().await]
}

impl Home {
    fn path(&self) -> std::path::PathBuf {
        self.directory.as_ref().unwrap().path().join("store")
    }

    async fn run(&self, ops: impl IntoIterator<Item = Op>) -> Outcome {
        self.apply(Batch { checks: vec![], ops: ops.into_iter().collect() }).await.unwrap()
    }

    async fn applied(&self, ops: impl IntoIterator<Item = Op>) {
        assert_eq!(self.run(ops).await, Outcome::Applied);
    }

    async fn check(&self, check: Check) -> Outcome {
        self.apply(Batch::new().check(check)).await.unwrap()
    }
}

fn put(space: &str, key: &str, value: &str) -> Op {
    Op::PutEntry { space: space.into(), key: key.into(), value: value.into() }
}

fn delete(space: &str, key: &str) -> Op {
    Op::DeleteEntry { space: space.into(), key: key.into() }
}

fn lease(id: &str) -> LeaseRow {
    LeaseRow {
        id: id.into(),
        mount: "m".into(),
        backend: "b".into(),
        generation: 1,
        token: None,
        object_key: None,
        state: LeaseState::Active,
        version: 1,
        due_at: None,
        body: b"body".to_vec(),
    }
}

fn token(digest: &str) -> TokenRow {
    TokenRow {
        digest: digest.into(),
        accessor_key: format!("accessor of {digest}"),
        parent: None,
        live: true,
        version: 1,
        due_at: None,
        uses_left: None,
        body: b"body".to_vec(),
    }
}

fn conflict(conflict: Conflict) -> Outcome {
    Outcome::Conflict(conflict)
}
