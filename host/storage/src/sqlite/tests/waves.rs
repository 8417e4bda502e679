//! Batches strung together do what they do one after the other.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::*;
use crate::sqlite::{apply, at_once, waves};

/// A repeatable stream of choices.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

struct Side {
    conn: SqliteConnection,
    versions: Version,
}

impl Side {
    async fn new() -> Self {
        let mut conn = options().in_memory(true).filename(":memory:").connect().await.unwrap();
        let versions = schema::prepare(&mut conn).await.unwrap();
        Self { conn, versions }
    }

    async fn sql(&mut self, text: &'static str) {
        sqlx::query(text).execute(&mut self.conn).await.unwrap();
    }

    /// Of every entry: what checks compare.
    async fn entry_versions(&mut self) -> BTreeMap<(String, String), Version> {
        let rows = sqlx::query("SELECT space, key, version FROM entries").fetch_all(&mut self.conn).await.unwrap();
        rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
    }

    /// Everything, but for the versions of entries: those are given out in another order.
    async fn content(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        for text in [
            "SELECT space || '/' || key || '=' || hex(value) FROM entries ORDER BY 1",
            "SELECT gate || open FROM gates ORDER BY 1",
            "SELECT digest || accessor_key || live || version || coalesce(uses_left, '-') || hex(body) FROM tokens ORDER BY 1",
            "SELECT id || coalesce(object_key, '-') || state || version || hex(body) FROM leases ORDER BY 1",
        ] {
            let rows: Vec<String> = sqlx::query_scalar(text).fetch_all(&mut self.conn).await.unwrap();
            out.extend(rows);
        }
        out
    }
}

/// One batch out of a small world, so that batches meet. `entries`: the versions of the side that it is for.
fn batch(dice: &mut Dice, entries: &BTreeMap<(String, String), Version>) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..dice.below(3) {
        let (space, key) = (format!("s{}", dice.below(2)), format!("k{}", dice.below(3)));
        let seen = entries.get(&(space.clone(), key.clone())).copied().unwrap_or(0);
        batch = batch.check(match dice.below(5) {
            0 => Check::Entry { space, key, version: if dice.below(4) == 0 { 0 } else { seen } },
            1 => {
                let of_space = || entries.iter().filter(|((s, _), _)| *s == space).map(|(_, version)| *version);
                let (count, newest) = (i64::try_from(of_space().count()).unwrap(), of_space().max().unwrap_or(0));
                Check::Range { prefix: String::new(), count, newest, space }
            }
            2 => Check::GateOpen(format!("g{}", dice.below(2))),
            3 => Check::TokenLive { digest: format!("t{}", dice.below(3)), now: Timestamp(0) },
            _ => Check::ObjectFree { object_key: format!("o{}", dice.below(2)) },
        });
    }
    for _ in 0..dice.below(4) {
        let (space, key) = (format!("s{}", dice.below(2)), format!("k{}", dice.below(3)));
        let value = vec![u8::try_from(dice.below(256)).unwrap()];
        let expect = 1 + i64::try_from(dice.below(2)).unwrap();
        let of = |n| format!("{n}");
        batch = batch.op(match dice.below(12) {
            0..=3 => Op::PutEntry { space, key, value },
            4 => Op::DeleteEntry { space, key },
            5 => Op::SetGate { gate: format!("g{}", dice.below(2)), open: dice.below(2) == 0 },
            6 => Op::InsertToken(TokenRow { body: value, ..token(&format!("t{}", dice.below(3))) }),
            7 => {
                let row = TokenRow { live: dice.below(2) == 0, body: value, ..token(&format!("t{}", dice.below(3))) };
                Op::UpdateToken { expect, row }
            }
            8 => Op::DeleteToken { digest: format!("t{}", dice.below(3)) },
            // Those with an object stay: which of two batches in a group comes first is nobody's business, and here the
            // one that looks for a free object could.
            9 => Op::InsertLease(LeaseRow {
                object_key: Some(format!("o{}", dice.below(2))),
                ..lease(&of(dice.below(3)))
            }),
            10 => Op::InsertLease(lease(&format!("plain {}", dice.below(3)))),
            _ => Op::DeleteLease { id: format!("plain {}", dice.below(3)), expect: 1 },
        });
    }
    batch
}

