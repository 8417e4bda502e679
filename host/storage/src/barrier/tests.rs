//! Tests of the barrier.

use cofferdam_model::view::{Changes, Read, Write};

use sqlx::Connection as _;

use super::*;
use crate::port::{Check, Conflict, LeaseState};
use crate::sqlite::Sqlite;

struct Home {
    below: Arc<dyn Physical>,
    storage: Storage,
}

async fn home() -> Home {
    let below: Arc<dyn Physical> = Arc::new(Sqlite::memory().await.unwrap());
    let storage = Storage::new(Arc::clone(&below));
    storage.unseal(Arc::new(Keyring::new(Timestamp(0))));
    Home { below, storage }
}

fn put(space: &str, key: &str, value: &str) -> Op {
    Op::PutEntry { space: space.into(), key: key.into(), value: value.into() }
}

fn lease(id: &str) -> LeaseRow {
    LeaseRow {
        id: id.into(),
        mount: "m".into(),
        backend: "b".into(),
        generation: 1,
        token: Some("t".into()),
        object_key: None,
        state: LeaseState::Active,
        version: 1,
        due_at: Some(Timestamp(10)),
        body: b"lease body".to_vec(),
    }
}

fn token(digest: &str) -> TokenRow {
    TokenRow {
        digest: digest.into(),
        accessor_key: format!("accessor of {digest}"),
        parent: Some("root".into()),
        live: true,
        version: 1,
        due_at: Some(Timestamp(10)),
        uses_left: Some(1),
        body: b"token body".to_vec(),
    }
}

impl Home {
    async fn applied(&self, ops: impl IntoIterator<Item = Op>) {
        let batch = Batch { checks: vec![], ops: ops.into_iter().collect() };
        assert_eq!(self.storage.apply(batch).await.unwrap(), Outcome::Applied);
    }

