//! Many batches at once: their statements are strung together, so that a group costs SQLite's thread a few visits and
//! not one for each statement.
//!
//! A group is cut into *waves*. In a wave no batch checks or changes what an earlier one changes, so all checks may come
//! before all changes: the result is that of one batch after the other. What does not fit, or turns out to be in
//! conflict, is left to `apply.rs`.

use std::collections::HashSet;

use cofferdam_model::view::Version;
use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Either, Executor as _, Row as _, SqliteConnection};

use super::fault::Fault;
use super::statements::{bind_check, bind_op, check_sql, conflict, may_conflict, op_sql};
use crate::port::{Batch, Check, Op, Outcome};

/// Statements in one text. SQLite keeps texts prepared, so their number of shapes must not explode.
const TEXT: usize = 32;
/// Takes the lock for writing at once: a reader that becomes a writer could fail then.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Something that a batch checks or changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Name<'a> {
    Entry(&'a str, &'a str),
    /// Some entry of the space.
    Space(&'a str),
    Gate(&'a str),
    Token(&'a str),
    Lease(&'a str),
    Object(&'a str),
}

fn read_name(check: &Check) -> Name<'_> {
    match check {
        Check::Entry { space, key, .. } => Name::Entry(space, key),
        Check::Range { space, .. } => Name::Space(space),
        Check::GateOpen(gate) => Name::Gate(gate),
        Check::TokenLive { digest, .. } => Name::Token(digest),
        Check::ObjectFree { object_key } => Name::Object(object_key),
    }
}

/// None: a change of the many.
fn written_name(op: &Op) -> Option<Name<'_>> {
    Some(match op {
        Op::PutEntry { space, key, .. } | Op::DeleteEntry { space, key } => Name::Entry(space, key),
        Op::DeleteSpace(_) => return None,
        Op::SetGate { gate, .. } | Op::DeleteGate(gate) => Name::Gate(gate),
        Op::InsertLease(row) | Op::UpdateLease { row, .. } => Name::Lease(&row.id),
        Op::DeleteLease { id, .. } => Name::Lease(id),
        Op::InsertToken(row) | Op::UpdateToken { row, .. } => Name::Token(&row.digest),
        Op::UseToken { digest } | Op::DeleteToken { digest } => Name::Token(digest),
    })
}

/// What a change concerns besides what it names.
fn also_written(op: &Op) -> Option<Name<'_>> {
    match op {
        Op::PutEntry { space, .. } | Op::DeleteEntry { space, .. } => Some(Name::Space(space)),
        Op::InsertLease(row) | Op::UpdateLease { row, .. } => row.object_key.as_deref().map(Name::Object),
        _ => None,
    }
}

/// Batches in waves.
pub(super) struct Waves<'a> {
    batches: Vec<&'a Batch>,
    lengths: Vec<usize>,
}

/// Cuts a group. None: some batch changes one thing twice, or many things with one change; the order of its changes
/// matters then.
pub(super) fn cut<'a>(batches: Vec<&'a Batch>) -> Option<Waves<'a>> {
    let mut lengths = Vec::new();
    let (mut length, mut written) = (0, HashSet::new());
    for batch in &batches {
        let names: Vec<Name<'_>> = batch.ops.iter().map(written_name).collect::<Option<_>>()?;
        let distinct: HashSet<Name<'_>> = names.iter().copied().collect();
        if distinct.len() < names.len() {
            return None;
        }
        let mut touched = batch.checks.iter().map(read_name).chain(names);
        if touched.any(|name| written.contains(&name)) {
            lengths.push(length);
            length = 0;
            written.clear();
        }
        length += 1;
        written.extend(distinct);
        written.extend(batch.ops.iter().filter_map(also_written));
    }
    lengths.push(length);
    Some(Waves { batches, lengths })
}

