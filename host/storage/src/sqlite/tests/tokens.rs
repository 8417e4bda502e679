//! Tokens.

use super::*;

#[tokio::test]
async fn a_row_comes_back_as_it_was() {
    for home in homes().await {
        let row = TokenRow {
            parent: Some("p".into()),
            due_at: Some(Timestamp(7)),
            uses_left: Some(3),
            live: false,
            ..token("a")
        };
        home.applied([Op::InsertToken(row.clone()), Op::InsertToken(token("b"))]).await;
        assert_eq!(home.token("a").await.unwrap(), Some(row.clone()));
        assert_eq!(home.token("c").await.unwrap(), None);
        assert_eq!(home.token_by_accessor("accessor of b").await.unwrap(), Some(token("b")));
        assert_eq!(home.token_by_accessor("b").await.unwrap(), None);
        home.applied([Op::DeleteToken { digest: "a".into() }, Op::DeleteToken { digest: "a".into() }]).await;
        assert_eq!(home.token("a").await.unwrap(), None);
    }
}

#[tokio::test]
async fn lists_children_and_due_tokens() {
    for home in homes().await {
        let child = |digest, due| {
            Op::InsertToken(TokenRow { parent: Some("a".into()), due_at: Some(Timestamp(due)), ..token(digest) })
        };
        home.applied([Op::InsertToken(token("a")), child("c", 1), child("b", 2), child("d", 3)]).await;
        let digests = |rows: Vec<TokenRow>| rows.into_iter().map(|t| t.digest).collect::<Vec<_>>();
        assert_eq!(digests(home.tokens(None, 9).await.unwrap()), ["a", "b", "c", "d"]);
        assert_eq!(digests(home.tokens(Some("b"), 1).await.unwrap()), ["c"]);
        assert_eq!(digests(home.token_children("a", 9).await.unwrap()), ["b", "c", "d"]);
        assert_eq!(digests(home.token_children("a", 2).await.unwrap()), ["b", "c"]);
        assert_eq!(digests(home.token_children("b", 9).await.unwrap()), [""; 0]);
        assert_eq!(digests(home.tokens_due(Timestamp(2), 9).await.unwrap()), ["c", "b"]);
        assert_eq!(digests(home.tokens_due(Timestamp(9), 1).await.unwrap()), ["c"]);
    }
}

#[tokio::test]
async fn uses_run_out_exactly_once() {
    for home in homes().await {
        home.applied([Op::InsertToken(TokenRow { uses_left: Some(5), ..token("a") }), Op::InsertToken(token("free"))])
            .await;
        let calls = (0..20).map(|_| {
            let store = Arc::clone(&home.store);
            tokio::spawn(
                async move { store.apply(Batch::new().op(Op::UseToken { digest: "a".into() })).await.unwrap() },
            )
        });
        let mut applied = 0;
        for call in calls.collect::<Vec<_>>() {
            applied += usize::from(call.await.unwrap() == Outcome::Applied);
        }
        assert_eq!(applied, 5);
        assert_eq!(home.token("a").await.unwrap().unwrap().uses_left, Some(0));
        assert_eq!(home.run([Op::UseToken { digest: "free".into() }]).await, conflict(Conflict::RowMoved));
        assert_eq!(home.run([Op::UseToken { digest: "none".into() }]).await, conflict(Conflict::RowMoved));
    }
}

#[tokio::test]
async fn an_update_gives_no_use_back() {
    for home in homes().await {
        home.applied([Op::InsertToken(TokenRow { uses_left: Some(5), ..token("a") })]).await;
        let seen = home.token("a").await.unwrap().unwrap();
        home.applied([Op::UseToken { digest: "a".into() }]).await;
        let renewed = TokenRow { due_at: Some(Timestamp(99)), ..seen };
        home.applied([Op::UpdateToken { expect: 1, row: renewed }]).await;
        let now = home.token("a").await.unwrap().unwrap();
        assert_eq!((now.uses_left, now.version, now.due_at), (Some(4), 2, Some(Timestamp(99))));
        let ended = TokenRow { live: false, parent: Some("p".into()), ..now };
        home.applied([Op::UpdateToken { expect: 2, row: ended }]).await;
        assert_eq!(home.run([Op::UseToken { digest: "a".into() }]).await, conflict(Conflict::RowMoved));
        assert_eq!(home.token("a").await.unwrap().unwrap().parent.as_deref(), Some("p"));
    }
}
