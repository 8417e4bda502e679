//! Users that are made ahead: old enough for their keys to work when they are handed out.

use harness::{Moto, wait_until};
use serde_json::json;

use crate::common::{AwsMount, Credential, POLICY, server};

#[test]
fn users_wait_until_they_are_old_enough() {
    let moto = Moto::shared();
    let mount = AwsMount::new(&server().api(), "aws-pool", &moto.url());
    mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    mount.role("me", json!({ "credential_type": "session_token" }));
    mount.api.post("sys/pool/aws-pool/creds/me", json!({ "size": 1 })).refused(400, "ends by itself");
    mount.api.post("sys/pool/aws-pool/creds/app", json!({ "size": 2, "min_age": "2s" })).expect(204);
    let shown = || mount.api.get("sys/pool/aws-pool/creds/app").ok()["data"].clone();
    wait_until("the pool to be ready", || (shown()["ready"] == 2).then_some(()));
    let waiting: Vec<String> = mount.users(moto).into_iter().map(|(name, _)| name).collect();
    let answer = mount.ask("app").ok();
    assert!(answer["ready_at"].is_string(), "{answer}");
    let made = Credential::of(&answer);
    let user = made.user(moto).expect("a user with the lease's stamp");
    assert!(waiting.contains(&user));
    let who = moto.ask_as("sts", "get_caller_identity", json!({}), made.for_boto()).unwrap();
    assert!(who["Arn"].as_str().unwrap().ends_with(&user), "the key is the user's: {who}");
    mount.revoke(&made).expect(204);
    assert_eq!(moto.ask("iam", "get_user", json!({ "UserName": user })), Err("NoSuchEntity".to_owned()));
    mount.api.delete("sys/pool/aws-pool/creds/app").expect(204);
    wait_until("what waited to go", || mount.users(moto).is_empty().then_some(()));
}