/// Begins a transaction and applies the batches in it. None: some change is in conflict; the transaction is to be rolled
/// back.
pub(super) async fn apply(
    conn: &mut SqliteConnection,
    waves: &Waves<'_>,
    versions: &mut Version,
) -> Result<Option<Vec<Outcome>>, Fault> {
    let mut outcomes = Vec::with_capacity(waves.batches.len());
    let mut begin = Some(BEGIN);
    let mut rest = waves.batches.as_slice();
    for length in &waves.lengths {
        let (wave, later) = rest.split_at(*length);
        rest = later;
        let standing = check(conn, wave, &mut begin).await?;
        let applied = wave.iter().zip(&standing).filter(|(_, outcome)| **outcome == Outcome::Applied);
        let ops = applied.flat_map(|(batch, _)| &batch.ops).collect();
        if !change(conn, ops, versions, &mut begin).await? {
            return Ok(None);
        }
        outcomes.extend(standing);
    }
    if let Some(begin) = begin {
        sqlx::query(begin).execute(conn).await?;
    }
    Ok(Some(outcomes))
}

/// A text that begins the transaction if nothing did so yet.
fn text<'a>(begin: &mut Option<&'a str>, statements: impl Iterator<Item = &'a str>) -> AssertSqlSafe<String> {
    AssertSqlSafe(begin.take().into_iter().chain(statements).collect::<Vec<_>>().join(";"))
}

/// How the batches stand after their checks.
async fn check(conn: &mut SqliteConnection, wave: &[&Batch], begin: &mut Option<&str>) -> Result<Vec<Outcome>, Fault> {
    // The place of each batch's first check that does not hold.
    let mut broken: Vec<Option<usize>> = vec![None; wave.len()];
    let mut checks: Vec<(usize, usize, &Check)> = Vec::new();
    for (batch, checked) in wave.iter().enumerate() {
        checks.extend(checked.checks.iter().enumerate().map(|(place, check)| (batch, place, check)));
    }
    checks.sort_by_key(|(_, _, check)| check_sql(check));
    for some in checks.chunks(TEXT) {
        let mut query = sqlx::query(text(begin, some.iter().map(|(_, _, check)| check_sql(check))));
        for (_, _, check) in some {
            query = bind_check(query, check);
        }
        let rows = query.fetch_all(&mut *conn).await?;
        if rows.len() != some.len() {
            return Err(Fault::bug("a check gave no answer"));
        }
        for (row, (batch, place, _)) in rows.iter().zip(some) {
            if row.try_get::<i64, _>(0)? == 0 {
                let first = broken[*batch].map_or(*place, |other| other.min(*place));
                broken[*batch] = Some(first);
            }
        }
    }
    let outcome = |(batch, first): (&&Batch, Option<usize>)| match first.and_then(|first| batch.checks.get(first)) {
        Some(check) => Outcome::Conflict(conflict(check)),
        None => Outcome::Applied,
    };
    Ok(wave.iter().zip(broken).map(outcome).collect())
}

/// False: a change is in conflict.
async fn change(
    conn: &mut SqliteConnection,
    mut ops: Vec<&Op>,
    versions: &mut Version,
    begin: &mut Option<&str>,
) -> Result<bool, Fault> {
    // By kind, so that there are few shapes; "DELETE" sorts first, which frees what others take.
    ops.sort_by_key(|op| op_sql(op));
    for some in ops.chunks(TEXT) {
        let begins = usize::from(begin.is_some());
        let mut query = sqlx::query(text(begin, some.iter().map(|op| op_sql(op))));
        for op in some {
            query = bind_op(query, op, versions);
        }
        let mut results = (&mut *conn).fetch_many(query);
        let mut changed = Vec::with_capacity(begins + some.len());
        while let Some(result) = results.try_next().await? {
            if let Either::Left(done) = result {
                changed.push(done.rows_affected());
            }
        }
        if changed.len() != begins + some.len() {
            return Err(Fault::bug("a change gave no answer"));
        }
        if some.iter().zip(&changed[begins..]).any(|(op, rows)| may_conflict(op) && *rows == 0) {
            return Ok(false);
        }
    }
    Ok(true)
}
