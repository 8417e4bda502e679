//! What is in the cloud is held against the leases: orphans and ghosts are told, and nothing goes but what somebody said.

use harness::{Cli, Moto, wait_until};
use serde_json::{Value, json};

use crate::common::{AwsMount, Credential, POLICY, server};
use crate::proxy::{Fault, Proxy};

/// A mount with a role, and how its stamps begin.
fn mount(path: &str, endpoint: &str, moto: &Moto) -> (AwsMount, Credential, String) {
    let mount = AwsMount::new(&server().api(), path, endpoint);
    mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    let made = mount.credential("app");
    let stamp = mount.users(moto)[0].1.clone();
    let mark = stamp[..=stamp.rfind('/').unwrap()].to_owned();
    (mount, made, mark)
}

/// A user in the cloud with this stamp, made by nobody's lease.
pub(crate) fn stray(moto: &Moto, name: &str, stamp: &str) {
    let tags = json!([{ "Key": "team", "Value": "blue" }, { "Key": "cofferdam", "Value": stamp }]);
    moto.ask("iam", "create_user", json!({ "UserName": name, "Path": "/strays/", "Tags": tags })).unwrap();
    moto.ask("iam", "create_access_key", json!({ "UserName": name })).unwrap();
}

/// The listing, as pairs of object and state.
fn listed(mount: &AwsMount, query: &str) -> Vec<(String, String)> {
    let shown = mount.api.get(&format!("sys/inventory/{}?{query}", mount.path)).ok();
    assert_eq!(shown["warnings"], Value::Null, "{shown}");
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    let objects = shown["data"]["objects"].as_array().unwrap();
    let mut all: Vec<_> = objects.iter().map(|o| (text(&o["object"]), text(&o["state"]))).collect();
    all.sort();
    all
}

pub(crate) fn state(mount: &AwsMount, object: &str) -> Option<String> {
    listed(mount, "").into_iter().find(|(name, _)| name == object).map(|(_, state)| state)
}

pub(crate) fn exists(moto: &Moto, user: &str) -> bool {
    moto.ask("iam", "get_user", json!({ "UserName": user })).is_ok()
}

/// Somebody deletes a user without asking us.
fn delete_behind_our_back(moto: &Moto, user: &str) {
    let named = json!({ "UserName": user });
    let keys = moto.ask("iam", "list_access_keys", named.clone()).unwrap();
    for key in keys["AccessKeyMetadata"].as_array().unwrap() {
        let key = json!({ "UserName": user, "AccessKeyId": key["AccessKeyId"] });
        moto.ask("iam", "delete_access_key", key).unwrap();
    }
    for policy in moto.ask("iam", "list_user_policies", named.clone()).unwrap()["PolicyNames"].as_array().unwrap() {
        moto.ask("iam", "delete_user_policy", json!({ "UserName": user, "PolicyName": policy })).unwrap();
    }
    moto.ask("iam", "delete_user", named).unwrap();
}