    /// What somebody who can write to the store does.
    async fn tamper(&self, op: Op) {
        assert_eq!(self.below.apply(Batch::new().op(op)).await.unwrap(), Outcome::Applied);
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

#[tokio::test]
async fn bodies_are_clear_above_and_sealed_below() {
    let home = home().await;
    home.applied([put("s", "k", "plaintext"), Op::InsertLease(lease("l")), Op::InsertToken(token("d"))]).await;
    let Home { below, storage } = &home;
    assert_eq!(storage.entry("s", "k").await.unwrap().unwrap().value, b"plaintext");
    assert_eq!(storage.entries("s", "", None, 9).await.unwrap()[0].value, b"plaintext");
    assert_eq!(storage.lease("l").await.unwrap(), Some(lease("l")));
    assert_eq!(storage.leases(&LeaseFilter::default(), 9).await.unwrap(), [lease("l")]);
    assert_eq!(storage.leases_due(Timestamp(10), 9).await.unwrap(), [lease("l")]);
    assert_eq!(storage.token("d").await.unwrap(), Some(token("d")));
    assert_eq!(storage.token_by_accessor("accessor of d").await.unwrap(), Some(token("d")));
    assert_eq!(storage.tokens(None, 9).await.unwrap(), [token("d")]);
    assert_eq!(storage.token_children("root", 9).await.unwrap(), [token("d")]);
    assert_eq!(storage.tokens_due(Timestamp(10), 9).await.unwrap(), [token("d")]);
    assert_eq!(storage.kind(), "inmem");

    assert!(!contains(&below.entry("s", "k").await.unwrap().unwrap().value, b"plaintext"));
    assert!(!contains(&below.lease("l").await.unwrap().unwrap().body, b"body"));
    assert!(!contains(&below.token("d").await.unwrap().unwrap().body, b"body"));

    let changed = LeaseRow { version: 2, body: b"other".to_vec(), ..lease("l") };
    let renewed = TokenRow { version: 2, body: b"other".to_vec(), ..token("d") };
    home.applied([
        Op::UpdateLease { expect: 1, row: changed.clone() },
        Op::UpdateToken { expect: 1, row: renewed.clone() },
    ])
    .await;
    assert_eq!(storage.lease("l").await.unwrap(), Some(changed));
    assert_eq!(storage.token("d").await.unwrap(), Some(renewed));
}

#[tokio::test]
async fn sealed_is_sealed() {
    let Home { storage, .. } = home().await;
    storage.set_meta(vec![("k".into(), b"v".to_vec())]).await.unwrap();
    let view = storage.view("s");
    storage.seal();
    assert!(storage.is_sealed());
    let filter = LeaseFilter::default();
    let now = Timestamp(0);
    let kinds = [
        storage.keyring().err(),
        storage.apply(Batch::new()).await.err(),
        storage.entry("s", "k").await.err(),
        storage.entries("s", "", None, 1).await.err(),
        storage.names("s", "", None, 1).await.err(),
        storage.range("s", "").await.err(),
        storage.lease("l").await.err(),
        storage.leases(&filter, 1).await.err(),
        storage.count_leases(&filter).await.err(),
        storage.lease_names("", None, 1).await.err(),
        storage.leases_due(now, 1).await.err(),
        storage.next_due().await.err(),
        storage.token("d").await.err(),
        storage.token_by_accessor("a").await.err(),
        storage.tokens(None, 1).await.err(),
        storage.token_children("d", 1).await.err(),
        storage.tokens_due(now, 1).await.err(),
        view.get("k").await.err(),
    ];
    for (i, error) in kinds.into_iter().enumerate() {
        assert_eq!(error.map(|e| e.kind), Some(ErrorKind::Sealed), "call {i}");
    }
    assert_eq!(storage.meta("k").await.unwrap().as_deref(), Some(b"v".as_slice()));
}

#[tokio::test]
async fn the_keyring_goes_with_the_seal() {
    let keyring = Arc::new(Keyring::new(Timestamp(0)));
    let Home { storage, .. } = home().await;
    storage.unseal(Arc::clone(&keyring));
    storage.seal();
    assert_eq!(Arc::strong_count(&keyring), 1);
}

#[tokio::test]
async fn an_entry_cannot_be_moved() {
    let home = home().await;
    home.applied([put("s", "a", "1"), put("s", "b", "2"), put("t", "a", "3")]).await;
    let a = home.below.entry("s", "a").await.unwrap().unwrap().value;
    for (space, key) in [("s", "b"), ("t", "a"), ("s", "c")] {
        home.tamper(Op::PutEntry { space: space.into(), key: key.into(), value: a.clone() }).await;
        let error = home.storage.entry(space, key).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(error.messages[0].contains("the storage is damaged"), "{error}");
        let log = error.log.clone().unwrap();
        assert!(log.contains("entries") && log.contains(&format!("{key:?}")), "{log}");
        assert!(home.storage.entries(space, "", None, 9).await.is_err());
    }
    assert_eq!(home.storage.entry("s", "a").await.unwrap().unwrap().value, b"1");
}

#[tokio::test]
async fn a_search_that_finds_another_row_fails() {
    let home = home().await;
    home.applied([put("s", "a", "1")]).await;
    let keyring = home.storage.keyring().unwrap();
    let row = home.below.entry("s", "a").await.unwrap();
    assert_eq!(open_one(row.clone(), &keyring, "s", |r| r.key == "b").unwrap_err().kind, ErrorKind::Internal);
    assert_eq!(open_one(row, &keyring, "s", |r| r.key == "a").unwrap().unwrap().value, b"1");
    // What is opened later, or not at all, is held to it too.
    let found = || Some(token("root"));
    assert_eq!(asked_for(found(), |r| r.digest == "weak").unwrap_err().kind, ErrorKind::Internal);
    assert_eq!(asked_for(found(), |r| r.digest == "root").unwrap(), found());
}

/// What somebody who can write to the file would do with a token of little power: its place in the index leads to the
/// row of a mighty one, which is as it was sealed.
#[tokio::test]
async fn an_index_that_leads_to_another_token_gives_none() {
    const SWAP: &str = "
        CREATE TABLE decoys (digest TEXT PRIMARY KEY, accessor_key TEXT UNIQUE);
        INSERT INTO decoys VALUES ('root', 'accessor of root'), ('weak', 'accessor of weak');
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema AS mine SET rootpage = (SELECT decoy.rootpage FROM sqlite_schema AS decoy
            WHERE decoy.name = replace(mine.name, 'tokens', 'decoys'))
        WHERE mine.name LIKE 'sqlite_autoindex_tokens_%';";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store");
    let keyring = Arc::new(Keyring::new(Timestamp(0)));
    let open = || async {
        let storage = Storage::new(Arc::new(Sqlite::open(file.clone()).await.unwrap()));
        storage.unseal(Arc::clone(&keyring));
        storage
    };
    let storage = open().await;
    let ops = ["weak", "root"].map(|digest| Op::InsertToken(token(digest))).to_vec();
    assert_eq!(storage.apply(Batch { checks: vec![], ops }).await.unwrap(), Outcome::Applied);
    storage.close().await;

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file.join("cofferdam.db"));
    let mut editor = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(SWAP).execute(&mut editor).await.unwrap();
    editor.close().await.unwrap();

