//! Leases: searching, listing, what is due.

use super::*;

async fn ids(home: &Home, filter: LeaseFilter, limit: usize) -> Vec<String> {
    home.leases(&filter, limit).await.unwrap().into_iter().map(|l| l.id).collect()
}

#[tokio::test]
async fn a_row_comes_back_as_it_was() {
    for home in homes().await {
        let row = LeaseRow {
            token: Some("t".into()),
            object_key: Some("o".into()),
            state: LeaseState::Settling,
            due_at: Some(Timestamp(-5)),
            generation: i64::MAX,
            ..lease("a/1")
        };
        home.applied([Op::InsertLease(row.clone()), Op::InsertLease(lease("a/2"))]).await;
        assert_eq!(home.lease("a/1").await.unwrap(), Some(row.clone()));
        assert_eq!(home.lease("a/2").await.unwrap(), Some(lease("a/2")));
        assert_eq!(home.lease("a/3").await.unwrap(), None);

        for state in [LeaseState::Pending, LeaseState::Active, LeaseState::Revoking, LeaseState::Blocked] {
            let now = home.lease("a/1").await.unwrap().unwrap();
            let next = LeaseRow { state, version: now.version + 1, body: format!("{state:?}").into(), ..row.clone() };
            home.applied([Op::UpdateLease { expect: now.version, row: next.clone() }]).await;
            assert_eq!(home.lease("a/1").await.unwrap(), Some(next));
        }
        // What a lease hangs on can be changed too.
        let moved = LeaseRow { version: 6, token: None, object_key: None, mount: "n".into(), ..row.clone() };
        home.applied([Op::UpdateLease { expect: 5, row: moved.clone() }]).await;
        assert_eq!(home.lease("a/1").await.unwrap(), Some(moved));
        home.applied([Op::DeleteLease { id: "a/1".into(), expect: 6 }]).await;
        assert_eq!(home.lease("a/1").await.unwrap(), None);
    }
}

#[tokio::test]
async fn filters_combine() {
    for home in homes().await {
        let rows = [
            LeaseRow { token: Some("t".into()), ..lease("a/1") },
            LeaseRow { token: Some("t".into()), state: LeaseState::Pending, ..lease("a/2") },
            LeaseRow { generation: 2, ..lease("a/3") },
            LeaseRow { backend: "c".into(), ..lease("b/1") },
            LeaseRow { mount: "n".into(), token: Some("t".into()), ..lease("b/2") },
        ];
        home.applied(rows.map(Op::InsertLease)).await;
        let none = LeaseFilter::default;
        let cases: [(LeaseFilter, &[&str]); 12] = [
            (none(), &["a/1", "a/2", "a/3", "b/1", "b/2"]),
            (LeaseFilter { prefix: Some("a/".into()), ..none() }, &["a/1", "a/2", "a/3"]),
            (LeaseFilter { prefix: Some("a/2".into()), ..none() }, &["a/2"]),
            (LeaseFilter { prefix: Some("a/".into()), after: Some("a/1".into()), ..none() }, &["a/2", "a/3"]),
            (LeaseFilter { token: Some("t".into()), ..none() }, &["a/1", "a/2", "b/2"]),
            (LeaseFilter { token: Some("t".into()), prefix: Some("b/".into()), ..none() }, &["b/2"]),
            (LeaseFilter { mount: Some("m".into()), ..none() }, &["a/1", "a/2", "a/3", "b/1"]),
            (LeaseFilter { mount: Some("m".into()), backend: Some("c".into()), ..none() }, &["b/1"]),
            (
                LeaseFilter { mount: Some("m".into()), backend: Some("b".into()), generation: Some(2), ..none() },
                &["a/3"],
            ),
            (LeaseFilter { state: Some(LeaseState::Pending), ..none() }, &["a/2"]),
            (LeaseFilter { state: Some(LeaseState::Blocked), ..none() }, &[]),
            (LeaseFilter { after: Some("b/1".into()), ..none() }, &["b/2"]),
        ];
        for (filter, expected) in cases {
            assert_eq!(ids(&home, filter.clone(), 100).await, expected, "{filter:?}");
            assert_eq!(home.count_leases(&filter).await.unwrap(), i64::try_from(expected.len()).unwrap());
            assert_eq!(ids(&home, filter.clone(), 1).await, expected[..expected.len().min(1)]);
        }
    }
}

#[tokio::test]
async fn names_are_not_those_of_creates_under_way() {
    for home in homes().await {
        let pending = |id| LeaseRow { state: LeaseState::Pending, ..lease(id) };
        home.applied([
            Op::InsertLease(lease("db/creds/ro/1")),
            Op::InsertLease(lease("db/creds/ro/2")),
            Op::InsertLease(lease("db/creds/rw/1")),
            Op::InsertLease(pending("db/creds/no/1")),
            Op::InsertLease(pending("aa/1")),
            Op::InsertLease(lease("x/1")),
        ])
        .await;
        assert_eq!(home.lease_names("", None, 100).await.unwrap(), ["db/", "x/"]);
        assert_eq!(home.lease_names("", Some("db/"), 100).await.unwrap(), ["x/"]);
        assert_eq!(home.lease_names("db/creds/", None, 100).await.unwrap(), ["ro/", "rw/"]);
        assert_eq!(home.lease_names("db/creds/", None, 1).await.unwrap(), ["ro/"]);
        assert_eq!(home.lease_names("db/creds/ro/", None, 100).await.unwrap(), ["1", "2"]);
    }
}

