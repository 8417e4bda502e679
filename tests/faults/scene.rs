//! A server with failpoints, its database, and the wire between them.

use harness::{Api, Credential, DatabaseMount, Oracle, Postgres, Promised, Proxy, Server, wait_until};
use serde_json::json;

/// Seconds by which nothing can come any more of a create: 30 until it is decided, 60 until that is believed.
pub(crate) const SETTLED: i64 = 100;

/// What all cells of one test share.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) cluster: Postgres,
    pub(crate) proxy: Proxy,
    cells: usize,
}

/// A mount of its own with two credentials of a token of its own, and one that nothing concerns; and an entry elsewhere.
pub(crate) struct Cell {
    pub(crate) mount: DatabaseMount,
    /// Asked for what was made.
    pub(crate) asker: Api,
    pub(crate) made: Vec<Credential>,
    bystander: Credential,
    /// Key and value.
    entry: (String, u64),
}

impl Scene {
    pub(crate) fn new() -> Self {
        let cluster = Postgres::start();
        let server = Server::armed();
        server.api().policy("asker", "path \"*\" { capabilities = [\"create\", \"read\", \"update\"] }");
        server.api().mount("kv", "kv");
        let proxy = Proxy::new(&cluster);
        Self { server, cluster, proxy, cells: 0 }
    }

    /// A fresh mount.
    #[track_caller]
    pub(crate) fn cell(&mut self) -> Cell {
        self.cells += 1;
        let api = self.server.api();
        let mount = DatabaseMount::with_url(&api, &format!("db-{}", self.cells), &self.cluster, &self.proxy.url());
        mount.role("app", "24h", "48h");
        mount.role("else", "24h", "48h");
        let asker = api.child(&["asker"], json!({ "ttl": "48h" }));
        let path = format!("{}/creds/app", mount.path);
        let made = (0..2).map(|_| Credential::of(&asker.get(&path).expect(200))).collect();
        let bystander = mount.credential("else");
        let entry = (format!("cell-{}", self.cells), u64::try_from(self.cells).expect("a small number"));
        api.put(&format!("kv/{}", entry.0), json!({ "round": entry.1 })).expect(204);
        Cell { mount, asker, made, bystander, entry }
    }

    pub(crate) fn oracle<'a>(&'a self, cell: &'a Cell) -> Oracle<'a> {
        Oracle { cluster: &self.cluster, mount: &cell.mount, role: "app" }
    }

    /// Time passes until nothing is undecided; then server and database must come to agree with the promises, and the
    /// cell's entry must be there.
    #[track_caller]
    pub(crate) fn agrees(&self, cell: &Cell, promised: &Promised) {
        let promised = Promised { written: [cell.entry.clone()].into(), ..promised.clone() };
        self.server.points().pass(SETTLED);
        self.wake(cell);
        let mut last = String::new();
        let agreed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until("agreement", || self.oracle(cell).check(&promised).map_err(|e| last = e).ok());
        }));
        assert!(agreed.is_ok(), "server and database do not agree: {last}\n{}", self.log());
    }

    /// What nothing concerned is there, and everything can be taken back.
    #[track_caller]
    pub(crate) fn ends(&self, cell: &Cell) {
        let (api, path) = (&cell.mount.api, &cell.mount.path);
        if api.get("sys/mounts").expect(200)["data"].get(format!("{path}/")).is_some() {
            assert!(
                self.cluster.has_role(&cell.bystander.user) && cell.bystander.is_live(api),
                "a credential that nothing concerned is gone\n{}",
                self.log()
            );
            let reply = api.delete(&format!("sys/mounts/{path}"));
            assert_eq!(reply.status, 204, "leases are left: {}\n{}", reply.body, self.log());
        }
        wait_until("all users to go with their mount", || self.cluster.roles_like("v-%").is_empty().then_some(()));
    }

    /// Makes the server look at what is due: its queue sleeps for seconds where nothing else happens.
    pub(crate) fn wake(&self, cell: &Cell) {
        let nothing = format!("sys/leases/revoke-prefix/{}/creds/nothing", cell.mount.path);
        cell.mount.api.put(&nothing, json!({})).ok();
    }

    /// The administrator has its first password again.
    pub(crate) fn reset_password(&self) {
        let sql = format!("ALTER ROLE {} PASSWORD '{}'", Postgres::ADMIN, self.cluster.password());
        self.cluster.superuser().batch_execute(&sql).unwrap();
    }

    /// The end of the server's log.
    pub(crate) fn log(&self) -> String {
        let log = self.server.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}
