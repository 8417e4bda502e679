//! Tokens over a real store: what is condemned stays due until it is gone, and no row stops the others.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use cofferdam_crypto::{Key, Keyring};
use cofferdam_model::clock::ManualClock;
use cofferdam_model::{Clock, Timestamp};
use cofferdam_storage::port::{Batch, Op, Outcome};
use cofferdam_storage::{Sqlite, Storage};
use cofferdam_tokens::{NewToken, Token, TokenRecord, Tokens};

struct World {
    storage: Storage,
    clock: Arc<ManualClock>,
    tokens: Tokens,
}

impl World {
    async fn new() -> Self {
        let storage = Storage::new(Arc::new(Sqlite::memory().await.unwrap()));
        let now = Timestamp::from_seconds(1_000);
        storage.unseal(Arc::new(Keyring::new(now)));
        let clock = Arc::new(ManualClock::new(now));
        let tokens = Tokens::new(storage.clone(), clock.clone(), &Key::random());
        Self { storage, clock, tokens }
    }

    async fn made(&self, id: &str, parent: Option<&Token>) -> Token {
        let record = TokenRecord { parent: parent.map(|p| p.digest.clone()), ..TokenRecord::default() };
        self.tokens.create(NewToken { id: Some(id.to_owned()), record }).await.unwrap().1
    }

    async fn due(&self) -> Vec<String> {
        self.tokens.due(self.clock.now(), 10).await.unwrap().into_iter().map(|t| t.digest).collect()
    }

    /// Leaves a body that opens and is no record.
    async fn spoil(&self, token: &Token) {
        let mut row = self.storage.token(&token.digest).await.unwrap().unwrap();
        row.body = b"no record".to_vec();
        row.version += 1;
        let ops = vec![Op::UpdateToken { expect: row.version - 1, row }];
        assert_eq!(self.storage.apply(Batch { checks: Vec::new(), ops }).await.unwrap(), Outcome::Applied);
    }
}

#[tokio::test]
async fn a_condemned_token_makes_nothing_and_stays_due() {
    let world = World::new().await;
    let parent = world.made("parent", None).await;
    let child = world.made("child", Some(&parent)).await;
    let seen = world.tokens.condemn(&child.digest).await.unwrap().unwrap();
    assert!(!seen.live && world.tokens.lookup("child").await.unwrap().is_none());
    let record = TokenRecord { parent: Some(child.digest.clone()), ..TokenRecord::default() };
    assert!(world.tokens.create(NewToken { id: None, record }).await.is_err());
    // Neither being cut off from its parent nor a renewal lets its unfinished revocation be forgotten.
    assert!(world.tokens.orphan(&seen).await.unwrap());
    assert_eq!(world.due().await, std::slice::from_ref(&child.digest));
    let now = world.tokens.find(&child.digest).await.unwrap().unwrap();
    assert!(!world.tokens.extend(&now, Timestamp::from_seconds(9_000)).await.unwrap());
    assert!(world.tokens.children(&parent.digest, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn tokens_lie_in_the_order_in_which_they_were_made() {
    let world = World::new().await;
    let mut digests = Vec::new();
    for _ in 0..20 {
        let (id, token) = world.tokens.create(NewToken::default()).await.unwrap();
        assert_eq!(world.tokens.lookup(id.expose()).await.unwrap().unwrap().digest, token.digest);
        let found = world.tokens.by_accessor(&token.record.accessor).await.unwrap().unwrap();
        assert_eq!(found.digest, token.digest);
        // Nothing but the time of the id is in sight.
        assert!(!token.digest.contains(&id.expose()[11..]), "{}", token.digest);
        digests.push(token.digest);
        world.clock.advance_seconds(1);
    }
    assert!(digests.is_sorted(), "{digests:?}");
    // Whatever else may be an id has its place too.
    for id in ["hvs.", "hvs.abcdefg", "root", &format!("hvs.{}", "ä".repeat(16)), &format!("hvs.{}", "a/".repeat(16))]
    {
        assert_eq!(world.tokens.digest(id).len(), 64, "{id}");
    }
}

#[tokio::test]
async fn a_renewal_loses_against_a_revocation() {
    let world = World::new().await;
    let token = world.made("t", None).await;
    world.tokens.condemn(&token.digest).await.unwrap();
    assert!(!world.tokens.extend(&token, Timestamp::from_seconds(9_000)).await.unwrap());
    assert_eq!(world.due().await, [token.digest]);
}

#[tokio::test]
async fn what_is_put_off_comes_back_and_a_live_token_keeps_its_end() {
    let world = World::new().await;
    let token = world.made("t", None).await;
    world.tokens.defer(&token, world.clock.now().plus_seconds(10)).await.unwrap();
    assert_eq!(world.storage.next_due().await.unwrap(), None);
    world.tokens.condemn(&token.digest).await.unwrap();
    // By a token that was read before: the version that it was seen at does not matter.
    world.tokens.defer(&token, world.clock.now().plus_seconds(10)).await.unwrap();
    assert!(world.due().await.is_empty());
    world.clock.advance_seconds(10);
    assert_eq!(world.due().await, [token.digest]);
}

#[tokio::test]
async fn a_token_whose_record_does_not_read_can_be_ended_and_hides_nobody() {
    let world = World::new().await;
    let parent = world.made("parent", None).await;
    let bad = world.made("bad", Some(&parent)).await;
    let good = world.made("good", Some(&parent)).await;
    world.spoil(&bad).await;
    assert!(world.tokens.lookup("bad").await.is_err(), "it opens no door");
    let accessors = world.tokens.accessors().await.unwrap();
    assert_eq!(accessors.len(), 2);
    assert!(accessors.contains(&good.record.accessor));
    let children = world.tokens.children(&parent.digest, 10).await.unwrap();
    assert_eq!(children.len(), 2);
    let seen = children.iter().find(|c| c.digest == bad.digest).unwrap();
    assert_eq!(seen.record.parent.as_ref(), Some(&parent.digest));
    assert!(world.tokens.orphan(seen).await.unwrap());
    assert_eq!(world.tokens.children(&parent.digest, 10).await.unwrap().len(), 1);
    assert!(world.tokens.condemn(&bad.digest).await.unwrap().is_some());
    world.tokens.condemn(&good.digest).await.unwrap();
    assert_eq!(world.due().await.len(), 2);
}

#[tokio::test]
async fn what_is_known_of_a_token_is_what_its_row_says() {
    let world = World::new().await;
    let record =
        |name: &str, num_uses| TokenRecord { display_name: name.to_owned(), num_uses, ..TokenRecord::default() };
    let make = async |record| world.tokens.create(NewToken { id: Some("t".to_owned()), record }).await.unwrap().1;
    let seen = async || world.tokens.lookup("t").await.unwrap().map(|t| (t.record.display_name.clone(), t.uses_left));
    let first = make(record("first", 2)).await;
    assert_eq!(seen().await, Some(("first".to_owned(), Some(2))));
    assert!(world.tokens.use_one(&first.digest).await.unwrap());
    assert_eq!(seen().await, Some(("first".to_owned(), Some(1))), "uses are counted in the row");
    let ops = vec![Tokens::removal(&first.digest)];
    assert_eq!(world.storage.apply(Batch { checks: Vec::new(), ops }).await.unwrap(), Outcome::Applied);
    assert_eq!(seen().await, None);
    // The same id, the same version, another token.
    assert_eq!(make(record("second", 2)).await.version, first.version);
    assert_eq!(seen().await, Some(("second".to_owned(), Some(2))));
}