#[tokio::test]
async fn a_lease_keeps_its_name_until_it_is_taken_back() {
    for home in homes().await {
        let row = |id, state| LeaseRow { state, ..lease(id) };
        home.applied([
            Op::InsertLease(lease("db/ro/2")),
            Op::InsertLease(row("db/ro/1", LeaseState::Revoking)),
            Op::InsertLease(row("db/ro/3", LeaseState::Blocked)),
            Op::InsertLease(row("db/no/1", LeaseState::Settling)),
            Op::InsertLease(row("stuck/1", LeaseState::Revoking)),
        ])
        .await;
        assert_eq!(home.lease_names("db/ro/", None, 100).await.unwrap(), ["1", "2", "3"]);
        assert_eq!(home.lease_names("db/ro/", None, 2).await.unwrap(), ["1", "2"]);
        assert_eq!(home.lease_names("db/ro/", Some("2"), 2).await.unwrap(), ["3"]);
        assert_eq!(home.lease_names("", None, 100).await.unwrap(), ["db/", "stuck/"]);
        assert_eq!(home.lease_names("db/", None, 100).await.unwrap(), ["ro/"]);
    }
}

#[tokio::test]
async fn what_is_due_comes_earliest_first() {
    for home in homes().await {
        assert_eq!(home.next_due().await.unwrap(), None);
        let due = |id: &str, at| Op::InsertLease(LeaseRow { due_at: Some(Timestamp(at)), ..lease(id) });
        home.applied([due("a", 30), due("b", 10), due("c", 20), Op::InsertLease(lease("never"))]).await;
        let at = async |now, limit| {
            let rows = home.leases_due(Timestamp(now), limit).await.unwrap();
            rows.into_iter().map(|l| l.id).collect::<Vec<_>>()
        };
        assert_eq!(at(5, 10).await, [""; 0]);
        assert_eq!(at(10, 10).await, ["b"]);
        assert_eq!(at(i64::MAX, 10).await, ["b", "c", "a"]);
        assert_eq!(at(i64::MAX, 2).await, ["b", "c"]);
        assert_eq!(home.next_due().await.unwrap(), Some(Timestamp(10)));
        home.applied([Op::InsertToken(TokenRow { due_at: Some(Timestamp(3)), ..token("t") })]).await;
        assert_eq!(home.next_due().await.unwrap(), Some(Timestamp(3)));
        home.applied([Op::DeleteToken { digest: "t".into() }, Op::DeleteLease { id: "b".into(), expect: 1 }]).await;
        assert_eq!(home.next_due().await.unwrap(), Some(Timestamp(20)));
    }
}

#[tokio::test]
async fn the_queue_goes_on_behind_backends_that_are_left_out() {
    for home in homes().await {
        let due = |id: &str, mount: &str, backend: &str, at| {
            Op::InsertLease(LeaseRow {
                mount: mount.into(),
                backend: backend.into(),
                due_at: Some(Timestamp(at)),
                ..lease(id)
            })
        };
        home.applied([due("a", "m", "x", 1), due("b", "m", "y", 2), due("c", "n", "x", 3), due("d", "m", "x", 4)])
            .await;
        let at = async |except: &[(String, String)], limit| {
            let rows = home.leases_due_except(Timestamp(9), except, limit).await.unwrap();
            rows.into_iter().map(|l| l.id).collect::<Vec<_>>()
        };
        let key = |mount: &str, backend: &str| (mount.to_owned(), backend.to_owned());
        assert_eq!(at(&[], 9).await, ["a", "b", "c", "d"]);
        assert_eq!(at(&[key("m", "x")], 9).await, ["b", "c"], "the name alone is not the backend");
        assert_eq!(at(&[key("m", "x")], 1).await, ["b"]);
        assert_eq!(at(&[key("m", "x"), key("m", "y")], 9).await, ["c"]);
        let mut many: Vec<_> = (0..1_000).map(|n| key("m", &n.to_string())).collect();
        many.push(key("n", "x"));
        assert_eq!(at(&many, 9).await, ["a", "b", "d"]);
    }
}

/// The queries that must not read whole tables say so themselves.
#[tokio::test]
async fn queries_use_their_indexes() {
    let home = on_disk().await;
    let plans = [
        ("SELECT body FROM leases WHERE due_at <= ? ORDER BY due_at LIMIT 1", "leases_due"),
        ("SELECT body FROM leases WHERE token = ? AND id > ? ORDER BY id LIMIT 1", "leases_token"),
        ("SELECT body FROM leases WHERE mount = ? AND id > ? ORDER BY id LIMIT 1", "leases_mount"),
        (
            "SELECT body FROM leases WHERE mount = ? AND backend = ? AND generation = ? ORDER BY id LIMIT 1",
            "leases_backend",
        ),
        ("SELECT body FROM leases WHERE state = ? AND id >= ? AND id < ? ORDER BY id LIMIT 1", "leases_state"),
        ("SELECT 1 FROM leases WHERE object_key = ?", "leases_object"),
        ("SELECT body FROM tokens WHERE parent = ? ORDER BY digest LIMIT 1", "tokens_parent"),
        ("SELECT body FROM tokens WHERE due_at <= ? ORDER BY due_at LIMIT 1", "tokens_due"),
        ("SELECT min(due_at) FROM tokens WHERE due_at IS NOT NULL", "tokens_due"),
    ];
    for (sql, index) in plans {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(explain)).fetch_all(&mut *home.reader().await.unwrap()).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|r| sqlx::Row::get(r, 3)).collect();
        assert!(plan.iter().all(|p| p.starts_with("SEARCH")) && plan[0].contains(index), "{sql}: {plan:?}");
    }
}
