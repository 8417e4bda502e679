//! Entries that are read together.

use std::time::Duration;

use super::faults::overwrite;
use super::*;

/// Lets so many ask for entries at once, and reads them together.
async fn at_once(home: &Home, keys: &[String]) -> Vec<Result<Option<StoredEntry>>> {
    let mut held = Vec::new();
    for _ in 0..home.readers.len() {
        held.push(home.readers.take().await.unwrap());
    }
    let asking: Vec<_> = keys
        .iter()
        .map(|key| {
            let (store, key) = (Arc::clone(&home.store), key.clone());
            tokio::spawn(async move { store.entry("s", &key).await })
        })
        .collect();
    while home.gathered.waiting() < keys.len() {
        tokio::task::yield_now().await;
    }
    drop(held);
    let mut found = Vec::new();
    for asking in asking {
        found.push(asking.await.unwrap());
    }
    found
}

fn key(n: usize) -> String {
    format!("k{n}")
}

#[tokio::test]
async fn everybody_gets_what_he_asked_for() {
    for home in homes().await {
        home.applied((0..100).step_by(2).map(|n| put("s", &key(n), &n.to_string()))).await;
        home.applied([put("t", &key(1), "another space's")]).await;
        for count in [2, 3, 32, 33, 100] {
            let keys: Vec<String> = (0..count).map(key).collect();
            home.rows.clear();
            for (n, found) in at_once(&home, &keys).await.into_iter().enumerate() {
                let expected = (n % 2 == 0).then(|| n.to_string().into_bytes());
                assert_eq!(found.unwrap().map(|entry| entry.value), expected, "{n} of {count}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_damaged_concerns_nobody_else() {
    let home = on_disk().await;
    home.applied([put("s", "good", "1"), put("s", "bad", &"x".repeat(100_000))]).await;
    home.close().await;
    let file = home.path().join("cofferdam.db");
    let dir = cap_std::fs::Dir::open_ambient_dir(home.path(), cap_std::ambient_authority()).unwrap();
    let bytes = dir.read("cofferdam.db").unwrap();
    // Each page of a long value begins with the number of the next.
    let page = bytes.chunks(4096).position(|page| page[4..].iter().all(|byte| *byte == b'x')).unwrap();
    overwrite(&file, (page * 4096) as u64, &[0xff; 4]);

    let store = Arc::new(Sqlite::open(home.path()).await.unwrap());
    let home = Home { store, directory: home.directory };
    let found = at_once(&home, &["good".to_owned(), "bad".to_owned(), "none".to_owned()]).await;
    assert_eq!(found[0].as_ref().unwrap().as_ref().unwrap().value, b"1");
    assert!(found[1].as_ref().unwrap_err().messages[0].contains("damaged"), "{:?}", found[1]);
    assert_eq!(found[2].as_ref().unwrap(), &None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_for_others_may_be_stopped() {
    let home = on_disk().await;
    home.applied((0..8).map(|n| put("s", &key(n), "1"))).await;
    for round in 0..200 {
        home.rows.clear();
        let asking: Vec<_> = (0..8)
            .map(|n| {
                let store = Arc::clone(&home.store);
                tokio::spawn(async move { store.entry("s", &key(n)).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(round)).await;
        for asking in asking.iter().take(4) {
            asking.abort();
        }
        for asking in asking.into_iter().skip(4) {
            assert_eq!(asking.await.unwrap().unwrap().unwrap().value, b"1");
        }
    }
}