#[tokio::test]
async fn they_do_what_they_do_one_by_one() {
    let (mut together, mut single) = (Side::new().await, Side::new().await);
    let (mut applied, mut conflicts, mut refused) = (0, 0, 0);
    for seed in 0..600 {
        let (of_together, of_single) = (together.entry_versions().await, single.entry_versions().await);
        let size = 1 + seed % 9;
        let group = |versions| {
            let mut dice = Dice(seed);
            (0..size).map(|_| batch(&mut dice, versions)).collect::<Vec<Batch>>()
        };
        let (group_together, group_single) = (group(&of_together), group(&of_single));
        let Some(cut) = waves::cut(group_together.iter().collect()) else {
            refused += 1;
            continue;
        };
        let before = together.versions;
        let Some(outcomes) = waves::apply(&mut together.conn, &cut, &mut together.versions).await.unwrap() else {
            together.sql("ROLLBACK").await;
            together.versions = before;
            conflicts += 1;
            continue;
        };
        together.sql("COMMIT").await;
        single.sql(waves::BEGIN).await;
        let mut expected = Vec::new();
        for batch in &group_single {
            expected.push(apply::apply(&mut single.conn, batch, &mut single.versions).await.unwrap());
        }
        single.sql("COMMIT").await;
        assert_eq!(outcomes, expected, "seed {seed}: {group_together:?}");
        assert_eq!(together.content().await, single.content().await, "seed {seed}: {group_together:?}");
        applied += 1;
    }
    assert!(
        applied > 150 && conflicts > 20 && refused > 20,
        "{applied} applied, {conflicts} conflicts, {refused} refused"
    );
}

#[tokio::test]
async fn in_one_visit_they_do_it_all_or_nothing() {
    let (mut visited, mut single) = (Side::new().await, Side::new().await);
    let (mut done, mut broken) = (0, 0);
    for seed in 0..600 {
        let (of_visited, of_single) = (visited.entry_versions().await, single.entry_versions().await);
        let (batch_visited, batch_single) = (batch(&mut Dice(seed), &of_visited), batch(&mut Dice(seed), &of_single));
        single.sql(waves::BEGIN).await;
        let expected = apply::apply(&mut single.conn, &batch_single, &mut single.versions).await.unwrap();
        let (before, versions) = (visited.content().await, visited.versions);
        if at_once::write(&mut visited.conn, &batch_visited, &mut visited.versions).await.unwrap() {
            single.sql("COMMIT").await;
            assert_eq!(expected, Outcome::Applied, "seed {seed}");
            assert_eq!(visited.content().await, single.content().await, "seed {seed}: {batch_visited:?}");
            done += 1;
        } else {
            // Nothing is begun either, or this would fail.
            single.sql("ROLLBACK").await;
            visited.sql(waves::BEGIN).await;
            visited.sql("ROLLBACK").await;
            assert_eq!((visited.content().await, visited.versions), (before, versions), "seed {seed}");
            let is_small = batch_visited.checks.len() + batch_visited.ops.len() <= at_once::MOST;
            assert!(!is_small || expected != Outcome::Applied, "seed {seed}: {batch_visited:?}");
            broken += 1;
        }
        single.versions = visited.versions;
    }
    assert!(done > 100 && broken > 100, "{done} done, {broken} broken");
}

#[tokio::test]
async fn a_large_group_takes_few_visits_and_comes_whole() {
    let mut side = Side::new().await;
    side.sql("INSERT INTO gates (gate, open) VALUES ('g', 1)").await;
    let one = |n: usize| {
        let absent = Check::Entry { space: "s".into(), key: n.to_string(), version: 0 };
        let row = lease(&n.to_string());
        Batch::new()
            .check(Check::GateOpen("g".into()))
            .check(absent)
            .op(put("s", &n.to_string(), "x"))
            .op(Op::InsertLease(row))
    };
    let group: Vec<Batch> = (0..200).map(one).collect();
    let cut = waves::cut(group.iter().collect()).unwrap();
    let outcomes = waves::apply(&mut side.conn, &cut, &mut side.versions).await.unwrap().unwrap();
    assert!(outcomes.len() == 200 && outcomes.iter().all(|outcome| *outcome == Outcome::Applied));
    side.sql("COMMIT").await;
    assert_eq!((side.content().await.len(), side.versions), (401, 200));
}

#[tokio::test]
async fn an_empty_group_begins_all_the_same() {
    let mut side = Side::new().await;
    let nothing = Batch::new();
    let cut = waves::cut(vec![&nothing]).unwrap();
    assert_eq!(waves::apply(&mut side.conn, &cut, &mut side.versions).await.unwrap(), Some(vec![Outcome::Applied]));
    side.sql("COMMIT").await;
}
