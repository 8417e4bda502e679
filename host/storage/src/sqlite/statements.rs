//! The SQL of every check and change, and what is bound to it.
//!
//! Parameters have no numbers, so that statements can be strung together in one text: SQLite then works through all of
//! them in one visit to its thread, and each takes the next of the values.

use cofferdam_model::view::Version;
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::entries::bind_end;
use super::leases::state_code;
use super::range::successor;
use crate::port::{Check, Conflict, Op};

/// A text of one or more statements, and their values.
pub(super) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Answers one row: 1 if the check holds, else 0.
pub(super) fn check_sql(check: &Check) -> &'static str {
    match check {
        Check::Entry { .. } => "SELECT coalesce((SELECT version FROM entries WHERE space = ? AND key = ?), 0) = ?",
        Check::Range { .. } => {
            "SELECT count(*) = ? AND coalesce(max(version), 0) = ? FROM entries WHERE space = ? AND key >= ? AND key < ?"
        }
        Check::GateOpen(_) => "SELECT EXISTS (SELECT 1 FROM gates WHERE gate = ? AND open <> 0)",
        Check::TokenLive { .. } => {
            "SELECT EXISTS (SELECT 1 FROM tokens WHERE digest = ? AND live <> 0 AND (due_at IS NULL OR due_at > ?))"
        }
        Check::ObjectFree { .. } => "SELECT NOT EXISTS (SELECT 1 FROM leases WHERE object_key = ?)",
    }
}

pub(super) fn bind_check<'q>(query: Bound<'q>, check: &Check) -> Bound<'q> {
    match check {
        Check::Entry { space, key, version } => query.bind(space).bind(key).bind(*version),
        Check::Range { space, prefix, count, newest } => {
            let query = query.bind(*count).bind(*newest).bind(space).bind(prefix);
            bind_end!(query, successor(prefix))
        }
        Check::GateOpen(gate) => query.bind(gate),
        Check::TokenLive { digest, now } => query.bind(digest).bind(now.0),
        Check::ObjectFree { object_key } => query.bind(object_key),
    }
}

/// What it means that the check does not hold.
pub(super) fn conflict(check: &Check) -> Conflict {
    match check {
        Check::Entry { .. } | Check::Range { .. } => Conflict::Stale,
        Check::GateOpen(gate) => Conflict::GateShut(gate.clone()),
        Check::TokenLive { .. } => Conflict::TokenGone,
        Check::ObjectFree { .. } => Conflict::ObjectTaken,
    }
}

/// Whether the change must touch exactly one row: if it touches none, its batch is in conflict.
pub(super) fn may_conflict(op: &Op) -> bool {
    match op {
        Op::PutEntry { .. }
        | Op::DeleteEntry { .. }
        | Op::DeleteSpace(_)
        | Op::SetGate { .. }
        | Op::DeleteGate(_)
        | Op::DeleteToken { .. } => false,
        Op::InsertLease(_)
        | Op::UpdateLease { .. }
        | Op::DeleteLease { .. }
        | Op::InsertToken(_)
        | Op::UpdateToken { .. }
        | Op::UseToken { .. } => true,
    }
}

/// SQLite rewrites every index whose column is named in SET, changed or not. So updates name what a row's life changes,
/// and expect the rest to be as it was; `apply.rs` has the others.
pub(super) fn op_sql(op: &Op) -> &'static str {
    match op {
        Op::PutEntry { .. } => {
            "INSERT INTO entries (space, key, version, value) VALUES (?, ?, ?, ?)
             ON CONFLICT (space, key) DO UPDATE SET version = excluded.version, value = excluded.value"
        }
        Op::DeleteEntry { .. } => "DELETE FROM entries WHERE space = ? AND key = ?",
        Op::DeleteSpace(_) => "DELETE FROM entries WHERE space = ?",
        Op::SetGate { .. } => {
            "INSERT INTO gates (gate, open) VALUES (?, ?) ON CONFLICT (gate) DO UPDATE SET open = excluded.open"
        }
        Op::DeleteGate(_) => "DELETE FROM gates WHERE gate = ?",
        Op::InsertLease(_) => {
            "INSERT INTO leases (id, mount, backend, generation, token, object_key, state, version, due_at, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        }
        Op::UpdateLease { .. } => {
            "UPDATE leases SET state = ?, version = version + 1, due_at = ?, body = ?
             WHERE id = ? AND version = ? AND mount = ? AND backend = ? AND generation = ? AND token IS ?
             AND object_key IS ?"
        }
        Op::DeleteLease { .. } => "DELETE FROM leases WHERE id = ? AND version = ?",
        Op::InsertToken(_) => {
            "INSERT INTO tokens (digest, accessor_key, parent, live, version, due_at, uses_left, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        }
        Op::UpdateToken { .. } => {
            "UPDATE tokens SET live = ?, version = version + 1, due_at = ?, body = ?
             WHERE digest = ? AND version = ? AND accessor_key = ? AND parent IS ?"
        }
        Op::UseToken { .. } => {
            "UPDATE tokens SET uses_left = uses_left - 1 WHERE digest = ? AND live = 1 AND uses_left > 0"
        }
        Op::DeleteToken { .. } => "DELETE FROM tokens WHERE digest = ?",
    }
}

/// `versions`: the last version given out; an entry that is put gets the next one.
pub(super) fn bind_op<'q>(query: Bound<'q>, op: &Op, versions: &mut Version) -> Bound<'q> {
    match op {
        Op::PutEntry { space, key, value } => {
            *versions += 1;
            query.bind(space).bind(key).bind(*versions).bind(value)
        }
        Op::DeleteEntry { space, key } => query.bind(space).bind(key),
        Op::DeleteSpace(name)
        | Op::DeleteGate(name)
        | Op::UseToken { digest: name }
        | Op::DeleteToken { digest: name } => query.bind(name),
        Op::SetGate { gate, open } => query.bind(gate).bind(i64::from(*open)),
        Op::InsertLease(row) => query
            .bind(&row.id)
            .bind(&row.mount)
            .bind(&row.backend)
            .bind(row.generation)
            .bind(&row.token)
            .bind(&row.object_key)
            .bind(state_code(row.state))
            .bind(row.version)
            .bind(row.due_at.map(|t| t.0))
            .bind(&row.body),
        Op::UpdateLease { expect, row } => query
            .bind(state_code(row.state))
            .bind(row.due_at.map(|t| t.0))
            .bind(&row.body)
            .bind(&row.id)
            .bind(*expect)
            .bind(&row.mount)
            .bind(&row.backend)
            .bind(row.generation)
            .bind(&row.token)
            .bind(&row.object_key),
        Op::DeleteLease { id, expect } => query.bind(id).bind(*expect),
        Op::InsertToken(row) => query
            .bind(&row.digest)
            .bind(&row.accessor_key)
            .bind(&row.parent)
            .bind(i64::from(row.live))
            .bind(row.version)
            .bind(row.due_at.map(|t| t.0))
            .bind(row.uses_left)
            .bind(&row.body),
        Op::UpdateToken { expect, row } => query
            .bind(i64::from(row.live))
            .bind(row.due_at.map(|t| t.0))
            .bind(&row.body)
            .bind(&row.digest)
            .bind(*expect)
            .bind(&row.accessor_key)
            .bind(&row.parent),
    }
}
