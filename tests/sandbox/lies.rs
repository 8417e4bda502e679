//! An engine that lies about itself and about its leases.

use harness::Postgres;
use serde_json::json;

use crate::arena::{arena, names_the_culprit};

#[test]
fn what_it_says_of_itself_is_checked_before_it_is_mounted() {
    for lie in [
        "no-name",
        "line-in-name",
        "long-name",
        "much-help",
        "many-routes",
        "many-fields",
        "no-operations",
        "above-itself",
        "rest-in-the-middle",
        "unread-backend",
        "twice",
        "kind-twice",
        "kind-unread",
        "for-ever",
    ] {
        arena().undescribed(&format!("lie-{lie}"), json!({ "type": "lies", "options": { "lie": lie } }));
    }
    arena().api().post("sys/mounts/lie-none", json!({ "type": "lies", "options": { "lie": "" } })).expect(204);
    arena().api().get("lie-none/rest").expect(200);
    assert!(!arena().log().contains("\n[INFO] all is well"), "a name wrote a line of the log");
}

#[test]
fn nobody_is_reached_by_a_description() {
    let body = json!({ "type": "lies", "options": { "lie": "reaching" } });
    arena().shows("lie-reaching/", "the call has no network", || {
        arena().api().post("sys/mounts/lie-reaching", body).expect(204);
    });
}

#[test]
fn another_route_than_the_policys_brings_no_network() {
    let port = Postgres::shared().port();
    let body = json!({ "type": "lies", "options": { "lie": "other-route" } });
    arena().api().post("sys/mounts/lie-route", body).expect(204);
    let address = format!("127.0.0.1:{port}");
    let url = format!("postgresql://u:p@{address}/postgres");
    for _ in 0..2 {
        let body = json!({ "connection_url": url, "address": address });
        let attack = || arena().attack("lie-route/config/pg", body);
        let said = arena().shows("lie-route/", "the call has no network", attack);
        assert!(!(said.is_ok() && said.body["data"]["connected"] == true), "it named its own target: {}", said.body);
    }
}

#[test]
fn a_handle_that_could_not_be_read_again_is_not_taken() {
    arena().mount_with_backend("lie-handle", "lies", Postgres::shared().port());
    for role in ["unread-handle", "huge-handle", "no-handle"] {
        let path = format!("lie-handle/creds/pg/{role}");
        let ask = || arena().api().get(&path);
        names_the_culprit(&arena().shows(&path, "call ended: answer: ", ask), &path);
        // What was made before the lie is undone by what the plan said.
        arena().forgets(&path);
    }
    arena().api().get("lie-handle/creds/pg/honest").expect(200);
}

#[test]
fn too_few_and_too_many_answers_end_nothing() {
    arena().mount_with_backend("lie-answers", "lies", Postgres::shared().port());
    for role in ["no-answers", "many-answers"] {
        let made = arena().api().get(&format!("lie-answers/creds/pg/{role}")).expect(200);
        let id = made["lease_id"].as_str().unwrap();
        let revoke = || arena().api().put("sys/leases/revoke", json!({ "lease_id": id, "sync": true }));
        let reply = arena().shows("lie-answers/", "call ended: answer: ", revoke);
        assert!(reply.status >= 400, "{role}: the revocation claims to have succeeded");
        arena().api().put("sys/leases/lookup", json!({ "lease_id": id })).expect(200);
    }
    arena().api().put("sys/leases/revoke-force/lie-answers", json!({})).expect(204);
}
