//! A cloud that refuses, hangs and loses its answers: clear errors, bounded repetitions, and nobody left behind.

use harness::{Moto, wait_at_most};
use serde_json::json;

use crate::common::{AwsMount, POLICY, server};
use crate::proxy::{Fault, Proxy};

/// An undecided create is looked at again when nothing can begin any more: after a minute.
const SWEPT: std::time::Duration = std::time::Duration::from_secs(150);

fn behind(proxy: &Proxy, path: &str) -> AwsMount {
    let mount = AwsMount::new(&server().api(), path, &proxy.url());
    mount.configure(&proxy.url(), json!({ "max_retries": 2 })).ok();
    mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    mount
}

#[test]
fn a_cloud_that_says_no_leaves_nothing() {
    let moto = Moto::shared();
    let proxy = Proxy::start(moto.port());
    let mount = behind(&proxy, "aws-no");
    for (status, code, answered, sent) in
        [(403, "AccessDenied", 500, 1), (400, "Throttling", 429, 3), (409, "LimitExceeded", 500, 1)]
    {
        proxy.on("CreateUser", Fault::Answer(status, code), usize::MAX);
        mount.ask("app").refused(answered, code);
        assert_eq!(proxy.count("CreateUser"), sent, "{code}");
        assert_eq!(mount.leases("app"), [] as [String; 0], "{code}: certainly nothing was made");
        proxy.heal();
    }
    // One that comes later: the user is taken back before the client has its answer, or soon after.
    for operation in ["PutUserPolicy", "CreateAccessKey"] {
        proxy.on(operation, Fault::Answer(403, "AccessDenied"), 1);
        mount.ask("app").refused(500, "AccessDenied");
        wait_at_most(SWEPT, "the user to go", || mount.users(moto).is_empty().then_some(()));
        proxy.heal();
    }
    assert!(mount.credential("app").user(moto).is_some());
}

#[test]
fn what_fails_in_passing_is_tried_again() {
    let moto = Moto::shared();
    let proxy = Proxy::start(moto.port());
    let mount = behind(&proxy, "aws-again");
    proxy.on("CreateUser", Fault::Answer(400, "Throttling"), 1);
    proxy.on("PutUserPolicy", Fault::Answer(503, "ServiceUnavailable"), 1);
    let made = mount.credential("app");
    assert_eq!((proxy.count("CreateUser"), proxy.count("PutUserPolicy")), (2, 2));
    proxy.on("DeleteUser", Fault::Answer(500, "ServiceFailure"), 1);
    mount.revoke(&made).expect(204);
    assert_eq!(mount.users(moto), []);
}

#[test]
fn a_lost_answer_leaves_nobody_behind() {
    let moto = Moto::shared();
    let proxy = Proxy::start(moto.port());
    let mount = behind(&proxy, "aws-lost");
    for (operation, fault) in [
        ("CreateUser", Fault::CutBefore),
        ("CreateUser", Fault::CutAfter),
        ("CreateUser", Fault::Answer(500, "ServiceFailure")),
        ("CreateAccessKey", Fault::CutAfter),
        ("CreateAccessKey", Fault::Hang),
    ] {
        proxy.on(operation, fault, 1);
        assert!(mount.ask("app").status >= 400, "{operation}");
        assert_eq!(proxy.count(operation), 1, "{operation}: what may have worked is not sent twice");
        proxy.heal();
    }
    wait_at_most(SWEPT, "nobody to be left", || mount.users(moto).is_empty().then_some(()));
    let made = mount.credential("app");
    assert!(made.user(moto).is_some());
    proxy.on("UpdateAccessKey", Fault::CutAfter, 1);
    proxy.on("DeleteUser", Fault::CutAfter, 1);
    mount.revoke(&made);
    wait_at_most(SWEPT, "the user to go", || mount.users(moto).is_empty().then_some(()));
}

#[test]
fn somebody_elses_user_is_not_touched() {
    let moto = Moto::shared();
    let mount = AwsMount::new(&server().api(), "aws-taken", &moto.url());
    mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    let template = json!({ "username_template": "{{ if (eq .Type \"STS\") }}s{{ else }}alice{{ end }}" });
    mount.configure(&moto.url(), template).ok();
    moto.ask("iam", "create_user", json!({ "UserName": "alice" })).unwrap();
    mount.ask("app").refused(500, "EntityAlreadyExists");
    assert_eq!(mount.leases("app"), [] as [String; 0]);
    moto.ask("iam", "get_user", json!({ "UserName": "alice" })).unwrap();
}