    let storage = open().await;
    for digest in ["weak", "root"] {
        assert!(storage.token(digest).await.is_err(), "{digest}");
        assert!(storage.token_by_accessor(&format!("accessor of {digest}")).await.is_err(), "accessor of {digest}");
        // The look-up of every request: what it remembers, it knows by this row.
        let opened = storage.sealed_token(digest).await.and_then(|row| row.map(|r| storage.open_token(r)).transpose());
        assert!(opened.is_err(), "{digest}");
    }
}

#[tokio::test]
async fn columns_that_security_hangs_on_cannot_be_forged() {
    let home = home().await;
    home.applied([Op::InsertLease(lease("l")), Op::InsertToken(token("d"))]).await;
    let row = home.below.lease("l").await.unwrap().unwrap();
    let forged = [
        LeaseRow { id: "other".into(), ..row.clone() },
        LeaseRow { id: "1".into(), mount: "n".into(), ..row.clone() },
        LeaseRow { mount: "n".into(), ..row.clone() },
        LeaseRow { backend: "c".into(), ..row.clone() },
        LeaseRow { generation: 2, ..row.clone() },
        LeaseRow { token: None, ..row.clone() },
        LeaseRow { token: Some("u".into()), ..row.clone() },
        LeaseRow { object_key: Some(String::new()), ..row.clone() },
    ];
    for forged in forged {
        let id = forged.id.clone();
        if let Some(there) = home.below.lease(&id).await.unwrap() {
            home.tamper(Op::DeleteLease { id: id.clone(), expect: there.version }).await;
        }
        home.tamper(Op::InsertLease(forged.clone())).await;
        assert!(home.storage.lease(&id).await.is_err(), "{forged:?}");
    }
    let row = home.below.token("d").await.unwrap().unwrap();
    for forged in [
        TokenRow { digest: "e".into(), ..row.clone() },
        TokenRow { accessor_key: "a".into(), ..row.clone() },
        TokenRow { parent: None, ..row.clone() },
        TokenRow { parent: Some("p".into()), ..row.clone() },
    ] {
        let digest = forged.digest.clone();
        home.tamper(Op::DeleteToken { digest: "d".into() }).await;
        home.tamper(Op::InsertToken(forged.clone())).await;
        assert!(home.storage.token(&digest).await.is_err(), "{forged:?}");
        home.tamper(Op::DeleteToken { digest }).await;
    }
    home.tamper(Op::InsertToken(TokenRow { live: false, due_at: None, uses_left: None, ..row })).await;
    assert!(home.storage.token("d").await.is_ok(), "what changes often is not bound");
}

