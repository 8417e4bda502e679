//! Entries, listings, plain values, gates.

use super::*;

#[tokio::test]
async fn entries_come_and_go() {
    for home in homes().await {
        assert_eq!(home.entry("s", "a").await.unwrap(), None);
        home.applied([put("s", "a", "1"), put("t", "a", "2"), put("s", "b", "")]).await;
        let a = home.entry("s", "a").await.unwrap().unwrap();
        let b = home.entry("s", "b").await.unwrap().unwrap();
        assert_eq!((a.key.as_str(), a.value.as_slice()), ("a", b"1".as_slice()));
        assert_eq!(b.value, b"");
        assert!(b.version > a.version && a.version > 0);
        home.applied([put("s", "a", "3"), delete("s", "b"), delete("s", "never")]).await;
        let again = home.entry("s", "a").await.unwrap().unwrap();
        assert!(again.version > b.version);
        assert_eq!(again.value, b"3");
        assert_eq!(home.entry("s", "b").await.unwrap(), None);
        home.applied([Op::DeleteSpace("s".into())]).await;
        assert_eq!(home.range("s", "").await.unwrap(), (0, 0));
        assert_eq!(home.entry("t", "a").await.unwrap().unwrap().value, b"2");
    }
}

#[tokio::test]
async fn large_bodies_and_odd_keys() {
    for home in homes().await {
        let large = "x".repeat(3 << 20);
        let odd = ["", "/", "//", "a\0", "a\0b/c", "%_'\"", "ключ/значение", "\u{10ffff}", "\u{10ffff}/x"];
        home.applied([put("s", "large", &large)]).await;
        home.applied(odd.iter().map(|k| put("odd", k, k))).await;
        assert_eq!(home.entry("s", "large").await.unwrap().unwrap().value.len(), large.len());
        for key in odd {
            assert_eq!(home.entry("odd", key).await.unwrap().unwrap().value, key.as_bytes(), "{key:?}");
        }
        assert_eq!(home.range("odd", "").await.unwrap().0, 9);
        assert_eq!(home.range("odd", "\u{10ffff}").await.unwrap().0, 2);
        assert_eq!(home.range("odd", "%").await.unwrap().0, 1);
        assert_eq!(
            home.names("odd", "", None, 100).await.unwrap(),
            ["/", "%_'\"", "a\0", "a\0b/", "ключ/", "\u{10ffff}", "\u{10ffff}/"]
                .map(str::to_owned)
                .into_iter()
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );
        assert_eq!(home.names("odd", "ключ/", None, 100).await.unwrap(), ["значение"]);
        assert_eq!(home.names("odd", "a\0b/", None, 100).await.unwrap(), ["c"]);
    }
}

#[tokio::test]
async fn scans_are_sorted_and_paged() {
    for home in homes().await {
        let keys = ["a", "a/", "a/1", "a/2", "a/b/c", "a0", "b"];
        home.applied(keys.iter().rev().map(|k| put("s", k, "")).chain([put("r", "a/9", "")])).await;
        let scan = async |prefix: &str, after: Option<&str>, limit| {
            let entries = home.entries("s", prefix, after, limit).await.unwrap();
            entries.into_iter().map(|e| e.key).collect::<Vec<_>>()
        };
        assert_eq!(scan("", None, 100).await, keys);
        assert_eq!(scan("a/", None, 100).await, ["a/", "a/1", "a/2", "a/b/c"]);
        assert_eq!(scan("a/", Some("a/1"), 1).await, ["a/2"]);
        assert_eq!(scan("a/", Some("a/b/c"), 9).await, [""; 0]);
        assert_eq!(scan("a/", Some("Z"), 1).await, ["a/"], "a text before the prefix excludes nothing");
        assert_eq!(scan("", Some("a"), 2).await, ["a/", "a/1"]);
        assert_eq!(scan("x", None, 100).await, [""; 0]);
        assert_eq!(scan("", None, 0).await, [""; 0]);
    }
}

#[tokio::test]
async fn names_are_what_the_keys_say() {
    for home in homes().await {
        let keys = ["a", "a!", "a/x/1", "a/x/2", "a/y", "a0", "b/c", "z"];
        home.applied(keys.map(|k| put("s", k, ""))).await;
        let names = async |prefix: &str, after, limit| home.names("s", prefix, after, limit).await.unwrap();
        let all = ["a", "a!", "a/", "a0", "b/", "z"];
        assert_eq!(names("", None, 100).await, all);
        for (i, name) in all.iter().enumerate() {
            assert_eq!(names("", Some(*name), 100).await, all[i + 1..], "after {name}");
            assert_eq!(names("", None, i).await, all[..i]);
        }
        assert_eq!(names("a/", None, 100).await, ["x/", "y"]);
        assert_eq!(names("a/x/", None, 100).await, ["1", "2"]);
        assert_eq!(names("b/", Some("c"), 100).await, [""; 0]);
        assert_eq!(names("nothing/", None, 100).await, [""; 0]);
        assert_eq!(home.names("other", "", None, 100).await.unwrap(), [""; 0]);
    }
}

