//! Checks and expectations: what fails, and that nothing of it stays.

use super::*;

#[tokio::test]
async fn entries_and_ranges_are_checked() {
    for home in homes().await {
        home.applied([put("s", "a/1", "1")]).await;
        let version = home.entry("s", "a/1").await.unwrap().unwrap().version;
        let entry = |key: &str, version| Check::Entry { space: "s".into(), key: key.into(), version };
        let range =
            |prefix: &str, count, newest| Check::Range { space: "s".into(), prefix: prefix.into(), count, newest };
        for (check, holds) in [
            (entry("a/1", version), true),
            (entry("a/1", version - 1), false),
            (entry("a/1", 0), false),
            (entry("none", 0), true),
            (entry("none", version), false),
            (range("a/", 1, version), true),
            (range("", 1, version), true),
            (range("b", 0, 0), true),
            (range("a/", 0, 0), false),
            (range("a/", 1, version - 1), false),
            (range("a/", 2, version), false),
        ] {
            let expected = if holds { Outcome::Applied } else { conflict(Conflict::Stale) };
            assert_eq!(home.check(check.clone()).await, expected, "{check:?}");
        }
    }
}

#[tokio::test]
async fn gates_are_checked() {
    for home in homes().await {
        let gate = || Check::GateOpen("g".into());
        let set = |open| Op::SetGate { gate: "g".into(), open };
        let shut = conflict(Conflict::GateShut("g".into()));
        assert_eq!(home.check(gate()).await, shut);
        home.applied([set(true)]).await;
        assert_eq!(home.check(gate()).await, Outcome::Applied);
        home.applied([set(false)]).await;
        assert_eq!(home.check(gate()).await, shut);
        home.applied([set(true), Op::DeleteGate("g".into())]).await;
        assert_eq!(home.check(gate()).await, shut);
    }
}

#[tokio::test]
async fn tokens_are_checked() {
    for home in homes().await {
        let row = |digest: &str, live, due: Option<i64>, uses| {
            Op::InsertToken(TokenRow { live, due_at: due.map(Timestamp), uses_left: uses, ..token(digest) })
        };
        home.applied([
            row("ever", true, None, None),
            row("until 10", true, Some(10), None),
            row("ended", false, None, None),
            row("used up", true, None, Some(0)),
        ])
        .await;
        for (digest, now, live) in [
            ("ever", i64::MAX, true),
            ("until 10", 9, true),
            ("until 10", 10, false),
            ("ended", 0, false),
            ("used up", 0, true),
            ("none", 0, false),
        ] {
            let check = Check::TokenLive { digest: digest.into(), now: Timestamp(now) };
            let expected = if live { Outcome::Applied } else { conflict(Conflict::TokenGone) };
            assert_eq!(home.check(check).await, expected, "{digest} at {now}");
        }
    }
}

#[tokio::test]
async fn objects_belong_to_one_lease() {
    for home in homes().await {
        let with = |id: &str, object: &str| LeaseRow { object_key: Some(object.into()), ..lease(id) };
        let free = |object: &str| Check::ObjectFree { object_key: object.into() };
        home.applied([Op::InsertLease(with("a", "o")), Op::InsertLease(lease("b"))]).await;
        assert_eq!(home.check(free("o")).await, conflict(Conflict::ObjectTaken));
        assert_eq!(home.check(free("p")).await, Outcome::Applied);
        assert_eq!(home.run([Op::InsertLease(with("c", "o"))]).await, conflict(Conflict::ObjectTaken));
        assert_eq!(home.run([Op::InsertLease(with("a", "q"))]).await, conflict(Conflict::RowMoved));
        let take = Op::UpdateLease { expect: 1, row: with("b", "o") };
        assert_eq!(home.run([take]).await, conflict(Conflict::ObjectTaken));
        home.applied([Op::DeleteLease { id: "a".into(), expect: 1 }, Op::InsertLease(with("c", "o"))]).await;
    }
}

#[tokio::test]
async fn rows_that_moved_are_noticed() {
    for home in homes().await {
        home.applied([Op::InsertLease(lease("a")), Op::InsertToken(token("t"))]).await;
        let moved = conflict(Conflict::RowMoved);
        let taken = TokenRow { accessor_key: "accessor of t".into(), ..token("u") };
        for op in [
            Op::InsertLease(lease("a")),
            Op::UpdateLease { expect: 2, row: lease("a") },
            Op::UpdateLease { expect: 1, row: lease("none") },
            Op::DeleteLease { id: "a".into(), expect: 2 },
            Op::DeleteLease { id: "none".into(), expect: 1 },
            Op::InsertToken(token("t")),
            Op::InsertToken(taken),
            Op::UpdateToken { expect: 2, row: token("t") },
            Op::UpdateToken { expect: 1, row: token("none") },
        ] {
            assert_eq!(home.run([op.clone()]).await, moved, "{op:?}");
            assert_eq!(home.run([put("s", "k", "v"), op.clone()]).await, moved, "{op:?}");
        }
        assert_eq!(home.entry("s", "k").await.unwrap(), None, "what came before the conflict is undone");
        assert_eq!(home.lease("a").await.unwrap().unwrap(), lease("a"));
        assert_eq!(home.token("t").await.unwrap().unwrap(), token("t"));
    }
}

#[tokio::test]
async fn a_failed_check_changes_nothing() {
    for home in homes().await {
        let batch = Batch::new().check(Check::GateOpen("shut".into())).op(put("s", "a", "")).op(delete("s", "b"));
        home.applied([put("s", "b", "")]).await;
        assert_eq!(home.apply(batch).await.unwrap(), conflict(Conflict::GateShut("shut".into())));
        assert_eq!(home.names("s", "", None, 9).await.unwrap(), ["b"]);
    }
}
