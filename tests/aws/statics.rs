//! Static roles: a user who exists already, whose key is changed by the clock.

use std::thread;
use std::time::Duration;

use harness::{Moto, Server, wait_at_most, wait_until};
use serde_json::{Value, json};

use crate::common::{AwsMount, server};
use crate::proxy::{Fault, Proxy};

/// A rotation that failed is tried again after ten seconds; the rest is for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

/// A user with one key of its own, and the key's id.
pub(crate) fn user(moto: &Moto, name: &str) -> String {
    moto.ask("iam", "create_user", json!({ "UserName": name })).unwrap();
    let made = moto.ask("iam", "create_access_key", json!({ "UserName": name })).unwrap();
    made["AccessKey"]["AccessKeyId"].as_str().unwrap().to_owned()
}

pub(crate) fn keys(moto: &Moto, user: &str) -> Vec<String> {
    let listed = moto.ask("iam", "list_access_keys", json!({ "UserName": user })).unwrap();
    let keys = listed["AccessKeyMetadata"].as_array().unwrap();
    keys.iter().map(|key| key["AccessKeyId"].as_str().unwrap().to_owned()).collect()
}

/// What clients get.
pub(crate) fn credential(mount: &AwsMount, role: &str) -> Option<Value> {
    let reply = mount.api.get(&format!("{}/static-creds/{role}", mount.path));
    reply.is_ok().then(|| reply.body["data"].clone())
}

#[track_caller]
pub(crate) fn works(moto: &Moto, credential: &Value, user: &str) {
    let keys = json!({
        "aws_access_key_id": credential["access_key"], "aws_secret_access_key": credential["secret_key"],
    });
    let who = moto.ask_as("sts", "get_caller_identity", json!({}), keys).unwrap();
    assert!(who["Arn"].as_str().unwrap().ends_with(&format!("user/{user}")), "{who}");
}

#[test]
fn a_users_key_is_made_at_once_and_changed_by_the_clock() {
    // Its clock is ours: the shortest period is a minute.
    let (server, moto) = (Server::armed_for_aws(), Moto::shared());
    let mount = AwsMount::new(&server.api(), "aws-static", &moto.url());
    let own = user(moto, "batch");
    let write = |fields: Value| mount.api.post("aws-static/static-roles/batch", fields);
    write(json!({ "username": "nobody", "rotation_period": "1h" })).refused(400, "AWS knows no user");
    write(json!({ "username": "batch" })).refused(400, "rotation_period is required");
    write(json!({ "username": "batch", "rotation_period": 59 })).refused(400, "a minute at least");
    mount.api.get("aws-static/static-roles/batch").expect(404);
    assert_eq!(keys(moto, "batch"), [own.as_str()]);

    let made = write(json!({ "username": "batch", "rotation_period": "1h" })).ok()["data"].clone();
    assert_eq!((&made["name"], &made["rotation_period"]), (&json!("batch"), &json!(3_600)));
    let first = credential(&mount, "batch").unwrap();
    works(moto, &first, "batch");
    let ttl = first["ttl"].as_u64().unwrap();
    assert!((3_000..=3_600).contains(&ttl), "{ttl}");
    assert_eq!(keys(moto, "batch").len(), 2, "the user's own key stays");

    // Another period changes nothing by itself; another user is refused.
    write(json!({ "username": "else", "rotation_period": "1h" })).refused(400, "cannot be changed");
    write(json!({ "rotation_period": "1m" })).ok();
    assert_eq!(credential(&mount, "batch").unwrap()["access_key"], first["access_key"]);
    let shown = mount.api.get("aws-static/static-roles/batch").ok()["data"].clone();
    assert_eq!((&shown["username"], &shown["rotation_period"]), (&json!("batch"), &json!(60)));
    assert_eq!(mount.api.list("aws-static/static-roles").ok()["data"]["keys"], json!(["batch"]));

    server.points().pass(60);
    // Written as it is: whoever rotates looks.
    write(json!({ "rotation_period": "1m" })).ok();
    let second = wait_at_most(PATIENCE, "the key to be changed", || {
        credential(&mount, "batch").filter(|now| now["access_key"] != first["access_key"])
    });
    works(moto, &second, "batch");
    let only = [second["access_key"].as_str().unwrap()];
    wait_at_most(PATIENCE, "the old key to go", || (keys(moto, "batch") == only).then_some(()));

    mount.api.delete("aws-static/static-roles/batch").ok();
    mount.api.get("aws-static/static-creds/batch").refused(400, "unknown role");
    assert_eq!(keys(moto, "batch"), only, "the user keeps its key");
}

#[test]
fn a_lost_answer_leaves_no_key_that_nobody_knows() {
    let moto = Moto::shared();
    let proxy = Proxy::start(moto.port());
    let mount = AwsMount::new(&server().api(), "aws-static-lost", &proxy.url());
    let own = user(moto, "night");
    proxy.on("CreateAccessKey", Fault::CutAfter, 1);
    let role = json!({ "username": "night", "rotation_period": "1h" });
    mount.api.post("aws-static-lost/static-roles/night", role).refused(500, "CreateAccessKey");
    mount.api.get("aws-static-lost/static-creds/night").refused(500, "is not made yet");
    let lost: Vec<_> = keys(moto, "night").into_iter().filter(|id| *id != own).collect();
    assert_eq!(lost.len(), 1, "the answer was lost, the key was made");
    let made = wait_at_most(PATIENCE, "the rotation to be tried again", || credential(&mount, "night"));
    works(moto, &made, "night");
    let mut there = keys(moto, "night");
    there.sort();
    let mut expected = [own, made["access_key"].as_str().unwrap().to_owned()];
    expected.sort();
    assert_eq!(there, expected, "the key of the lost answer is gone");
}

#[test]
fn a_rotation_survives_a_kill_while_the_key_is_made() {
    let moto = Moto::shared();
    let mut server = Server::stored_for_aws();
    for (name, fault) in [("killed-before", Fault::Hang), ("killed-after", Fault::HangAfter)] {
        let proxy = Proxy::start(moto.port());
        let mount = AwsMount::new(&server.api(), name, &proxy.url());
        let own = user(moto, name);
        proxy.on("CreateAccessKey", fault, 1);
        let (api, path) = (server.api(), format!("{name}/static-roles/{name}"));
        let role = json!({ "username": name, "rotation_period": "1h" });
        let asked = thread::spawn(move || api.try_send("POST", &path, Some(role)));
        wait_until("the key to be asked for", || (proxy.count("CreateAccessKey") == 1).then_some(()));
        server.crash_and_recover();
        let _ = asked.join().unwrap();
        let made = wait_at_most(PATIENCE, "the rotation to be resumed", || credential(&mount, name));
        works(moto, &made, name);
        let (mut there, mut expected) = (keys(moto, name), [own, made["access_key"].as_str().unwrap().to_owned()]);
        there.sort();
        expected.sort();
        assert_eq!(there, expected, "{name}: a key that nobody knows");
    }
}
