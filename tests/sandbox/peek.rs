//! An engine that tells everything it can see: nothing of the client's, nothing of the machine's.

use harness::Api;
use serde_json::{Value, json};

use crate::arena::arena;

/// A client that may use mounts whose names begin like this.
fn visitor(prefix: &str) -> Api {
    let policy = format!("path \"{prefix}*\" {{ capabilities = [\"create\", \"update\"] }}");
    arena().api().policy(prefix, &policy);
    arena().api().child(&[prefix], json!({ "ttl": "1h", "display_name": "visitor" }))
}

/// What an engine at `mount` sees of a client's request.
fn seen(client: &Api, mount: &str) -> Value {
    arena().mount(mount, "peek");
    let look = || client.put(&format!("{mount}/attack/look"), json!({ "field": "sent" }));
    let reply = arena().unnoticed(look).expect(200);
    let text = reply.to_string();
    assert!(!text.contains(client.token()), "the token was seen: {text}");
    reply["data"].clone()
}

#[test]
fn the_request_without_the_token() {
    let seen = seen(&visitor("peek-token"), "peek-token");
    // The twin: what it may see is there.
    assert!(seen["request"].to_string().contains("sent"), "{seen}");
    assert!(seen["caller"].to_string().contains("visitor"), "{seen}");
    assert!(seen["mount"].to_string().contains("peek-token/"), "{seen}");
    assert_eq!(seen["target"], "None");
}

#[test]
fn what_the_host_read_and_nothing_else() {
    arena().mount("peek-twice", "peek");
    let api = arena().api();
    let headers = [("X-Vault-Token".to_owned(), api.token().to_owned())];
    let body = br#"{"field":"first","more":{"x":"early","x":"late"},"field":"second"}"#.to_vec();
    let look = || api.exchange("PUT", "peek-twice/attack/look", &headers, Some(body)).unwrap();
    let reply = arena().unnoticed(look).expect(200);
    let seen = reply["data"]["request"].to_string();
    for (there, gone) in [("second", "first"), ("late", "early")] {
        assert!(seen.contains(there) && !seen.contains(gone), "{seen}");
    }
}

#[test]
fn nothing_of_the_machine() {
    let seen = seen(&visitor("peek-machine"), "peek-machine");
    for nothing in ["environment", "arguments", "files", "read"] {
        assert_eq!(seen[nothing], json!([]), "{nothing} of the machine were seen");
    }
    assert_eq!(seen["written"], false);
}

#[test]
fn a_caller_looks_different_from_each_mount() {
    let client = visitor("peek-at");
    let (one, two) = (seen(&client, "peek-at-one"), seen(&client, "peek-at-two"));
    assert!(one["caller"].to_string().contains("fingerprint"), "{one}");
    assert_ne!(one["caller"], two["caller"], "fingerprints can be matched across mounts");
}
