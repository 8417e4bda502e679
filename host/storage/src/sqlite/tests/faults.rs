//! Full, read-only, damaged, foreign, newer, in use, closed.

use std::io::{Seek as _, Write as _};

use futures::future::join_all;

use super::*;
use crate::sqlite::writer::Spoil;

fn big() -> Op {
    put("s", "big", &"x".repeat(1 << 20))
}

#[tokio::test]
async fn a_full_store_says_so_and_recovers() {
    for home in homes().await {
        home.applied([put("s", "before", "")]).await;
        home.spoil(Spoil::Run("PRAGMA max_page_count = 40")).await;
        let error = home.apply(Batch::new().op(put("s", "gone", "")).op(big())).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(error.messages[0].contains("full"), "{error}");
        assert_eq!(home.names("s", "", None, 9).await.unwrap(), ["before"]);
        home.applied([put("s", "small", "")]).await;
        home.spoil(Spoil::Run("PRAGMA max_page_count = 100000")).await;
        home.applied([big()]).await;
        assert_eq!(home.names("s", "", None, 9).await.unwrap(), ["before", "big", "small"]);
    }
}

#[tokio::test]
async fn one_that_does_not_fit_does_not_fail_its_group() {
    for home in homes().await {
        home.applied([put("s", "before", "")]).await;
        home.spoil(Spoil::Run("PRAGMA max_page_count = 60")).await;
        let one = |i: usize| if i == 5 { big() } else { put("s", &i.to_string(), "") };
        let results = join_all((0..10).map(|i| home.apply(Batch::new().op(one(i))))).await;
        for (i, result) in results.into_iter().enumerate() {
            assert_eq!(result.is_ok(), i != 5, "{i}: {result:?}");
        }
        assert_eq!(home.range("s", "").await.unwrap().0, 10);
    }
}

#[tokio::test]
async fn a_read_only_store_refuses_writes_and_serves_reads() {
    for home in homes().await {
        home.applied([put("s", "a", "")]).await;
        home.spoil(Spoil::Run("PRAGMA query_only = ON")).await;
        for _ in 0..2 {
            let error = home.apply(Batch::new().op(put("s", "b", ""))).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable);
            assert!(error.messages[0].contains("read-only"), "{error}");
        }
        assert!(home.entry("s", "a").await.unwrap().is_some());
        home.spoil(Spoil::Run("PRAGMA query_only = OFF")).await;
        assert!(home.apply(Batch::new().op(put("s", "b", ""))).await.is_err(), "refused until opened anew");
    }
}

#[tokio::test]
async fn a_failed_commit_fails_its_whole_group_and_all_later_writes() {
    for home in homes().await {
        home.applied([put("s", "before", "")]).await;
        home.spoil(Spoil::Commits).await;
        let results = join_all((0..10).map(|i| home.apply(Batch::new().op(put("s", &i.to_string(), ""))))).await;
        for result in results {
            let error = result.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable);
            assert!(error.messages[0].contains("restart"), "{error}");
        }
        assert!(home.set_meta(vec![]).await.is_err());
        assert_eq!(home.names("s", "", None, 99).await.unwrap(), ["before"], "reads are still served");
    }
}

#[tokio::test]
async fn a_lock_of_somebody_else_passes() {
    let home = on_disk().await;
    home.spoil(Spoil::Run("PRAGMA busy_timeout = 50")).await;
    let mut other = SqliteConnectOptions::new().filename(home.path().join("cofferdam.db")).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = home.apply(Batch::new().op(put("s", "a", ""))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.messages[0].contains("busy"), "{error}");
    assert_eq!(home.entry("s", "a").await.unwrap(), None);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    home.applied([put("s", "a", "")]).await;
}

#[tokio::test]
async fn damage_is_told() {
    let home = on_disk().await;
    home.applied((0..2000).map(|i| put("s", &format!("{i:05}"), "some value of some length"))).await;
    home.close().await;
    let path = home.path().join("cofferdam.db");
    // Behind the schema's pages.
    overwrite(&path, 40 * 4096, &[0xa5; 4096 * 20]);
    let store = Sqlite::open(home.path()).await.unwrap();
    let error = store.entries("s", "", None, 5000).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.messages[0].contains("damaged"), "{error}");
    drop(store);

    let home = on_disk().await;
    home.close().await;
    overwrite(&home.path().join("cofferdam.db"), 0, b"this is not a database, whatever its name says........");
    let error = Sqlite::open(home.path()).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.messages[0].contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_log_without_its_database_is_not_thrown_away() {
    let home = on_disk().await;
    home.close().await;
    let dir = cap_std::fs::Dir::open_ambient_dir(home.path(), cap_std::ambient_authority()).unwrap();
    dir.write("cofferdam.db-wal", "what was acknowledged last").unwrap();
    dir.write("cofferdam.db", "").unwrap();
    let error = Sqlite::open(home.path()).await.err().unwrap();
    assert!(error.messages[0].contains("damaged"), "{error}");
    assert!(error.to_string().contains("cofferdam.db is missing or empty"), "{error}");
    assert_eq!(dir.read_to_string("cofferdam.db-wal").unwrap(), "what was acknowledged last");
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let below = temp.path().join("not/there/yet");
    Sqlite::open(&below).await.unwrap().close().await;
    let file = below.join("cofferdam.db");
    let error = Sqlite::open(&file).await.err().unwrap();
    assert!(error.messages[0].contains("cannot be opened"), "{error}");
    assert!(error.messages[0].contains(file.to_str().unwrap()), "{error}");
}

#[expect(clippy::disallowed_methods, reason = "a test does damage from outside")]
pub(super) fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(std::io::SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[tokio::test]
async fn only_our_own_files_of_this_version_are_opened() {
    for (sql, word) in [("UPDATE store SET schema = 2", "schema 2"), ("DROP TABLE store", "another program")] {
        let home = on_disk().await;
        home.spoil(Spoil::Run(sql)).await;
        home.close().await;
        let error = Sqlite::open(home.path()).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(error.messages[0].contains(word), "{error}");
    }
}

#[tokio::test]
async fn two_servers_do_not_share_a_store() {
    let home = on_disk().await;
    let error = Sqlite::open(home.path()).await.err().unwrap();
    assert!(error.messages[0].contains("in use by another server"), "{error}");
    home.applied([put("s", "a", "")]).await;
    home.close().await;
    let again = Sqlite::open(home.path()).await.unwrap();
    assert!(again.entry("s", "a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_closed_store_refuses() {
    for home in homes().await {
        let last = home.apply(Batch::new().op(put("s", "a", "")));
        let (last, ()) = futures::join!(last, home.close());
        assert_eq!(last.unwrap(), Outcome::Applied, "what was accepted is written");
        assert_eq!(home.apply(Batch::new()).await.unwrap_err().kind, ErrorKind::Unavailable);
        assert_eq!(home.entry("s", "a").await.unwrap_err().kind, ErrorKind::Unavailable);
        home.close().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private() {
    use cap_std::fs::PermissionsExt as _;
    let home = on_disk().await;
    home.applied([put("s", "a", "")]).await;
    let dir = cap_std::fs::Dir::open_ambient_dir(home.path(), cap_std::ambient_authority()).unwrap();
    assert_eq!(dir.dir_metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for file in ["cofferdam.db", "cofferdam.db-wal", "cofferdam.db-shm", "cofferdam.lock"] {
        assert_eq!(dir.metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}
