//! One server for all attacks of this run, with a neighbour who must not notice any of them.

use std::sync::OnceLock;
use std::thread;

use harness::{Api, Reply, Server, hostile_engines, wait_until};
use serde_json::{Value, json};

/// The server and what lives on it.
pub(crate) struct Arena {
    server: Server,
    api: Api,
}

/// The arena of this test run.
pub(crate) fn arena() -> &'static Arena {
    static ARENA: OnceLock<Arena> = OnceLock::new();
    ARENA.get_or_init(|| {
        let server = Server::dev_with(&[format!("-dev-plugin-dir={}", hostile_engines().display())]);
        let api = server.api();
        api.mount("neighbour", "kv");
        api.put("neighbour/greeting", json!({ "text": "hello" })).expect(204);
        Arena { server, api }
    })
}

impl Arena {
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
    pub(crate) fn mount(&self, path: &str, engine: &str) {
        self.api.mount(path, engine);
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
    pub(crate) fn attack(&self, path: &str, body: Value) -> Reply {
        self.api.put(path, body)
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
        let came = attack();
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
        let reply = self.shows(path, &format!("call ended: {kind}: "), || self.attack(path, body));
        names_the_culprit(&reply, path);
    }

    /// Waits until there is no lease below the path: what nobody knows the outcome of is revoked, and gone once nothing
    /// of it can appear any more.
    #[track_caller]
    pub(crate) fn forgets(&self, path: &str) {
        wait_until("the half-made lease to be gone", || {
            (self.api.list(&format!("sys/leases/lookup/{path}")).status == 404).then_some(())
        });
    }

    /// The neighbour answers as ever.
    #[track_caller]
    pub(crate) fn neighbour_is_well(&self) {
        // Not its secret: an answer that was remembered would say nothing of its compartment.
        assert_eq!(self.api.list("neighbour").expect(200)["data"]["keys"][0], "greeting");
    }

    /// So many equal attacks at once, each ended for this kind of reason; the neighbour answers while they last.
    #[track_caller]
    pub(crate) fn contained(&self, kind: &str, path: &str, at_once: usize) {
        self.shows(path, &format!("call ended: {kind}: "), || self.all_end(path, at_once));
    }

    #[track_caller]
    fn all_end(&self, path: &str, at_once: usize) {
        let mut answers_meanwhile = 0;
        let replies: Vec<Reply> = thread::scope(|scope| {
            let attacks: Vec<_> =
                (0..at_once).map(|_| scope.spawn(|| self.attack(path, json!({ "now": true })))).collect();
            while !attacks.iter().all(thread::ScopedJoinHandle::is_finished) {
                self.neighbour_is_well();
                answers_meanwhile += 1;
            }
            attacks.into_iter().map(|a| a.join().expect("the attacker's thread")).collect()
        });
        assert!(answers_meanwhile > 0, "{path} was over before anybody could look");
        for reply in replies {
            names_the_culprit(&reply, path);
        }
        self.neighbour_is_well();
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
