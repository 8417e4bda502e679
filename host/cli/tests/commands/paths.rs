//! `read`, `write`, `patch`, `list`, `delete`, `unwrap`, `path-help`.

use serde_json::json;

use crate::support::{Ended, World, prints};

const LEASED: &str = r#"{"request_id":"r","lease_id":"database/creds/ro/Fg2m","lease_duration":3600,"renewable":true,
    "data":{"password":"<p&>","username":"u"},"wrap_info":null,"warnings":null,"auth":null}"#;

#[test]
fn reads_in_every_format() {
    let world = World::new(&[("GET /v1/database/creds/ro", 200, LEASED)]).with("VAULT_TOKEN", "t");
    prints(
        world.run("read database/creds/ro"),
        "Key                Value\n---                -----\nlease_id           database/creds/ro/Fg2m\n\
         lease_duration     1h\nlease_renewable    true\npassword           <p&>\nusername           u\n",
    );
    assert_eq!(world.last().headers["x-vault-token"], "t");
    prints(
        world.run("read -format=json /database/creds/ro/"),
        "{\n  \"request_id\": \"r\",\n  \"lease_id\": \"database/creds/ro/Fg2m\",\n  \"lease_duration\": 3600,\n  \
         \"renewable\": true,\n  \"data\": {\n    \"password\": \"\\u003cp\\u0026\\u003e\",\n    \"username\": \"u\"\n  },\n  \
         \"warnings\": null\n}\n",
    );
    prints(
        world.run("read -format=yaml database/creds/ro"),
        "data:\n  password: <p&>\n  username: u\nlease_duration: 3600\nlease_id: database/creds/ro/Fg2m\n\
         renewable: true\nrequest_id: r\nwarnings: null\n",
    );
    prints(world.run("read -format=raw database/creds/ro"), &format!("{LEASED}\n"));
    prints(world.run("read -field=username database/creds/ro"), "u");
    prints(world.run("read -field=lease_duration database/creds/ro"), "3600");
    prints(world.run("read -format=json -field=username database/creds/ro"), "\"u\"");
    let missing = world.run("read -field=x database/creds/ro");
    assert_eq!(missing, Ended { code: 1, out: String::new(), err: "Field \"x\" not present in secret\n".into() });
}

#[test]
fn what_is_not_there() {
    let world = World::new(&[]);
    let nothing = |out: &str, err: &str| Ended { code: 2, out: out.into(), err: err.into() };
    assert_eq!(world.run("read kv/x"), nothing("", "No value found at kv/x\n"));
    assert_eq!(world.run("read -format=json kv/x"), nothing("", "No value found at kv/x\n"));
    assert_eq!(world.with("HOME", "").run("read kv/x").code, 2, "a home is not needed to ask");
    let world = World::new(&[]);
    assert_eq!(world.run("list kv/x"), nothing("", "No value found at kv/x\n"));
    assert_eq!(world.run("list -format=json kv/x"), nothing("{}\n", ""));
}

#[test]
fn refusals_are_printed_as_the_peers_do() {
    let refusal = r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;
    let world = World::new(&[("GET /v1/kv1/b", 403, refusal), ("PUT /v1/kv1/b", 502, "<html>")]);
    assert_eq!(
        world.run("read kv1/b"),
        Ended {
            code: 2,
            out: String::new(),
            err: "Error reading kv1/b: Error making API request.\n\nURL: GET http://server/v1/kv1/b\n\
                  Code: 403. Errors:\n\n* 1 error occurred:\n\t* permission denied\n\n\n"
                .into(),
        }
    );
    assert_eq!(
        world.run("write -namespace=a/b kv1/b x=y").err,
        "Error writing data to kv1/b: Error making API request.\n\nNamespace: a/b/\nURL: PUT http://server/v1/kv1/b\n\
         Code: 502. Raw Message:\n\n<html>\n"
    );
    assert_eq!(world.last().headers["x-vault-namespace"], "a/b/");
    assert_eq!(world.seen().len(), 2, "nothing is tried again unless asked for");
}

