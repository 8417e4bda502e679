//! Users and sessions: what the cloud holds is what the role says, and it goes when the lease does.

use harness::Moto;
use serde_json::{Value, json};

use crate::common::{AwsMount, POLICY, server};

#[test]
fn a_user_has_what_its_role_says_and_goes_with_its_lease() {
    let moto = Moto::shared();
    let mount = AwsMount::new(&server().api(), "aws-users", &moto.url());
    moto.ask("iam", "create_group", json!({ "GroupName": "staff" })).unwrap();
    mount.role(
        "app",
        json!({
            "credential_type": "iam_user", "policy_document": POLICY, "iam_groups": "staff", "iam_tags": "team=blue",
            "policy_arns": "arn:aws:iam::aws:policy/AmazonEC2FullAccess", "user_path": "/apps/",
        }),
    );
    mount.api.post("aws-users/config/lease", json!({ "lease": "30m", "lease_max": "2h" })).ok();
    let made = mount.credential("app");
    assert_eq!((made.seconds, made.renewable), (1_800, true));
    assert_eq!(made.data["security_token"], Value::Null);
    let user = made.user(moto).expect("a user with the lease's stamp");
    let named = json!({ "UserName": user });
    let ask = |method: &str| moto.ask("iam", method, named.clone()).unwrap();
    assert_eq!(ask("get_user")["User"]["Path"], "/apps/");
    assert_eq!(ask("list_groups_for_user")["Groups"][0]["GroupName"], "staff");
    assert_eq!(ask("list_attached_user_policies")["AttachedPolicies"][0]["PolicyName"], "AmazonEC2FullAccess");
    let inline = ask("list_user_policies")["PolicyNames"][0].clone();
    let policy = moto.ask("iam", "get_user_policy", json!({ "UserName": user, "PolicyName": inline })).unwrap();
    assert_eq!(policy["PolicyDocument"]["Statement"][0]["Action"], "ec2:*");
    let who = moto.ask_as("sts", "get_caller_identity", json!({}), made.for_boto()).unwrap();
    assert!(who["Arn"].as_str().unwrap().ends_with(&user), "the key is the user's: {who}");

    let renewed = mount.api.put("sys/leases/renew", json!({ "lease_id": made.lease, "increment": 3_600 })).ok();
    assert_eq!(renewed["lease_duration"], 3_600);
    // What others added goes too.
    moto.ask("iam", "create_login_profile", json!({ "UserName": user, "Password": "Passw0rd!x" })).unwrap();
    moto.ask("iam", "create_access_key", named.clone()).unwrap();
    mount.revoke(&made).expect(204);
    assert_eq!(moto.ask("iam", "get_user", named), Err("NoSuchEntity".to_owned()));
    assert_eq!(mount.leases("app"), [] as [String; 0]);
}

#[test]
fn sessions_end_by_themselves() {
    let moto = Moto::shared();
    let mount = AwsMount::new(&server().api(), "aws-sessions", &moto.url());
    let arn = "arn:aws:iam::123456789012:role/Deploy";
    mount.role("deploy", json!({ "credential_type": "assumed_role", "role_arns": arn, "max_sts_ttl": "4h" }));
    mount.role("ci", json!({ "credential_type": "federation_token", "policy_document": POLICY }));
    mount.role("me", json!({ "credential_type": "session_token" }));
    let deploy = mount.credential("deploy");
    assert_eq!((deploy.seconds, deploy.renewable), (3_600, false));
    assert!(deploy.data["arn"].as_str().unwrap().contains("assumed-role/Deploy/"), "{:?}", deploy.data);
    assert_eq!(deploy.data["security_token"], deploy.data["session_token"]);
    let who = moto.ask_as("sts", "get_caller_identity", json!({}), deploy.for_boto()).unwrap();
    assert!(who["Arn"].as_str().unwrap().contains("assumed-role/Deploy"), "{who}");
    let wish = json!({ "ttl": "99h", "role_session_name": "me, myself" });
    let long = mount.api.post("aws-sessions/sts/deploy", wish).ok();
    assert_eq!(long["lease_duration"], 4 * 3_600);
    assert!(long["data"]["arn"].as_str().unwrap().ends_with("/me,_myself"), "{long}");
    for role in ["ci", "me"] {
        let made = mount.credential(role);
        assert!(made.data["session_token"].is_string() && made.data.get("arn").is_none(), "{:?}", made.data);
        mount.revoke(&made).expect(204);
    }
    // Nobody is asked for their end, not even where nobody answers.
    mount.configure("http://127.0.0.1:1", json!({})).ok();
    mount.revoke(&deploy).expect(204);
    assert_eq!(mount.leases("deploy"), [] as [String; 0]);
}