#[test]
fn orphans_and_ghosts_are_told_apart() {
    let moto = Moto::shared();
    let (mount, made, mark) = mount("aws-stock", &moto.url(), moto);
    let user = made.user(moto).unwrap();
    let gone = mount.credential("app");
    let ghost = gone.user(moto).unwrap();
    delete_behind_our_back(moto, &ghost);
    stray(moto, "stray-1", &format!("{mark}stray111111111111111111x"));
    stray(moto, "stray-2", &format!("{mark}stray222222222222222222x"));
    // Another cluster's, and another mount's: a clone of this server must leave them alone.
    let other_cluster = mark.replace("cofferdam:", "cofferdam:0");
    stray(moto, "stranger-1", &format!("{other_cluster}stray111111111111111111x"));
    stray(moto, "stranger-2", "cofferdam:c/m/stray111111111111111111x");

    let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    let mut all =
        vec![pair("stray-1", "orphan"), pair("stray-2", "orphan"), pair(&user, "leased"), pair(&ghost, "ghost")];
    all.sort();
    assert_eq!(listed(&mount, ""), all);
    assert_eq!(listed(&mount, "state=ghost"), [pair(&ghost, "ghost")]);

    // Page by page it is the same.
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let shown = mount.api.get(&format!("sys/inventory/aws-stock?limit=1&after={after}")).ok()["data"].clone();
        paged.push(shown["objects"][0]["object"].as_str().unwrap().to_owned());
        match shown["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    paged.sort();
    assert_eq!(paged, all.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert!(exists(moto, "stray-1") && exists(moto, "stray-2"), "looking ends nothing");
}

#[test]
fn an_orphan_is_adopted_destroyed_or_ignored() {
    let moto = Moto::shared();
    let (mount, made, mark) = mount("aws-care", &moto.url(), moto);
    let act = |action: &str, object: &str| {
        mount.api.put(&format!("sys/inventory/aws-care/{action}"), json!({ "object": object, "ttl": "1h" }))
    };
    for name in ["adopted", "destroyed", "ignored"] {
        stray(moto, name, &format!("{mark}{name}x"));
    }
    stray(moto, "not-ours", "cofferdam:c/m/x");
    let user = made.user(moto).unwrap();
    act("destroy", &user).refused(400, "is no orphan: it is leased");
    act("destroy", "not-ours").refused(400, "there is no");
    act("bury", "adopted").refused(400, "adopt, destroy or ignore");

    let lease = act("adopt", "adopted").ok()["data"].clone();
    assert_eq!((lease["lease_id"].as_str(), lease["ttl"].as_u64()), (Some("aws-care/inventory/adoptedx"), Some(3_600)));
    assert_eq!(state(&mount, "adopted").as_deref(), Some("leased"));
    act("adopt", "adopted").refused(400, "is no orphan");
    mount.api.put("sys/leases/revoke", json!({ "lease_id": lease["lease_id"], "sync": true })).expect(204);
    assert!(!exists(moto, "adopted"));

    act("destroy", "destroyed").expect(204);
    assert!(!exists(moto, "destroyed"));
    assert_eq!(state(&mount, "destroyed"), None);

    // By hand.
    let cli = Cli::of(server());
    let said = cli.ok(&["inventory", "ignore", "aws-care/", "ignored"]);
    assert_eq!(said.trim(), "Success! Ignored from now on: ignored");
    assert!(!listed(&mount, "ignored=false").iter().any(|(name, _)| name == "ignored"));
    let shown = cli.json(&["inventory", "list", "-format=json", "-state=orphan", "aws-care"]);
    assert_eq!((&shown[0]["object"], &shown[0]["ignored"]), (&json!("ignored"), &json!(true)), "{shown}");
    assert!(cli.ok(&["inventory", "list", "aws-care"]).contains(&user));
    let said = cli.ok(&["inventory", "destroy", "aws-care", "ignored"]);
    assert_eq!(said.trim(), "Success! Destroyed: ignored");
    assert!(!exists(moto, "ignored") && exists(moto, "not-ours") && exists(moto, &user));

    // Each is in the log, with who asked.
    let log = server().log();
    let logged = |action: &str, object: &str| {
        let has = |line: &str| ["audit", "aws-care/", action, object].iter().all(|part| line.contains(part));
        log.lines().any(has)
    };
    for (action, object) in [("adopt", "adopted"), ("destroy", "destroyed"), ("ignore", "ignored")] {
        assert!(logged(action, object), "{action} is not in the log");
    }
}

#[test]
fn what_is_on_its_way_out_is_no_orphan() {
    let moto = Moto::shared();
    let proxy = Proxy::start(moto.port());
    let (mount, made, _) = mount("aws-slow", &proxy.url(), moto);
    let user = made.user(moto).unwrap();
    proxy.on("DeleteUser", Fault::Answer(403, "AccessDenied"), usize::MAX);
    mount.revoke(&made);
    assert_eq!(state(&mount, &user).as_deref(), Some("pending"));
    let destroy = json!({ "object": user });
    mount.api.put("sys/inventory/aws-slow/destroy", destroy).refused(400, "it is pending");
    // A cloud that does not answer is said to be one, and its leases are no ghosts.
    proxy.on("ListUsers", Fault::CutBefore, usize::MAX);
    let shown = mount.api.get("sys/inventory/aws-slow").ok();
    assert!(shown["warnings"][0].as_str().is_some_and(|w| w.contains("not looked at")), "{shown}");
    assert_eq!(shown["data"]["objects"], json!([]));
    proxy.heal();
    mount.revoke(&made);
    wait_until("the user to go", || mount.users(moto).is_empty().then_some(()));
}
