//! Tokens: who may do what, and what ends with whom.

use harness::{DatabaseMount, Postgres, wait_until};
use serde_json::json;

use crate::common::shared;

#[test]
fn a_revoked_token_takes_its_family_along() {
    let root = shared();
    let parent = root.child(&["root"], json!({ "ttl": "1h" }));
    let child = parent.child(&["default"], json!({ "ttl": "1h" }));
    let grandchild = parent.child(&["root"], json!({ "ttl": "30m" })).child(&["default"], json!({}));
    let orphan = parent.child(&["default"], json!({ "no_parent": true, "ttl": "1h" }));
    for token in [&parent, &child, &grandchild, &orphan] {
        token.get("auth/token/lookup-self").expect(200);
    }
    root.post("auth/token/revoke", json!({ "token": parent.token() })).expect(204);
    for token in [&parent, &child, &grandchild] {
        token.get("auth/token/lookup-self").refused(403, "permission denied");
    }
    orphan.get("auth/token/lookup-self").expect(200);
    root.post("auth/token/revoke", json!({ "token": orphan.token() })).expect(204);
}

#[test]
fn revoking_as_an_orphan_spares_the_children() {
    let root = shared();
    let parent = root.child(&["root"], json!({ "ttl": "1h" }));
    let child = parent.child(&["default"], json!({ "ttl": "1h" }));
    root.post("auth/token/revoke-orphan", json!({ "token": parent.token() })).expect(204);
    parent.get("auth/token/lookup-self").refused(403, "permission denied");
    child.get("auth/token/lookup-self").expect(200);
}

#[test]
fn a_revoked_token_ends_the_credentials_that_it_asked_for() {
    let root = shared();
    let cluster = Postgres::shared();
    DatabaseMount::new(root, "tok-db", cluster);
    root.policy("tok-db", "path \"tok-db/creds/app\" { capabilities = [\"read\"] }");
    let reader = root.child(&["tok-db"], json!({ "ttl": "1h" }));
    let mine = harness::Credential::of(&reader.get("tok-db/creds/app").expect(200));
    let childs = {
        let child = reader.with_token(root.child(&["tok-db"], json!({})).token());
        harness::Credential::of(&child.get("tok-db/creds/app").expect(200))
    };
    root.post("auth/token/revoke", json!({ "token": reader.token() })).expect(204);
    wait_until("the user to be dropped", || (!cluster.has_role(&mine.user)).then_some(()));
    wait_until("the lease to be gone", || (!mine.is_live(root)).then_some(()));
    assert!(cluster.has_role(&childs.user) && childs.is_live(root), "another token's credential ended too");
}

#[test]
fn an_expired_token_ends_the_credentials_that_it_asked_for() {
    let root = shared();
    let cluster = Postgres::shared();
    DatabaseMount::new(root, "tok-exp", cluster);
    root.policy("tok-exp", "path \"tok-exp/creds/app\" { capabilities = [\"read\"] }");
    let brief = root.child(&["tok-exp"], json!({ "ttl": "3s" }));
    let credential = harness::Credential::of(&brief.get("tok-exp/creds/app").expect(200));
    assert!(cluster.has_role(&credential.user));
    wait_until("the token to expire", || (brief.get("auth/token/lookup-self").status == 403).then_some(()));
    wait_until("the user to be dropped", || (!cluster.has_role(&credential.user)).then_some(()));
    wait_until("the lease to be gone", || (!credential.is_live(root)).then_some(()));
}

#[test]
fn a_credential_is_given_to_the_allowed_only() {
    let root = shared();
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(root, "tok-deny", cluster);
    let stranger = root.child(&["default"], json!({ "ttl": "1h" }));
    stranger.get("tok-deny/creds/app").refused(403, "permission denied");
    root.anonymous().get("tok-deny/creds/app").refused(403, "permission denied");
    root.with_token("hvs.no-such-token-was-ever-made").get("tok-deny/creds/app").refused(403, "permission denied");
    assert_eq!(mount.leases("app"), Vec::<String>::new());
}

#[test]
fn a_token_of_one_use_makes_no_lease() {
    let root = shared();
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(root, "tok-once", cluster);
    root.policy("tok-once", "path \"tok-once/creds/app\" { capabilities = [\"read\"] }");
    let once = root.child(&["tok-once"], json!({ "ttl": "1h", "num_uses": 1 }));
    let reply = once.get("tok-once/creds/app");
    assert!(matches!(reply.status, 400 | 403), "{}: {}", reply.status, reply.body);
    assert_eq!(mount.leases("app"), Vec::<String>::new());
}

#[test]
fn a_child_has_no_more_than_its_parent() {
    let root = shared();
    root.policy("tok-maker", "path \"auth/token/create\" { capabilities = [\"update\"] }");
    let maker = root.child(&["tok-maker"], json!({ "ttl": "1h" }));
    let reply = maker.post("auth/token/create", json!({ "policies": ["root"] }));
    assert!(matches!(reply.status, 400 | 403), "a child of root was made: {}", reply.body);
    let made = maker.post("auth/token/create", json!({ "policies": ["tok-maker"], "ttl": "2h" })).expect(200);
    assert!(made["auth"]["lease_duration"].as_u64().unwrap() <= 7_200);
}

#[test]
fn a_bound_that_nobody_would_keep_is_refused() {
    for path in ["auth/token/create", "auth/token/create-orphan"] {
        for field in ["bound_cidrs", "token_bound_cidrs"] {
            for cidrs in [json!(["10.0.0.0/8"]), json!("10.0.0.0/8")] {
                shared().post(path, json!({ field: cidrs })).refused(400, field);
            }
            shared().post(path, json!({ field: [] })).expect(200);
        }
    }
}
