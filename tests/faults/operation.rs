//! What a client may be doing when something happens to the server.

use std::thread::{self, JoinHandle};

use harness::{Api, Credential, DatabaseMount, Promised, Reply};
use serde_json::json;

use crate::scene::{Cell, Scene};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Asks for a credential.
    Issue,
    /// Renews one.
    Renew,
    /// Takes one back, and waits.
    Revoke,
    /// Takes all of a role back, and waits.
    Prefix,
    /// Revokes the token that asked for them.
    Token,
    /// Removes the mount.
    Unmount,
    /// Deletes the connection's configuration.
    Delete,
    /// Deletes the role.
    DeleteRole,
    /// Moves the connection to another address of the same database.
    Move,
    /// Changes the administrator's password.
    Rotate,
    /// Seals the server.
    Seal,
}

/// What has become of the credentials that an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// They are there.
    Stay,
    /// They are gone.
    Go,
    /// They are wholly there or wholly gone.
    Either,
}

/// An operation under way.
pub(crate) struct Begun(JoinHandle<Result<Reply, String>>);

impl Begun {
    /// Sends the request in a thread of its own.
    pub(crate) fn send(api: &Api, verb: &'static str, path: &str, body: Option<serde_json::Value>) -> Self {
        let (api, path) = (api.clone(), path.to_owned());
        Self(thread::spawn(move || api.try_send(verb, &path, body)))
    }

    /// Waits for the answer. An error: the server went away.
    pub(crate) fn answer(self) -> Result<Reply, String> {
        self.0.join().expect("a client ends well")
    }
}

impl Operation {
    /// Begins it on a cell.
    pub(crate) fn begin(self, scene: &Scene, cell: &Cell) -> Begun {
        let (path, api) = (&cell.mount.path, &cell.mount.api);
        let lease = json!({ "lease_id": cell.made[0].lease, "sync": true });
        let send = |verb, path: &str, body| Begun::send(api, verb, path, body);
        match self {
            Self::Issue => Begun::send(&cell.asker, "GET", &format!("{path}/creds/app"), None),
            Self::Renew => send("PUT", "sys/leases/renew", Some(json!({ "lease_id": cell.made[0].lease }))),
            Self::Revoke => send("PUT", "sys/leases/revoke", Some(lease)),
            Self::Prefix => {
                send("PUT", &format!("sys/leases/revoke-prefix/{path}/creds/app"), Some(json!({ "sync": true })))
            }
            Self::Token => send("POST", "auth/token/revoke", Some(json!({ "token": cell.asker.token() }))),
            Self::Unmount => send("DELETE", &format!("sys/mounts/{path}"), None),
            Self::Delete => send("DELETE", &format!("{path}/config/pg"), None),
            Self::DeleteRole => send("DELETE", &format!("{path}/roles/app"), None),
            Self::Move => {
                let url = scene.cluster.url_with("localhost", "sslmode=disable");
                let (path, body) = (format!("{path}/config/pg"), DatabaseMount::configuration(&url, &scene.cluster));
                send("POST", &path, Some(body))
            }
            Self::Rotate => send("POST", &format!("{path}/rotate-root/pg"), Some(json!({}))),
            Self::Seal => send("PUT", "sys/seal", Some(json!({}))),
        }
    }

    /// What has been promised, given the answer; `end` is what is known without one.
    pub(crate) fn promised(self, made: &[Credential], answer: &Result<Reply, String>, end: End) -> Promised {
        let done = answer.as_ref().ok().filter(|reply| reply.is_ok());
        let (concerned, others) = match self {
            Self::Revoke => made.split_at(1),
            Self::Prefix | Self::Token | Self::Unmount => made.split_at(made.len()),
            _ => made.split_at(0),
        };
        let mut promised = Promised { kept: others.to_vec(), ..Promised::default() };
        match (done, end) {
            // The leases of a token are only due when it is answered; the oracle is asked until it agrees.
            (Some(_), _) | (None, End::Go) => promised.revoked.extend_from_slice(concerned),
            (None, End::Stay) => promised.kept.extend_from_slice(concerned),
            (None, End::Either) => promised.undecided.extend_from_slice(concerned),
        }
        if let (Self::Issue, Some(reply)) = (self, done) {
            promised.kept.push(Credential::of(&reply.body));
        }
        promised
    }
}
