//! Many batches in one commit.

use futures::future::join_all;

use super::*;

#[tokio::test]
async fn batches_share_commits() {
    let home = on_disk().await;
    let before = home.stats();
    // One poll each, so all are queued before the writer runs.
    let results = join_all((0..200).map(|i| home.run([put("s", &i.to_string(), "x")]))).await;
    assert!(results.iter().all(|r| *r == Outcome::Applied));
    let after = home.stats();
    assert_eq!(after.batches - before.batches, 200);
    assert!(after.commits - before.commits <= 10, "{} commits", after.commits - before.commits);
    assert_eq!(home.range("s", "").await.unwrap().0, 200);
}

#[tokio::test]
async fn later_batches_of_a_group_see_earlier_ones() {
    for home in homes().await {
        let absent = Check::Entry { space: "s".into(), key: "once".into(), version: 0 };
        let create = || home.apply(Batch::new().check(absent.clone()).op(put("s", "once", "x")));
        let before = home.stats().commits;
        let results = join_all((0..50).map(|_| create())).await;
        let applied = results.iter().filter(|r| *r.as_ref().unwrap() == Outcome::Applied).count();
        assert_eq!(applied, 1);
        assert!(home.stats().commits - before < 50, "this was to test groups");
    }
}

#[tokio::test]
async fn a_conflict_does_not_disturb_its_neighbours() {
    for home in homes().await {
        home.applied([Op::InsertLease(lease("taken"))]).await;
        let results = join_all((0..100).map(|i| {
            let mut ops = vec![put("s", &i.to_string(), "x")];
            if i % 3 == 0 {
                ops.push(Op::InsertLease(lease("taken")));
                ops.push(put("s", "never", ""));
            }
            home.run(ops)
        }))
        .await;
        for (i, result) in results.into_iter().enumerate() {
            let kept = home.entry("s", &i.to_string()).await.unwrap().is_some();
            assert_eq!(kept, i % 3 != 0);
            assert_eq!(result == Outcome::Applied, kept);
        }
        assert_eq!(home.entry("s", "never").await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counters_under_contention_lose_nothing() {
    for home in homes().await {
        home.applied([put("s", "n", "0")]).await;
        let tasks = (0..16).map(|_| {
            let store = Arc::clone(&home.store);
            tokio::spawn(async move {
                for _ in 0..10 {
                    loop {
                        let seen = store.entry("s", "n").await.unwrap().unwrap();
                        let n: i64 = std::str::from_utf8(&seen.value).unwrap().parse().unwrap();
                        let check = Check::Entry { space: "s".into(), key: "n".into(), version: seen.version };
                        let batch = Batch::new().check(check).op(put("s", "n", &(n + 1).to_string()));
                        if store.apply(batch).await.unwrap() == Outcome::Applied {
                            break;
                        }
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert_eq!(home.entry("s", "n").await.unwrap().unwrap().value, b"160");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_task_reads_what_it_wrote() {
    for home in homes().await {
        let tasks = (0..16).map(|t| {
            let store = Arc::clone(&home.store);
            tokio::spawn(async move {
                for i in 0..20 {
                    let (key, value) = (format!("{t}"), format!("{i}"));
                    store.apply(Batch::new().op(put("s", &key, &value))).await.unwrap();
                    assert_eq!(store.entry("s", &key).await.unwrap().unwrap().value, value.as_bytes());
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_go_away_disturb_nothing() {
    for home in homes().await {
        for i in 0..100 {
            let store = Arc::clone(&home.store);
            let task = tokio::spawn(async move {
                store
                    .apply(Batch::new().op(put("s", &i.to_string(), "a")).op(put("t", &i.to_string(), "b")))
                    .await
                    .ok();
                store.entries("s", "", None, 1000).await.ok();
            });
            if i % 2 == 0 {
                tokio::task::yield_now().await;
            }
            task.abort();
        }
        home.applied([put("s", "last", "")]).await;
        let mut first = home.names("s", "", None, 1000).await.unwrap();
        first.retain(|n| n != "last");
        assert_eq!(first, home.names("t", "", None, 1000).await.unwrap(), "a batch is there whole or not at all");
    }
}
