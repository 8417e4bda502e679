//! One server for all attacks of this run, with a neighbour who must not notice any of them. Whatever is an attack goes
//! through one of the functions here, for they look at the neighbour.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use harness::{Api, PATIENCE, Reply, Server, hostile_engines, wait_until};
use serde_json::{Value, json};

use crate::neighbour::Neighbour;

/// The server and what lives on it.
pub(crate) struct Arena {
    /// Asks nobody any more before the server goes.
    neighbour: Arc<Neighbour>,
    server: Server,
    api: Api,
}

/// The arena of this test run.
pub(crate) fn arena() -> &'static Arena {
    static ARENA: OnceLock<Arena> = OnceLock::new();
    ARENA.get_or_init(|| Arena::open(hostile_engines()))
}

impl Arena {
    /// A server of its own, with the engines of this folder.
    pub(crate) fn open(engines: &Path) -> Self {
        let server = Server::dev_with(&[format!("-dev-plugin-dir={}", engines.display())]);
        let api = server.api();
        Self { neighbour: Neighbour::move_in(&api), server, api }
    }

    /// Whatever it is, the neighbour does not notice it.
    #[track_caller]
    pub(crate) fn unnoticed<T>(&self, attack: impl FnOnce() -> T) -> T {
        self.neighbour.unnoticed(attack)
    }

    /// A client with the root token.
    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    /// What the server printed so far.
    pub(crate) fn log(&self) -> String {
        self.server.log()
    }

    /// Where the server listens, as host and port.
    pub(crate) fn listener(&self) -> &str {
        self.server.url().trim_start_matches("http://")
    }

    /// Mounts a hostile engine.
    #[track_caller]
    pub(crate) fn mount(&self, path: &str, engine: &str) {
        self.unnoticed(|| self.api.mount(path, engine));
    }

    /// An engine that is refused within a time, is not there afterwards, and troubles nobody.
    #[track_caller]
    pub(crate) fn stays_out(&self, path: &str, body: Value) -> Reply {
        let begun = Instant::now();
        let reply = self.unnoticed(|| self.api.post(&format!("sys/mounts/{path}"), body));
        assert!(begun.elapsed() < PATIENCE, "{path} was refused after {:?}", begun.elapsed());
        assert!((400..600).contains(&reply.status), "{path} was mounted: {}", reply.body);
        let listed = self.api.get("sys/mounts").expect(200);
        assert!(listed["data"].get(format!("{path}/")).is_none(), "{path} is listed");
        reply
    }

    /// The same for one that would load, because of what it says of itself; reviewers are shown why.
    #[track_caller]
    pub(crate) fn undescribed(&self, path: &str, body: Value) {
        self.shows(path, "description refused: ", || self.stays_out(path, body));
    }

    /// Mounts a hostile engine and tells it of a backend, called `pg`, at this port.
    pub(crate) fn mount_with_backend(&self, path: &str, engine: &str, port: u16) {
        self.mount(path, engine);
        self.configure(path, "pg", port).expect(204);
    }

    /// Tells an engine of a backend.
    pub(crate) fn configure(&self, path: &str, name: &str, port: u16) -> Reply {
        let url = format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres?sslmode=disable");
        self.api.put(&format!("{path}/config/{name}"), json!({ "connection_url": url }))
    }

    /// An attack.
    #[track_caller]
    pub(crate) fn attack(&self, path: &str, body: Value) -> Reply {
        self.unnoticed(|| self.api.put(path, body))
    }

    /// What `sys/sandbox/denials` has to say of a mount: how much in all, and what, newest first.
    fn refusals(&self, mount: &str) -> (u64, Vec<String>) {
        let shown = self.api.get(&format!("sys/sandbox/denials?mount={mount}&limit=1000")).ok()["data"].clone();
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let counts = &shown["counts"][0];
        let faults = counts["faults"].as_object().into_iter().flatten().map(|(_, count)| number(count));
        let count = number(&counts["denials"]) + faults.sum::<u64>();
        let texts = shown["denials"].as_array().into_iter().flatten();
        let text = |d: &Value| format!("{}: {}", d["attempt"].as_str().unwrap(), d["reason"].as_str().unwrap());
        (count, texts.map(text).collect())
    }

    /// Whatever is refused or ended meanwhile is shown to reviewers, with this in its text.
    #[track_caller]
    pub(crate) fn shows<T>(&self, path: &str, text: &str, attack: impl FnOnce() -> T) -> T {
        let mount = path.split('/').next().unwrap_or_default();
        let (before, _) = self.refusals(mount);
        let came = self.unnoticed(attack);
        let (after, shown) = self.refusals(mount);
        assert!(after > before, "{path}: nothing was counted as refused ({text:?} was expected)");
        let new = usize::try_from(after - before).unwrap_or(usize::MAX);
        let listed = shown.iter().take(new).any(|refusal| refusal.contains(text));
        assert!(listed, "{path}: {text:?} is not listed: {shown:?}");
        came
    }

    /// An attack that ends its call for this kind of reason, which reviewers are shown.
    #[track_caller]
    pub(crate) fn ends(&self, kind: &str, path: &str, body: Value) {
        let reply = self.shows(path, &format!("call ended: {kind}: "), || self.api.put(path, body));
        names_the_culprit(&reply, path);
    }

    /// Waits until there is no lease below the path: what nobody knows the outcome of is revoked, and gone once nothing
    /// of it can appear any more.
    #[track_caller]
    pub(crate) fn forgets(&self, path: &str) {
        let is_gone = || (self.api.list(&format!("sys/leases/lookup/{path}")).status == 404).then_some(());
        self.unnoticed(|| wait_until("the half-made lease to be gone", is_gone));
    }

    /// So many equal attacks at once, each ended for this kind of reason.
    #[track_caller]
    pub(crate) fn contained(&self, kind: &str, path: &str, at_once: usize) {
        let attack = || self.api.put(path, json!({ "now": true }));
        let all = || {
            thread::scope(|scope| {
                let attacks: Vec<_> = (0..at_once).map(|_| scope.spawn(attack)).collect();
                attacks.into_iter().map(|a| a.join().expect("the attacker's thread")).collect::<Vec<_>>()
            })
        };
        for reply in self.shows(path, &format!("call ended: {kind}: "), all) {
            names_the_culprit(&reply, path);
        }
    }
}

/// A fault of an engine is a 5xx that says whose fault it was.
#[track_caller]
pub(crate) fn names_the_culprit(reply: &Reply, path: &str) {
    let mount = path.split('/').next().unwrap_or_default();
    assert!((500..600).contains(&reply.status), "{path} answered {}: {}", reply.status, reply.body);
    let said = reply.body["errors"].to_string();
    assert!(said.contains(mount), "{path}: the error does not name the mount: {said}");
}
