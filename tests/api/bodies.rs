//! What a body says it says once: to the host that decides, and to the engine that acts.

use harness::{Api, Reply};
use serde_json::{Value, json};

use crate::common::{neighbour, shared};

/// Sends this text as it is.
#[track_caller]
fn send(api: &Api, verb: &str, path: &str, text: &str) -> Reply {
    let headers = [("X-Vault-Token", api.token()), ("Content-Type", "application/json")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    api.exchange(verb, path, &headers, Some(text.as_bytes().to_vec())).unwrap()
}

#[test]
fn of_members_of_one_name_the_last_counts() {
    let api = shared();
    api.mount("b-one", "kv");
    send(api, "PUT", "b-one/a", r#"{"v":"first","w":{"x":1,"y":[{"z":1,"z":2}],"x":3},"v":"second"}"#).expect(204);
    let want = json!({ "v": "second", "w": { "x": 3, "y": [{ "z": 2 }] } });
    assert_eq!(api.get("b-one/a").expect(200)["data"], want);

    api.mount("b-two", "kv-v2");
    let twice = r#"{"data":{"v":"first"},"options":{"cas":7},"data":{"v":"second","v":"third"},"options":{"cas":0}}"#;
    send(api, "PUT", "b-two/data/a", twice).expect(200);
    assert_eq!(api.get("b-two/data/a").expect(200)["data"]["data"], json!({ "v": "third" }));

    // What the host checks is what the engine and the ledger get.
    send(api, "PUT", "sys/policies/acl/b-dup", r#"{"policy":"path \"a\" {","policy":"path \"b/*\" {}"}"#).expect(204);
    assert_eq!(api.get("sys/policies/acl/b-dup").expect(200)["data"]["policy"], "path \"b/*\" {}");
    let token = send(api, "POST", "auth/token/create", r#"{"policies":["root"],"policies":["default"]}"#).expect(200);
    assert_eq!(token["auth"]["policies"], json!(["default"]));
}

#[test]
fn names_that_belong_to_the_reader_are_refused() {
    let api = shared();
    let well = neighbour(api, "b-names");
    api.mount("b-kv2", "kv-v2");
    for name in ["RawValue", "Number", "Any"].map(|of| format!("$serde_json::private::{of}")) {
        for text in [
            format!(r#"{{"{name}":"{{\"v\":1}}"}}"#),
            format!(r#"{{"v":{{"{name}":"1"}}}}"#),
            format!(r#"{{"v":[{{"a":0,"{name}":"1"}}]}}"#),
            format!(r#"{{"\u0024{}":"1"}}"#, &name[1..]),
        ] {
            send(api, "PUT", "b-names/a", &text).refused(400, "reserved");
            send(api, "PUT", "b-kv2/data/a", &format!(r#"{{"data":{text}}}"#)).refused(400, "reserved");
        }
        api.get(&format!("b-names/greeting?{name}=1")).refused(400, "reserved");
        let form = [("X-Vault-Token", api.token()), ("Content-Type", "application/x-www-form-urlencoded")];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let sent = api.exchange("PUT", "b-names/a", &form, Some(format!("{name}=1").into_bytes())).unwrap();
        sent.refused(400, "reserved");
    }
    well();
}

/// Documents within strings within documents: no reader may follow them down.
fn matryoshka() -> String {
    let mut text = "0".to_owned();
    for _ in 0..300 {
        let inner = text.replace('\\', "\\u005c").replace('"', "\\u0022");
        let object = format!(r#"{{"$serde_json::private::RawValue":"{inner}"}}"#);
        text = format!("{}{object}{}", "[".repeat(100), "]".repeat(100));
    }
    text
}

#[test]
fn depth_ends_a_request_and_nothing_else() {
    let api = shared();
    let well = neighbour(api, "b-deep");
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for text in [nested(200), nested(2_000_000), matryoshka()] {
        // Nobody need be known to the server for that.
        for asking in [api.clone(), api.with_token("nobody")] {
            assert_eq!(send(&asking, "PUT", "b-deep/a", &format!(r#"{{"v":{text}}}"#)).status, 400);
        }
        let metadata = json!({ "custom_metadata": text }).to_string();
        let asked = send(api, "POST", "auth/token/create", &json!({ "meta": text }).to_string());
        assert!(asked.status < 500, "{}", Value::from(asked.status));
        assert!(send(api, "PUT", "b-deep/a", &metadata).status < 500);
        well();
    }
}
