//! What is in databases is held against the leases.

use harness::{DatabaseMount, Postgres, Server};
use serde_json::{Value, json};

fn listed(mount: &DatabaseMount) -> Vec<(String, String)> {
    let shown = mount.api.get(&format!("sys/inventory/{}", mount.path)).ok();
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    let objects = shown["data"]["objects"].as_array().unwrap();
    let mut all: Vec<_> = objects.iter().map(|o| (text(&o["object"]), text(&o["state"]))).collect();
    all.sort();
    all
}

#[test]
fn users_without_a_lease_and_leases_without_a_user_are_told() {
    let (cluster, server) = (Postgres::shared(), Server::dev());
    let mount = DatabaseMount::new(&server.api(), "db", cluster);
    let (made, gone) = (mount.credential("app"), mount.credential("app"));
    let mut admin = cluster.superuser();
    let stamp = format!(
        "SELECT pg_catalog.shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname = '{}'",
        made.user
    );
    let stamp: String = admin.query_one(&stamp, &[]).unwrap().get(0);
    let mark = &stamp[..=stamp.rfind('/').unwrap()];
    let mut stray = |name: &str, stamp: &str| {
        let sql = format!("CREATE ROLE \"{name}\" LOGIN; COMMENT ON ROLE \"{name}\" IS '{stamp}'");
        admin.batch_execute(&sql).unwrap();
    };
    for name in ["stock-adopted", "stock-Destroyed", "stock-ignored"] {
        stray(name, &format!("{mark}{name}"));
    }
    stray("stock-stranger", &stamp.replace("cofferdam:", "cofferdam:0"));
    admin.batch_execute(&format!("DROP ROLE \"{}\"", gone.user)).unwrap();

    let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    let mut all = vec![
        pair("stock-Destroyed", "orphan"),
        pair("stock-adopted", "orphan"),
        pair("stock-ignored", "orphan"),
        pair(&made.user, "leased"),
        pair(&gone.user, "ghost"),
    ];
    all.sort();
    assert_eq!(listed(&mount), all);

    let act = |action: &str, object: &str| {
        mount.api.put(&format!("sys/inventory/db/{action}"), json!({ "object": object, "backend": "pg" }))
    };
    act("destroy", "stock-stranger").refused(400, "there is no");
    act("destroy", &made.user).refused(400, "it is leased");
    act("destroy", "stock-Destroyed").expect(204);
    act("ignore", "stock-ignored").expect(204);
    let lease = act("adopt", "stock-adopted").ok()["data"]["lease_id"].clone();
    let sudo = mount.api.put("sys/leases/revoke", json!({ "lease_id": lease, "sync": true }));
    sudo.expect(204);
    let left = cluster.roles_like("stock-%");
    assert_eq!(left, ["stock-ignored", "stock-stranger"]);
    assert!(cluster.has_role(&made.user));
    server.api().mount("kv", "kv");
    server.api().get("sys/inventory/kv").refused(400, "does not tell");
}