#[test]
fn data_goes_into_the_query_or_the_body() {
    let world = World::new(&[
        ("GET /v1/aws/sts/r?ttl=15m", 200, r#"{"data":{"a":1}}"#),
        ("GET /v1/kv?after=b&list=true", 200, r#"{"data":{"keys":["d/","c"]}}"#),
        ("GET /v1/p?format=json", 200, r#"{"data":{"a":1}}"#),
        ("DELETE /v1/p?versions=1&versions=2", 204, ""),
        ("PUT /v1/p", 204, ""),
        ("PATCH /v1/p", 204, ""),
    ]);
    prints(world.run("read -field=a aws/sts/r ttl=15m"), "1");
    prints(world.run("list kv after=b"), "Keys\n----\nc\nd/\n");
    prints(world.run("list -after=b kv"), "Keys\n----\nc\nd/\n");
    prints(world.run("delete p versions=1 versions=2"), "Success! Data deleted (if it existed) at: p\n");
    prints(world.run_with("write p a=1 b=- c=\\@x", "in\n"), "Success! Data written to: p\n");
    assert_eq!(world.last().body, json!({"a": "1", "b": "in\n", "c": "@x"}));
    prints(world.run_with("write p -", r#"{"n":1}"#), "Success! Data written to: p\n");
    assert_eq!(world.last().body, json!({"n": 1}));
    prints(world.run("write -f p"), "Success! Data written to: p\n");
    assert_eq!(world.last().body, json!({}));
    prints(world.run("write -format=json p a=1"), "");
    prints(world.run("patch p a=1"), "Success! Data written to: p\n");
    assert_eq!(world.last().headers["content-type"], "application/merge-patch+json");
}

#[test]
fn late_flags_are_data() {
    let world = World::new(&[
        ("PUT /v1/p", 204, ""),
        ("GET /v1/sys/leases/lookup?-format=json&lease_id=x", 200, r#"{"data":{"a":1}}"#),
    ]);
    let late = world.run("write p a=1 -b=2");
    assert_eq!(world.last().body, json!({"a": "1", "-b": "2"}));
    assert_eq!(
        late.err,
        "Command flags must be provided before positional arguments. The following arguments will not be parsed as \
         flags: [-b=2]\n"
    );
    let json = world.run("read sys/leases/lookup -format=json lease_id=x");
    assert!(json.code == 0 && json.out.starts_with("{\n") && json.err.is_empty(), "{json:?}");
}

#[test]
fn lists_with_details() {
    let list = r#"{"data":{"keys":["b","a"],"key_info":{"a":{"name":"x","ttl":60},"b":{"name":"y"},"z":{"q":1}}}}"#;
    let world = World::new(&[("GET /v1/e?list=true", 200, list)]);
    prints(
        world.run("list -detailed e"),
        "Keys    name    ttl\n----    ----    ---\na       x       1m\nb       y       n/a\n",
    );
    prints(world.run("list -format=json e"), "[\n  \"b\",\n  \"a\"\n]\n");
    prints(world.run("list -format=yaml e"), "- b\n- a\n");
    assert!(world.run("list -detailed -format=json e").out.contains("\"key_info\""));
}

#[test]
fn warnings_go_to_stderr_for_people_only() {
    let body = r#"{"warnings":["Policy \"x\" does not exist"],"data":{"a":1}}"#;
    let world = World::new(&[("PUT /v1/p", 200, body)]);
    assert_eq!(
        world.run("write p a=1").err,
        "WARNING! The following warnings were returned from Vault:\n\n  * Policy \"x\" does not exist\n\n"
    );
    assert_eq!(world.run("write -format=json p a=1").err, "");
}

#[test]
fn calls_described_are_not_made() {
    let world = World::new(&[]).with("VAULT_TOKEN", "hvs.secret");
    prints(
        world.run("write -output-curl-string p a=1"),
        "curl -X PUT -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $(vault print token)\" -d '{\"a\":\"1\"}' \
         \"http://server/v1/p\"\n",
    );
    prints(
        world.run("list -output-curl-string p"),
        "curl -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $(vault print token)\" \"http://server/v1/p?list=true\"\n",
    );
    prints(world.run("delete -output-policy a/b"), "path \"a/b\" {\n  capabilities = [\"delete\"]\n}\n");
    assert!(world.seen().is_empty());
}

#[test]
fn unwraps_with_the_wrapping_token_or_ours() {
    let world = World::new(&[("PUT /v1/sys/wrapping/unwrap", 200, r#"{"data":{"a":1}}"#)]);
    prints(world.run("unwrap -field=a hvs.w"), "1");
    assert_eq!(world.last().headers["x-vault-token"], "hvs.w");
    let world = world.with("VAULT_TOKEN", "hvs.mine");
    prints(world.run("unwrap -field=a hvs.w"), "1");
    assert_eq!(
        (world.last().headers["x-vault-token"].as_str(), world.last().body),
        ("hvs.mine", json!({"token": "hvs.w"}))
    );
    prints(world.run("unwrap -field=a"), "1");
    assert_eq!(world.last().body, json!(null));
}

#[test]
fn asks_for_wrapping_and_for_help() {
    let wrapped = r#"{"wrap_info":{"token":"w","ttl":60,"creation_time":"2026-01-02T03:04:05Z","creation_path":"p"}}"#;
    let world = World::new(&[
        ("GET /v1/p", 200, wrapped),
        ("GET /v1/database?help=1", 200, r#"{"help":"text of help","see_also":null}"#),
    ]);
    assert!(world.run("read -wrap-ttl=60 p").out.contains("wrapping_token_ttl:              1m\n"));
    assert_eq!(world.last().headers["x-vault-wrap-ttl"], "1m0s");
    prints(world.run("path-help database"), "text of help\n");
}
