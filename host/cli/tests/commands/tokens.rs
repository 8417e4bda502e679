//! `token`.

use serde_json::json;

use crate::support::{Ended, World, prints};

#[test]
fn creates() {
    let body = r#"{"auth":{"client_token":"hvs.x","accessor":"HuopNzMdex46dyRSmfu9V1MO","lease_duration":3600,
        "renewable":true,"token_policies":["default"],"identity_policies":[],"policies":["default"]}}"#;
    let world = World::new(&[("POST /v1/auth/token/create", 200, body), ("POST /v1/auth/token/create/ci", 200, body)]);
    prints(
        world.run("token create -policy=default -ttl=1h"),
        "Key                  Value\n---                  -----\ntoken                hvs.x\n\
         token_accessor       HuopNzMdex46dyRSmfu9V1MO\ntoken_duration       1h\ntoken_renewable      true\n\
         token_policies       [\"default\"]\nidentity_policies    []\npolicies             [\"default\"]\n",
    );
    assert_eq!(world.last().body, json!({"policies": ["default"], "ttl": "1h0m0s", "renewable": true}));
    prints(
        world.run(
            "token create -role=ci -type=batch -metadata=a=b -orphan -no-default-policy -use-limit=3 -period=60 \
             -explicit-max-ttl=2h -display-name=d -id=i -entity-alias=e -field=token_duration",
        ),
        "3600",
    );
    assert_eq!(
        world.last().body,
        json!({"type": "batch", "meta": {"a": "b"}, "no_parent": true, "no_default_policy": true, "num_uses": 3,
            "period": "1m0s", "explicit_max_ttl": "2h0m0s", "display_name": "d", "id": "i", "entity_alias": "e",
            "renewable": false})
    );
}

#[test]
fn looks_up_renews_and_revokes() {
    let world = World::new(&[
        ("GET /v1/auth/token/lookup-self", 200, r#"{"data":{"ttl":0,"policies":["a","b"]}}"#),
        ("POST /v1/auth/token/lookup", 200, r#"{"data":{"id":"x"}}"#),
        ("POST /v1/auth/token/lookup-accessor", 200, r#"{"data":{"id":""}}"#),
        ("POST /v1/auth/token/renew-self", 200, r#"{"auth":{"client_token":"t"}}"#),
        ("POST /v1/auth/token/renew", 200, r#"{"auth":{"client_token":"t"}}"#),
        ("POST /v1/auth/token/revoke", 204, ""),
        ("POST /v1/auth/token/revoke-self", 204, ""),
        ("POST /v1/auth/token/revoke-orphan", 204, ""),
        ("POST /v1/auth/token/revoke-accessor", 204, ""),
        ("PUT /v1/sys/leases/revoke-prefix/auth/userpass", 204, ""),
    ]);
    prints(world.run("token lookup"), "Key         Value\n---         -----\npolicies    [a b]\nttl         0s\n");
    prints(world.run("token lookup -field=id x"), "x");
    assert_eq!(world.last().body, json!({"token": "x"}));
    assert_eq!(world.run("token lookup -accessor A").code, 0);
    assert_eq!(world.run("token renew -increment=30m").code, 0);
    assert_eq!(world.last().body, json!({"increment": 1800}));
    assert_eq!(world.run("token renew x").code, 0);
    assert_eq!(world.last().body, json!({"token": "x"}));
    let revoked = "Success! Revoked token (if it existed)\n";
    for line in ["x", "-self", "-accessor A", "-mode=orphan x", "-mode=path auth/userpass"] {
        prints(world.run(&format!("token revoke {line}")), revoked);
    }
    assert_eq!(world.last().line, "PUT /v1/sys/leases/revoke-prefix/auth/userpass");
    for line in ["", "a b", "-self x", "-self -accessor", "-accessor -mode=orphan x", "-mode=x y"] {
        assert_eq!(world.run(&format!("token revoke {line}")).code, 1, "{line}");
    }
    assert_eq!(world.run("token lookup -accessor").code, 1);
}

#[test]
fn capabilities() {
    let body = r#"{"data":{"kv/a":["update","read"],"capabilities":["update","read"]}}"#;
    let world = World::new(&[("POST /v1/sys/capabilities-self", 200, body), ("POST /v1/sys/capabilities", 200, body)]);
    prints(world.run("token capabilities kv/a"), "read, update\n");
    prints(world.run("token capabilities -format=json hvs.t kv/a"), "[\n  \"read\",\n  \"update\"\n]\n");
    assert_eq!(world.last().body, json!({"token": "hvs.t", "paths": ["kv/a"]}));
    let none = world.run("token capabilities");
    assert_eq!(none, Ended { code: 1, out: String::new(), err: "Not enough arguments (expected 1-2, got 0)\n".into() });
}
