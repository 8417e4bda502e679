//! Which database this is, and whose user that is: asked first in every transaction, under the lease's lock.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgRow;

use super::Error;
use super::session::{self, Session};
use crate::statements::{identifier, literal};

/// Milliseconds after which the server gives a transaction up that we left alone.
const IDLE_PATIENCE: u64 = 10_000;
const IDENTITY: &str = "c.system_identifier::text AS system, pg_catalog.current_database()::text AS database,
                        pg_catalog.pg_is_in_recovery()::text AS standby";

/// Tells one database from all others, restored copies and replicas under a new name included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The cluster's, made by initdb.
    pub(crate) system: String,
    /// The database's name.
    pub(crate) database: String,
}

impl Identity {
    fn read(row: &PgRow) -> Result<Self, Error> {
        if session::some_text(row, "standby")? == "true" {
            return Err(Error::unreachable("the server is a standby: users are made and ended on the primary"));
        }
        Ok(Self { system: session::some_text(row, "system")?, database: session::some_text(row, "database")? })
    }
}

/// What every transaction of ours stands behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence<'a> {
    /// The whole id: creating and revoking one lease exclude each other.
    pub(crate) lease_id: &'a str,
    /// The user's name.
    pub(crate) role: &'a str,
    /// What `create` writes onto the user.
    pub(crate) stamp: &'a str,
    /// What `create` saw, if it was seen to have succeeded.
    pub(crate) oid: Option<&'a str>,
    /// The database that the lease was made on, if that was seen.
    pub(crate) identity: Option<&'a Identity>,
    /// Milliseconds that one statement may take.
    pub(crate) patience: u64,
}

/// What is asked of the user behind the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Which one it is, if there is one.
    Name,
    /// Whose it is too, which costs the server as much again.
    Stamp,
}

/// What stands behind the fence.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) identity: Identity,
    /// We may do anything.
    pub(super) superuser: bool,
    pub(super) role: Option<Found>,
}

/// The user of the lease, or one that has its name.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) oid: String,
    name: String,
    comment: Option<String>,
}

impl Found {
    /// Whether it was made for the lease, and can be found by everybody who looks for it. An operator may have
    /// overwritten the comment; no other user gets the same oid while the first is there.
    pub(super) fn check(&self, fence: &Fence<'_>) -> Result<(), Error> {
        if self.name != fence.role {
            return Err(Error::conflict(format!("the user {:?} was renamed to {:?}", fence.role, self.name)));
        }
        if self.comment.as_deref() == Some(fence.stamp) || fence.oid == Some(self.oid.as_str()) {
            return Ok(());
        }
        Err(Error::conflict(format!("the user {:?} was not made for this lease", fence.role)))
    }
}

impl Fence<'_> {
    /// Begins a transaction, takes the lease's lock, and looks around: one round trip.
    ///
    /// The isolation level is ours because the look must see what was committed while the lock was waited for; the
    /// resets, because an operator's statements may have left their mark on the session. A user that was renamed is
    /// found by its oid, lest it count as gone.
    pub(super) async fn begin(&self, session: &mut Session, look: Look) -> Result<Facts, Error> {
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED;
             RESET SESSION AUTHORIZATION;
             RESET ALL;
             SET LOCAL statement_timeout = {patience};
             SET LOCAL lock_timeout = {lock_patience};
             SET LOCAL idle_in_transaction_session_timeout = {idle};
             SET LOCAL client_min_messages = warning;
             SELECT pg_catalog.pg_advisory_xact_lock({lock});
             SELECT {IDENTITY}, pg_catalog.current_setting('is_superuser') AS superuser, r.oid::text AS oid,
                    r.rolname::text AS name, {comment} AS comment
             FROM pg_catalog.pg_control_system() c {users}",
            patience = self.patience,
            // Shorter, so that waiting in vain shows as such.
            lock_patience = self.patience / 4 * 3,
            idle = self.patience.min(IDLE_PATIENCE),
            lock = lock_key(self.lease_id),
            comment = match look {
                Look::Name => "NULL",
                Look::Stamp => "pg_catalog.shobj_description(r.oid, 'pg_authid')",
            },
            users = self.users(),
        );
        let rows = session.query(sql).await?;
        let row = rows.last().ok_or_else(silent)?;
        let identity = Identity::read(row)?;
        if let Some(expected) = self.identity.filter(|expected| **expected != identity) {
            return Err(mismatch(expected, &identity));
        }
        let role = match (session::text(row, "oid")?, session::text(row, "name")?) {
            (Some(oid), Some(name)) => Some(Found { oid, name, comment: session::text(row, "comment")? }),
            _ => None,
        };
        Ok(Facts { identity, superuser: session::some_text(row, "superuser")? == "on", role })
    }

    /// The user `r`, where there is one. Without an oid the name is looked up and no table is searched: that plans and
    /// runs in half the time, and before a user is made there is no oid.
    fn users(&self) -> String {
        let role = literal(self.role);
        match self.oid.and_then(|oid| oid.parse::<u32>().ok()) {
            None => format!("CROSS JOIN (SELECT {} AS oid, {role} AS rolname) r", oid_of(self.role)),
            Some(oid) => format!(
                "LEFT JOIN pg_catalog.pg_roles r ON r.rolname = {role}
                     OR r.oid = {oid} AND pg_catalog.shobj_description(r.oid, 'pg_authid') = {stamp}
                 ORDER BY r.rolname = {role} DESC LIMIT 1",
                stamp = literal(self.stamp),
            ),
        }
    }
}

/// An expression: the oid of the user of this name, null where there is none.
pub(super) fn oid_of(role: &str) -> String {
    format!("pg_catalog.to_regrole({})::pg_catalog.oid", literal(&identifier(role)))
}

/// Which database this is.
pub(crate) async fn identify(session: &mut Session) -> Result<Identity, Error> {
    let rows = session.finish(format!("SELECT {IDENTITY} FROM pg_catalog.pg_control_system() c")).await?;
    Identity::read(rows.last().ok_or_else(silent)?)
}

fn silent() -> Error {
    Error::unreachable("the server did not say who it is")
}

fn mismatch(expected: &Identity, found: &Identity) -> Error {
    Error::conflict(format!(
        "this is database {:?} of cluster {}, not {:?} of {}: write the configuration anew, or point it back",
        found.database, found.system, expected.database, expected.system
    ))
}

fn lock_key(lease_id: &str) -> i64 {
    let digest = Sha256::digest(lease_id);
    i64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
}
