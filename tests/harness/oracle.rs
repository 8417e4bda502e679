//! The one question: do the database, the server, and what clients were told agree?

use std::collections::{BTreeMap, BTreeSet};

use crate::database::{Credential, DatabaseMount};
use crate::postgres::Postgres;

/// What the server acknowledged.
#[derive(Clone, Default)]
pub struct Promised {
    /// Key and value of each entry of the key-value engine at `kv/`.
    pub written: BTreeMap<String, u64>,
    /// Credentials that were given out.
    pub kept: Vec<Credential>,
    /// Credentials that were given out and taken back, done when it was answered.
    pub revoked: Vec<Credential>,
    /// Credentials whose revocation was asked for, without an answer: either is right.
    pub undecided: Vec<Credential>,
}

/// Looks at all that one role of a mount has given out.
pub struct Oracle<'a> {
    /// Where the users are.
    pub cluster: &'a Postgres,
    /// Where the leases are.
    pub mount: &'a DatabaseMount,
    /// No other role of the cluster's servers has this name.
    pub role: &'a str,
}

impl Oracle<'_> {
    /// The role's users in the database.
    pub fn users(&self) -> BTreeSet<String> {
        self.cluster.roles_like(&self.pattern()).into_iter().collect()
    }

    /// Names the first disagreement.
    ///
    /// # Errors
    /// Says what does not agree with what.
    pub fn check(&self, promised: &Promised) -> Result<(), String> {
        let listed: BTreeSet<String> = self.mount.leases(self.role).into_iter().collect();
        let users = self.users();
        let stamped = self.cluster.stamped_leases(&self.pattern());
        if stamped.len() != users.len() {
            return Err(format!("{} users bear {} stamps", users.len(), stamped.len()));
        }
        if let Some(orphan) = stamped.difference(&listed).next() {
            return Err(format!(
                "{orphan}: a user without a lease, of {} users and {} leases",
                users.len(),
                listed.len()
            ));
        }
        if let Some(ghost) = listed.difference(&stamped).next() {
            return Err(format!(
                "{ghost}: a lease without a user, of {} users and {} leases",
                users.len(),
                listed.len()
            ));
        }
        let api = &self.mount.api;
        let mut due = Vec::new();
        for credential in &promised.kept {
            match credential.expiry(api) {
                Some(expiry) if users.contains(&credential.user) => due.push((credential.user.clone(), expiry)),
                _ => return Err(format!("{} was given out and is gone", credential.lease)),
            }
        }
        if let Some(user) = self.cluster.ending_before(&due).first() {
            return Err(format!("{user}: the database ends it before its lease ends"));
        }
        for credential in &promised.revoked {
            if users.contains(&credential.user) || credential.is_live(api) {
                return Err(format!("{} was taken back and is there", credential.lease));
            }
        }
        for credential in &promised.undecided {
            if users.contains(&credential.user) != credential.is_live(api) {
                return Err(format!("{}: half revoked", credential.lease));
            }
        }
        if let Some(credential) = promised.kept.last()
            && let Err(error) = self.cluster.try_login(&credential.user, &credential.password)
        {
            return Err(format!("{} cannot log in: {error}", credential.user));
        }
        for (key, round) in &promised.written {
            let reply = api.get(&format!("kv/{key}"));
            if reply.body["data"]["round"] != *round {
                return Err(format!("kv/{key} was acknowledged as {round} and is {}", reply.body));
            }
        }
        Ok(())
    }

    fn pattern(&self) -> String {
        format!("v-%-{}-%", self.role)
    }
}
