//! Every point of the protocols, and everything that can happen there.

use crate::action::{Action, Row, play};
use crate::operation::{End, Operation};
use crate::scene::Scene;

const fn row(operation: Operation, point: &'static str, passing: usize, killed: End) -> Row {
    Row { operation, point, passing, killed, unmet: &[] }
}

impl Row {
    const fn unmet(self, unmet: &'static [Action]) -> Self {
        Self { unmet, ..self }
    }
}

/// Nobody asks the database any more.
const ASKED: &[Action] = &[Action::Cut];
/// Nor is anything begun to be written.
const WRITTEN: &[Action] = &[Action::Cut, Action::Full, Action::Unsynced];
/// Nor is anything being written.
const ALL_DONE: &[Action] = &[Action::Cut, Action::Full, Action::Unsynced, Action::Unanswered];

/// From the plan to the answer. `store.commit` is where a commit stands before, and `store.committed` where it stands
/// after SQLite was asked for it; the first is the intent's, the second the activation's.
const CREATE: &[Row] = &[
    row(Operation::Issue, "issue.planned", 0, End::Go),
    row(Operation::Issue, "store.commit", 0, End::Go),
    row(Operation::Issue, "store.committed", 0, End::Go),
    row(Operation::Issue, "issue.intended", 0, End::Go),
    row(Operation::Issue, "issue.created", 0, End::Go).unmet(ASKED),
    row(Operation::Issue, "store.commit", 1, End::Go).unmet(ASKED),
    row(Operation::Issue, "store.committed", 1, End::Stay).unmet(WRITTEN),
    row(Operation::Issue, "issue.activated", 0, End::Stay).unmet(ALL_DONE),
];

/// What happens to one lease.
const LEASE: &[Row] = &[
    row(Operation::Renew, "renew.begun", 0, End::Stay),
    row(Operation::Renew, "renew.extended", 0, End::Stay).unmet(ASKED),
    row(Operation::Renew, "store.committed", 0, End::Stay).unmet(WRITTEN),
    row(Operation::Revoke, "store.commit", 0, End::Stay),
    row(Operation::Revoke, "store.committed", 0, End::Go),
    row(Operation::Revoke, "revoke.condemned", 0, End::Go),
    row(Operation::Revoke, "revoke.ended", 0, End::Go).unmet(ASKED),
    row(Operation::Revoke, "revoke.removed", 0, End::Go).unmet(ALL_DONE),
];

/// What happens to many. The leases of a token are ended by a worker, which may be done when its point is come to; a
/// mount has three, the bystander's too.
const MANY: &[Row] = &[
    row(Operation::Prefix, "prefix.condemned", 0, End::Go),
    row(Operation::Prefix, "revoke.ended", 1, End::Go).unmet(ASKED),
    row(Operation::Token, "token.condemned", 0, End::Go),
    row(Operation::Token, "prefix.condemned", 0, End::Go).unmet(ASKED),
    row(Operation::Token, "token.emptied", 0, End::Go).unmet(ASKED),
    row(Operation::Unmount, "unmount.drained", 0, End::Go),
    row(Operation::Unmount, "revoke.ended", 2, End::Go).unmet(ASKED),
    row(Operation::Unmount, "unmount.emptied", 0, End::Go).unmet(ASKED),
];

/// What happens to what leases stand on.
const GROUND: &[Row] = &[
    row(Operation::Delete, "config.committed", 0, End::Stay).unmet(ALL_DONE),
    row(Operation::DeleteRole, "store.commit", 0, End::Stay).unmet(ASKED),
    row(Operation::DeleteRole, "store.committed", 0, End::Stay).unmet(WRITTEN),
    row(Operation::Move, "config.committed", 0, End::Stay).unmet(ALL_DONE),
    row(Operation::Rotate, "rotate.proposed", 0, End::Stay),
    row(Operation::Rotate, "rotate.applied", 0, End::Stay),
    row(Operation::Rotate, "rotate.proven", 0, End::Stay).unmet(ASKED),
    row(Operation::Rotate, "rotate.promoted", 0, End::Stay).unmet(ASKED),
    row(Operation::Seal, "seal.refusing", 0, End::Stay).unmet(ASKED),
    row(Operation::Seal, "seal.drained", 0, End::Stay).unmet(ASKED),
];

fn play_all(rows: &[&[Row]], actions: &[Action]) {
    let mut scene = Scene::new();
    for row in rows.iter().copied().flatten() {
        for action in actions {
            play(&mut scene, row, *action);
        }
    }
}

#[test]
fn a_create_is_killed() {
    play_all(&[CREATE], &[Action::Kill]);
}

#[test]
fn what_a_lease_goes_through_is_killed() {
    play_all(&[LEASE, MANY, GROUND], &[Action::Kill]);
}

#[test]
fn the_server_stands_still() {
    play_all(&[CREATE, LEASE, MANY, GROUND], &[Action::Pause]);
}

#[test]
fn the_database_is_cut_off() {
    play_all(&[CREATE, LEASE, MANY, GROUND], &[Action::Cut]);
}

#[test]
fn the_disk_is_full() {
    play_all(&[CREATE, LEASE, MANY, GROUND], &[Action::Full]);
}

#[test]
fn a_sync_fails() {
    play_all(&[CREATE, LEASE, MANY, GROUND], &[Action::Unsynced, Action::Unanswered]);
}