#[tokio::test]
async fn a_bad_row_never_blocks_the_queue() {
    let home = home().await;
    let Home { below, storage } = &home;
    let due = |id: String, at| LeaseRow { due_at: Some(Timestamp(at)), ..lease(&id) };
    home.applied((0..10).map(|i| Op::InsertLease(due(format!("{i}"), i + 1)))).await;
    home.applied((0..4).map(|i| Op::InsertToken(TokenRow { due_at: Some(Timestamp(i)), ..token(&format!("{i}")) })))
        .await;
    // The first six leases and the first three tokens.
    for i in 0..6 {
        let bad = LeaseRow { body: b"junk".to_vec(), ..below.lease(&format!("{i}")).await.unwrap().unwrap() };
        home.tamper(Op::UpdateLease { expect: 1, row: bad }).await;
    }
    for i in 0..3 {
        let bad = TokenRow { body: b"junk".to_vec(), ..below.token(&format!("{i}")).await.unwrap().unwrap() };
        home.tamper(Op::UpdateToken { expect: 1, row: bad }).await;
    }
    let ids = |rows: Vec<LeaseRow>| rows.into_iter().map(|r| r.id).collect::<Vec<_>>();
    assert_eq!(ids(storage.leases_due(Timestamp(99), 2).await.unwrap()), ["6", "7"]);
    assert_eq!(ids(storage.leases_due(Timestamp(99), 99).await.unwrap()), ["6", "7", "8", "9"]);
    assert_eq!(ids(storage.leases(&LeaseFilter::default(), 3).await.unwrap()), ["6", "7", "8"]);
    assert_eq!(storage.tokens_due(Timestamp(99), 1).await.unwrap()[0].digest, "3");
    assert_eq!(storage.token_children("root", 1).await.unwrap()[0].digest, "3");
    assert_eq!(storage.tokens(None, 9).await.unwrap().len(), 1);
    assert_eq!(storage.unreadable(), 9);
    assert_eq!(storage.next_due().await.unwrap(), Some(Timestamp(3)), "the queue does not spin on them");
    home.applied([Op::DeleteToken { digest: "3".into() }]).await;
    assert_eq!(storage.next_due().await.unwrap(), Some(Timestamp(7)));
    assert_eq!(storage.count_leases(&LeaseFilter::default()).await.unwrap(), 10, "they still count");
    // Repaired or deleted.
    home.applied([Op::UpdateLease { expect: 2, row: due("0".into(), 1) }]).await;
    home.applied([Op::DeleteLease { id: "1".into(), expect: 2 }, Op::DeleteToken { digest: "0".into() }]).await;
    assert_eq!(storage.unreadable(), 6);
    assert_eq!(ids(storage.leases_due(Timestamp(99), 1).await.unwrap()), ["0"]);
}

#[tokio::test]
async fn a_view_sees_its_space_and_its_changes_are_checked() {
    let home = home().await;
    home.applied([put("s", "a/1", "x"), put("t", "a/1", "hidden")]).await;
    let view = home.storage.view("s");
    let seen = view.get("a/1").await.unwrap().unwrap();
    assert_eq!(seen.value, b"x");
    assert_eq!(view.get("t/a/1").await.unwrap(), None);
    assert_eq!(view.scan("", None, 9).await.unwrap().len(), 1);
    assert_eq!(view.list("", None, 9).await.unwrap(), ["a/"]);
    let (count, newest) = view.range("a/").await.unwrap();
    assert_eq!((count, newest), (1, seen.version));

    let changes = Changes {
        reads: vec![
            Read::Entry { key: "a/1".into(), version: seen.version },
            Read::Range { prefix: "a/".into(), count, newest },
        ],
        writes: vec![Write::Put { key: "a/2".into(), value: b"y".to_vec() }, Write::Delete { key: "a/1".into() }],
        slots: vec![],
        ..Changes::default()
    };
    let mut batch = Batch::new();
    batch.extend_changes("s", &changes);
    assert_eq!(batch.checks[0], Check::Entry { space: "s".into(), key: "a/1".into(), version: seen.version });
    assert_eq!(home.storage.apply(batch.clone()).await.unwrap(), Outcome::Applied);
    assert_eq!(view.list("a/", None, 9).await.unwrap(), ["2"]);
    assert_eq!(home.storage.apply(batch).await.unwrap(), Outcome::Conflict(Conflict::Stale));
    assert_eq!(home.storage.entry("t", "a/1").await.unwrap().unwrap().value, b"hidden");
}