/// Counts SQLite's own steps, which do not depend on the machine.
#[tokio::test]
async fn listing_does_not_pay_for_what_lies_in_the_folders() {
    let home = on_disk().await;
    let mut costs = Vec::new();
    for (space, entries) in [("small", 10), ("large", 5_000)] {
        home.applied((0..entries).flat_map(|i| {
            let key = format!("{i:05}");
            let lease = LeaseRow { mount: "m".into(), ..lease(&format!("{space}/b/{key}")) };
            [put(space, &format!("a/{key}"), ""), put(space, &format!("b/c/{key}"), ""), Op::InsertLease(lease)]
        }))
        .await;
        let steps = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        for lane in 0..home.readers.len() {
            let count = Arc::clone(&steps);
            let mut connection = home.readers.nth(lane).await;
            connection.lock_handle().await.unwrap().set_progress_handler(1, move || {
                count.fetch_add(1, Ordering::Relaxed);
                true
            });
        }
        assert_eq!(home.names(space, "", None, 100).await.unwrap(), ["a/", "b/"]);
        assert_eq!(home.lease_names(&format!("{space}/"), None, 100).await.unwrap(), ["b/"]);
        costs.push(steps.load(Ordering::Relaxed));
    }
    assert!(costs[0] > 0 && costs[1] < costs[0] * 2, "{costs:?}");
}

#[tokio::test]
async fn ranges_notice_every_change() {
    for home in homes().await {
        assert_eq!(home.range("s", "").await.unwrap(), (0, 0));
        home.applied([put("s", "a/1", ""), put("s", "a/2", ""), put("s", "b", "")]).await;
        let before = home.range("s", "a/").await.unwrap();
        assert_eq!(before.0, 2);
        home.applied([put("s", "b", "")]).await;
        assert_eq!(home.range("s", "a/").await.unwrap(), before);
        home.applied([delete("s", "a/1")]).await;
        let after = home.range("s", "a/").await.unwrap();
        assert_ne!(after, before);
        home.applied([put("s", "a/1", "")]).await;
        let back = home.range("s", "a/").await.unwrap();
        assert!(back != before && back != after);
        assert_eq!(home.range("s", "").await.unwrap().0, 3);
    }
}

#[tokio::test]
async fn plain_values() {
    for home in homes().await {
        assert_eq!(home.meta("a").await.unwrap(), None);
        home.set_meta(vec![("a".into(), b"1".to_vec()), ("b".into(), vec![])]).await.unwrap();
        home.set_meta(vec![("a".into(), b"2".to_vec())]).await.unwrap();
        assert_eq!(home.meta("a").await.unwrap().as_deref(), Some(b"2".as_slice()));
        assert_eq!(home.meta("b").await.unwrap().as_deref(), Some(b"".as_slice()));
    }
}

#[tokio::test]
async fn reopening_finds_everything_and_never_reuses_a_version() {
    let home = on_disk().await;
    home.set_meta(vec![("k".into(), b"v".to_vec())]).await.unwrap();
    home.applied((0..100).map(|i| put("s", &i.to_string(), ""))).await;
    let newest = home.range("s", "").await.unwrap().1;
    home.applied([Op::DeleteSpace("s".into()), put("t", "kept", "here")]).await;
    home.close().await;
    let again = Sqlite::open(home.path()).await.unwrap();
    assert_eq!(again.meta("k").await.unwrap().as_deref(), Some(b"v".as_slice()));
    assert_eq!(again.entry("t", "kept").await.unwrap().unwrap().value, b"here");
    again.apply(Batch::new().op(put("s", "a", ""))).await.unwrap();
    assert!(again.entry("s", "a").await.unwrap().unwrap().version > newest + 1);
}

/// What a killed server leaves behind: its files as they are, the log not yet moved.
#[tokio::test]
async fn what_was_acknowledged_is_in_the_files() {
    let home = on_disk().await;
    for i in 0..20 {
        home.applied([put("s", &i.to_string(), "x")]).await;
        let copy = tempfile::tempdir().unwrap();
        let (from, to) = (cap(&home.path()), cap(copy.path()));
        for file in ["cofferdam.db", "cofferdam.db-wal"] {
            from.copy(file, &to, file).unwrap();
        }
        let other = Sqlite::open(copy.path()).await.unwrap();
        assert_eq!(other.range("s", "").await.unwrap().0, i + 1);
    }
}

fn cap(path: &Path) -> cap_std::fs::Dir {
    cap_std::fs::Dir::open_ambient_dir(path, cap_std::ambient_authority()).unwrap()
}
