//! The one question: do the database, the server, and what clients were told agree?

use std::collections::BTreeSet;

use harness::{DatabaseMount, Postgres};

use crate::load::Promised;

/// Names the first disagreement.
pub(crate) fn check(cluster: &Postgres, mount: &DatabaseMount, promised: &Promised) -> Result<(), String> {
    let listed: BTreeSet<String> = mount.leases("app").into_iter().collect();
    let users = cluster.roles_like("v-%");
    let stamped = cluster.stamped_leases("v-%");
    if stamped.len() != users.len() {
        return Err(format!("{} users bear {} stamps", users.len(), stamped.len()));
    }
    if let Some(orphan) = stamped.difference(&listed).next() {
        return Err(format!("{orphan}: a user without a lease, of {} users and {} leases", users.len(), listed.len()));
    }
    if let Some(ghost) = listed.difference(&stamped).next() {
        return Err(format!("{ghost}: a lease without a user, of {} users and {} leases", users.len(), listed.len()));
    }
    let users: BTreeSet<String> = users.into_iter().collect();
    for credential in &promised.kept {
        if !users.contains(&credential.user) || !credential.is_live(&mount.api) {
            return Err(format!("{} was given out and is gone", credential.lease));
        }
    }
    for credential in &promised.revoked {
        if users.contains(&credential.user) || credential.is_live(&mount.api) {
            return Err(format!("{} was taken back and is there", credential.lease));
        }
    }
    for credential in &promised.undecided {
        if users.contains(&credential.user) != credential.is_live(&mount.api) {
            return Err(format!("{}: half revoked", credential.lease));
        }
    }
    if let Some(credential) = promised.kept.last()
        && let Err(error) = cluster.try_login(&credential.user, &credential.password)
    {
        return Err(format!("{} cannot log in: {error}", credential.user));
    }
    for (key, round) in &promised.written {
        let reply = mount.api.get(&format!("kv/{key}"));
        if reply.body["data"]["round"] != *round {
            return Err(format!("kv/{key} was acknowledged as {round} and is {}", reply.body));
        }
    }
    Ok(())
}