#[tokio::test]
async fn a_rotated_keyring_reads_what_the_old_one_wrote() {
    let Home { storage, .. } = home().await;
    storage.apply(Batch::new().op(put("s", "a", "1"))).await.unwrap();
    storage.unseal(Arc::new(storage.keyring().unwrap().rotated(Timestamp(1))));
    storage.apply(Batch::new().op(put("s", "b", "2"))).await.unwrap();
    assert_eq!(storage.entries("s", "", None, 9).await.unwrap().len(), 2);
}

/// What a crash leaves behind must never be less than what was encrypted.
#[tokio::test]
async fn the_count_of_encryptions_survives_a_crash_and_is_never_too_low() {
    let Home { below, storage } = home().await;
    let keyring = storage.keyring().unwrap();
    let root = cofferdam_crypto::Key::random();
    let blob = keyring.wrap(&root).unwrap();
    for i in 0..20 {
        storage.apply(Batch::new().op(put("s", &i.to_string(), "1"))).await.unwrap();
    }
    let again = || Keyring::unwrap(&root, &blob).unwrap();
    let crashed = again();
    assert!(Storage::new(Arc::clone(&below)).recall_count(&crashed).await.unwrap());
    assert!(crashed.encryptions() >= keyring.encryptions() && keyring.encryptions() == 20);

    storage.settle_count().await.unwrap();
    let ended = again();
    assert!(Storage::new(Arc::clone(&below)).recall_count(&ended).await.unwrap());
    assert_eq!(ended.encryptions(), 20, "an orderly end knows it exactly");
    // What comes after the end is counted all the same.
    storage.apply(Batch::new().op(put("s", "late", "1"))).await.unwrap();
    let late = again();
    assert!(Storage::new(Arc::clone(&below)).recall_count(&late).await.unwrap());
    assert!(late.encryptions() >= 21);
}

#[tokio::test]
async fn a_count_that_was_made_up_is_no_count() {
    let Home { below, storage } = home().await;
    let keyring = storage.keyring().unwrap();
    assert!(!storage.recall_count(&keyring).await.unwrap(), "nothing is known before the first write");
    storage.apply(Batch::new().op(put("s", "a", "1"))).await.unwrap();
    assert!(storage.recall_count(&keyring).await.unwrap());
    let (key, real) = count::record(&keyring, 1_000);
    let lower = String::from_utf8(real.clone()).unwrap().replacen(":1000:", ":1:", 1);
    for forged in [lower.into_bytes(), b"1:1:".to_vec(), b"".to_vec(), count::record(&Keyring::new(Timestamp(0)), 1).1]
    {
        below.set_meta(vec![(key.clone(), forged)]).await.unwrap();
        assert!(!storage.recall_count(&keyring).await.unwrap());
    }
    below.set_meta(vec![(key.clone(), real)]).await.unwrap();
    assert!(storage.recall_count(&keyring).await.unwrap());
    assert!(!storage.recall_count(&keyring.rotated(Timestamp(1))).await.unwrap(), "that of another term");
}

#[tokio::test]
async fn a_sealed_plain_value_opens_under_its_own_name_only() {
    let Home { below, storage } = home().await;
    storage.set_sealed_meta("root", b"key").await.unwrap();
    assert_eq!(&**storage.sealed_meta("root").await.unwrap().unwrap(), b"key");
    let value = below.meta("root").await.unwrap().unwrap();
    assert!(!contains(&value, b"key"));
    below.set_meta(vec![("other".into(), value)]).await.unwrap();
    assert!(storage.sealed_meta("other").await.is_err());
    let next = Arc::new(storage.keyring().unwrap().rotated(Timestamp(1)));
    storage.seal();
    let error = storage.replace_keyring(next, vec![]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Sealed);
    assert!(storage.is_sealed(), "a rotation does not open what was closed");
}
