//! `lease`, and the names from before.

use serde_json::json;

use crate::support::{World, prints};

#[test]
fn looks_up_with_sorted_keys() {
    let body = r#"{"data":{"expire_time":"2026-01-02T04:04:05Z","id":"database/creds/ro/Fg2m",
        "issue_time":"2026-01-02T03:04:05Z","last_renewal":null,"path":"database/creds/ro","renewable":true,"ttl":3599}}"#;
    let world = World::new(&[("PUT /v1/sys/leases/lookup", 200, body)]);
    prints(
        world.run("lease lookup database/creds/ro/Fg2m"),
        "Key             Value\n---             -----\nexpire_time     2026-01-02T04:04:05Z\n\
         id              database/creds/ro/Fg2m\nissue_time      2026-01-02T03:04:05Z\nlast_renewal    <nil>\n\
         path            database/creds/ro\nrenewable       true\nttl             59m59s\n",
    );
    let world = World::new(&[("PUT /v1/sys/leases/lookup", 400, r#"{"errors":["invalid lease"]}"#)]);
    let unknown = world.run("lease lookup x");
    assert!(unknown.code == 2 && unknown.err.starts_with("error looking up lease id x: "), "{unknown:?}");
}

#[test]
fn renews_under_both_names() {
    let body = r#"{"lease_id":"d/c/ro/F","renewable":true,"lease_duration":7200,"data":null}"#;
    let world = World::new(&[("PUT /v1/sys/leases/renew", 200, body)]);
    let want = "Key                Value\n---                -----\nlease_id           d/c/ro/F\n\
                lease_duration     2h\nlease_renewable    true\n";
    prints(world.run("lease renew -increment=2h d/c/ro/F"), want);
    assert_eq!(world.last().body, json!({"lease_id": "d/c/ro/F", "increment": 7200}));
    prints(world.run("renew d/c/ro/F"), want);
    assert_eq!(world.last().body["increment"], 0);
    prints(world.run("lease renew d/c/ro/F 30"), want);
    assert_eq!(world.last().body["increment"], 30);
    assert!(world.run("lease renew -format=json d/c/ro/F").out.contains("\"lease_duration\": 7200"));
}

#[test]
fn revokes_later_or_at_once() {
    let world = World::new(&[
        ("PUT /v1/sys/leases/revoke/d/c/ro/F", 202, ""),
        ("PUT /v1/sys/leases/revoke-prefix/d", 204, ""),
        ("PUT /v1/sys/leases/revoke-force/d", 204, ""),
    ]);
    let queued = "All revocation operations queued successfully!\n";
    prints(world.run("lease revoke d/c/ro/F"), queued);
    assert_eq!(world.last().body, json!({"sync": false}));
    prints(world.run("revoke d/c/ro/F"), queued);
    prints(world.run("lease revoke -prefix d/"), queued);
    prints(world.run("lease revoke -sync d/c/ro/F"), "Success! Revoked lease: d/c/ro/F\n");
    assert_eq!(world.last().body, json!({"sync": true}));
    prints(world.run("lease revoke -sync -prefix d"), "Success! Revoked any leases with prefix: d\n");
    let forced = world.run("lease revoke -f -prefix d");
    assert_eq!((forced.code, forced.out.as_str()), (0, "Success! Force revoked any leases with prefix: d\n"));
    assert!(forced.err.starts_with("Warning! Force-removing leases can cause Vault"));
}