#[test]
fn the_engine_rotates_its_own_key() {
    let moto = Moto::shared();
    moto.ask("iam", "create_user", json!({ "UserName": "vault-root" })).unwrap();
    let key = moto.ask("iam", "create_access_key", json!({ "UserName": "vault-root" })).unwrap()["AccessKey"].clone();
    let mount = AwsMount::new(&server().api(), "aws-rotation", &moto.url());
    let keys = json!({ "access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"] });
    mount.configure(&moto.url(), keys).ok();
    let rotated = mount.api.post("aws-rotation/config/rotate-root", json!({})).ok()["data"]["access_key"].clone();
    let held = moto.ask("iam", "list_access_keys", json!({ "UserName": "vault-root" })).unwrap();
    assert_eq!(held["AccessKeyMetadata"].as_array().unwrap().len(), 1);
    assert_eq!(held["AccessKeyMetadata"][0]["AccessKeyId"], rotated);
    assert_ne!(rotated, key["AccessKeyId"]);
    let shown = mount.api.get("aws-rotation/config/root").ok();
    assert_eq!(shown["data"]["access_key"], rotated);
    assert!(shown["data"].get("secret_key").is_none(), "{shown}");
    mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    mount.revoke(&mount.credential("app")).expect(204);
}

#[test]
fn bad_input_is_refused_with_a_reason() {
    let moto = Moto::shared();
    let mount = AwsMount::bare(&server().api(), "aws-input");
    mount.ask("none").refused(400, "Role 'none' not found");
    mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    mount.ask("app").refused(400, "config/root");
    mount.configure(&moto.url(), json!({ "secret_key": "" })).refused(400, "secret_key");
    mount.configure("https://user@iam.corp", json!({})).refused(400, "iam_endpoint");
    mount.configure(&moto.url(), json!({ "username_template": "{{ random 99 }}" })).refused(400, "username_template");
    mount.configure(&moto.url(), json!({ "role_arn": "arn:aws:iam::1:role/x" })).refused(400, "identity tokens");
    mount.configure(&moto.url(), json!({})).ok();
    let write = |fields: Value| mount.api.post("aws-input/roles/bad", fields);
    write(json!({ "credential_type": "iam_user", "policy_document": "{" })).refused(400, "policy_document");
    write(json!({ "credential_type": "none" })).refused(400, "credential_type");
    // Legacy roles have their own paths.
    mount.role("old", json!({ "policy": POLICY }));
    assert!(mount.credential("old").user(moto).is_some());
    let session = mount.api.get("aws-input/sts/old").ok();
    assert!(session["data"]["security_token"].is_string(), "{session}");
    mount.role("old-arn", json!({ "arn": "arn:aws:iam::aws:policy/AmazonEC2FullAccess" }));
    mount.api.get("aws-input/sts/old-arn").refused(400, "sts/");
    mount.role(
        "two",
        json!({ "credential_type": "assumed_role", "role_arns": "arn:aws:iam::1:role/a,arn:aws:iam::1:role/b" }),
    );
    mount.ask("two").refused(400, "role_arn is required");
    mount.api.get("aws-input/creds/two?role_arn=arn:aws:iam::1:role/c").refused(400, "is not one of the role");
}
