//! What is asked of AWS, and what is made of its answers.

use engine_sdk::Issuer;
use engine_sdk::testing::FakeHost;
use engine_sdk::types::{Cause, Ended, Failure, Issued, Lease, Operation, Outcome, Plan};
use serde_json::{Value, json};

use super::cloud::{Cloud, bad, cut, good};
use super::write;
use crate::Aws;

pub(super) const USER: &str = "<User><Path>/</Path><UserName>u</UserName><UserId>AIDAONE</UserId>\
    <Arn>arn:aws:iam::123456789012:user/u</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></User>";
const KEY: &str = "<AccessKey><UserName>u</UserName><AccessKeyId>AKIANEW</AccessKeyId><Status>Active</Status>\
    <SecretAccessKey>made-by-aws</SecretAccessKey></AccessKey>";
const CREDENTIALS: &str = "<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
    <SessionToken>t</SessionToken><Expiration>2030-01-01T01:00:00Z</Expiration></Credentials>";

pub(super) fn configured(cloud: &Cloud) -> FakeHost {
    let host = cloud.host();
    let root = json!({"access_key": "AKIAROOT", "secret_key": "hush", "max_retries": 2});
    write(&host, "config/root", &root).unwrap();
    host
}

fn plan(host: &FakeHost, path: &str, fields: &Value) -> Result<Plan, Failure> {
    match host.call::<Aws>(Operation::Read, path, &fields.to_string())? {
        Outcome::Issue(plan) => Ok(plan),
        other => panic!("no plan: {other:?}"),
    }
}

fn lease(plan: &Plan) -> Lease {
    const NOW: u64 = 1_893_456_000;
    Lease {
        id: "aws/creds/app/x".to_owned(),
        kind: plan.kind.clone(),
        role: plan.role.clone(),
        backend: plan.backend.clone(),
        object: plan.object.clone(),
        handle: plan.handle.clone(),
        stamp: "cofferdam:c/m/x".to_owned(),
        issued_at: NOW,
        expires_at: NOW + plan.ttl.ttl.unwrap_or(3_600),
        not_after: NOW + 60,
        confirmed: false,
    }
}

pub(super) fn create(host: &FakeHost, plan: &Plan) -> Result<Issued, Failure> {
    Aws::create(&host.context(), &lease(plan), &plan.carry)
}

pub(super) fn user_role(host: &FakeHost) -> Plan {
    let role = json!({
        "credential_type": "iam_user", "policy_arns": ["arn:aws:iam::aws:policy/A"], "iam_groups": ["staff"],
        "policy_document": "{\"Statement\":[]}", "iam_tags": {"team": "blue"}, "user_path": "/apps/",
    });
    write(host, "roles/app", &role).unwrap();
    plan(host, "creds/app", &json!({})).unwrap()
}

pub(super) fn well(cloud: &Cloud) {
    cloud.on("CreateUser", &[good(USER)]);
    cloud.on("CreateAccessKey", &[good(KEY)]);
}

#[test]
fn a_user_is_stamped_first_and_gets_its_key_last() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let plan = user_role(&host);
    well(&cloud);
    let issued = create(&host, &plan).unwrap();
    let stamped = cloud.asked("CreateUser").concat();
    assert!(stamped.contains("Key=cofferdam&Tags.member.1.Value=cofferdam%3Ac%2Fm%2Fx"), "{stamped}");
    assert!(stamped.contains("Path=%2Fapps%2F") && stamped.contains("Value=blue"), "{stamped}");
    assert_eq!(
        cloud.operations(),
        ["CreateUser", "AddUserToGroup", "AttachUserPolicy", "PutUserPolicy", "CreateAccessKey"]
    );
    let data: Value = serde_json::from_str(&issued.data).unwrap();
    let want =
        json!({"access_key": "AKIANEW", "secret_key": "made-by-aws", "security_token": null, "session_token": null});
    assert_eq!(data, want);
    let handle = issued.handle.unwrap().data;
    assert!(
        handle.contains("AIDAONE") && handle.contains("123456789012") && !handle.contains("made-by-aws"),
        "{handle}"
    );
}

#[test]
fn only_a_clear_no_leaves_nothing() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let plan = user_role(&host);
    for (answer, cause, untouched) in [
        (bad(403, "AccessDenied", "no"), Cause::Denied, true),
        (bad(409, "EntityAlreadyExists", "taken"), Cause::Conflict, true),
        (bad(500, "ServiceFailure", "oops"), Cause::Unreachable, false),
        (cut(), Cause::Unreachable, false),
    ] {
        well(&cloud);
        cloud.on("CreateUser", &[answer]);
        let failure = create(&host, &plan).unwrap_err();
        assert_eq!((failure.cause, failure.untouched), (cause, untouched), "{failure:?}");
        assert_eq!(cloud.operations(), ["CreateUser"], "what may have worked is not sent twice");
    }
    well(&cloud);
    cloud.on("AttachUserPolicy", &[bad(403, "AccessDenied", "no")]);
    assert!(!create(&host, &plan).unwrap_err().untouched, "the user is there");
}

#[test]
fn waits_where_aws_is_slow_and_not_where_it_says_no() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let plan = user_role(&host);
    well(&cloud);
    cloud.on("CreateUser", &[bad(400, "Throttling", "Rate exceeded"), good(USER)]);
    let unknown = format!("The user with name {} cannot be found.", plan.object);
    cloud.on("AddUserToGroup", &[bad(404, "NoSuchEntity", &unknown), good("")]);
    create(&host, &plan).unwrap();
    cloud.operations();
    cloud.on("AttachUserPolicy", &[bad(404, "NoSuchEntity", "Policy A does not exist or is not attachable.")]);
    assert_eq!(create(&host, &plan).unwrap_err().cause, Cause::Missing);
    assert_eq!(cloud.operations(), ["CreateUser", "AddUserToGroup", "AttachUserPolicy"]);
    cloud.on("CreateUser", &[bad(400, "Throttling", "Rate exceeded")]);
    let failure = create(&host, &plan).unwrap_err();
    assert_eq!((failure.cause, failure.untouched), (Cause::Throttled, true));
    assert_eq!(cloud.operations().len(), 3, "two repetitions were configured");
}

fn found(id: &str, stamp: &str) -> String {
    let tags = format!("<Tags><member><Key>cofferdam</Key><Value>{stamp}</Value></member></Tags></User>");
    USER.replace("AIDAONE", id).replace("</User>", &tags)
}

fn revoke(host: &FakeHost, lease: Lease) -> Result<Ended, Failure> {
    Aws::revoke(&host.context(), &[lease]).pop().unwrap()
}

/// Ends what the plan was for.
pub(super) fn revoke_of(host: &FakeHost, plan: &Plan) -> Result<Ended, Failure> {
    revoke(host, lease(plan))
}

#[test]
fn a_user_is_locked_out_before_it_is_taken_apart() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let plan = user_role(&host);
    let keys = "<AccessKeyMetadata><member><AccessKeyId>AKIANEW</AccessKeyId></member></AccessKeyMetadata>\
        <IsTruncated>false</IsTruncated>";
    cloud.on("GetUser", &[good(&found("AIDAONE", "cofferdam:c/m/x"))]);
    cloud.on("ListAccessKeys", &[good(keys)]);
    assert_eq!(revoke(&host, lease(&plan)).unwrap(), Ended::Removed);
    let operations = cloud.operations();
    assert_eq!(operations[..4], ["GetUser", "ListAccessKeys", "UpdateAccessKey", "PutUserPolicy"]);
    assert_eq!(operations.last().unwrap(), "DeleteUser");
    // Rights that are not needed are not asked for.
    cloud.on("UpdateAccessKey", &[bad(403, "AccessDenied", "no")]);
    assert_eq!(revoke(&host, lease(&plan)).unwrap(), Ended::Removed);
    cloud.operations();
    // Somebody gave it a password: what else there may be is looked for.
    cloud.on("DeleteUser", &[bad(409, "DeleteConflict", "must delete login profile first"), good("")]);
    assert_eq!(revoke(&host, lease(&plan)).unwrap(), Ended::Removed);
    assert!(cloud.operations().contains(&"DeleteLoginProfile".to_owned()));
    cloud.on("DeleteUser", &[bad(409, "DeleteConflict", "must delete login profile first")]);
    cloud.on("DeleteLoginProfile", &[bad(403, "AccessDenied", "no profile for you")]);
    let failure = revoke(&host, lease(&plan)).unwrap_err();
    assert_eq!(failure.cause, Cause::Dependent);
    assert!(failure.message.contains("UpdateAccessKey") && failure.message.contains("login profile"), "{failure:?}");
}

#[test]
fn only_what_is_ours_is_ended() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let plan = user_role(&host);
    well(&cloud);
    let mut confirmed = lease(&plan);
    confirmed.handle = create(&host, &plan).unwrap().handle.unwrap();
    confirmed.confirmed = true;
    cloud.operations();
    // Another user of that name.
    cloud.on("GetUser", &[good(&found("AIDATWO", "cofferdam:c/m/other"))]);
    for lease in [lease(&plan), confirmed.clone()] {
        assert_eq!(revoke(&host, lease).unwrap_err().cause, Cause::Conflict);
    }
    assert_eq!(cloud.operations(), ["GetUser", "GetUser"]);
    // Our user, though somebody took the stamp away.
    cloud.on("GetUser", &[good(&found("AIDAONE", "removed"))]);
    assert_eq!(revoke(&host, confirmed.clone()).unwrap(), Ended::Removed);
    // There is none: that counts in the account in which it was made.
    cloud.on("GetUser", &[bad(404, "NoSuchEntity", "The user with name u cannot be found.")]);
    let of = |account: &str| format!("<Arn>arn:aws:iam::{account}:user/root</Arn><Account>{account}</Account>");
    cloud.on("GetCallerIdentity", &[good(&of("123456789012"))]);
    assert_eq!(revoke(&host, confirmed.clone()).unwrap(), Ended::Absent);
    assert_eq!(revoke(&host, lease(&plan)).unwrap(), Ended::Absent);
    cloud.on("GetCallerIdentity", &[good(&of("999999999999"))]);
    assert_eq!(revoke(&host, confirmed).unwrap_err().cause, Cause::Conflict);
    // The same of a user that may never have been made: the key of then tells.
    let other = json!({"access_key": "AKIAELSE", "secret_key": "hush"});
    write(&host, "config/root", &other).unwrap();
    cloud.on("GetAccessKeyInfo", &[good("<Account>123456789012</Account>")]);
    assert_eq!(revoke(&host, lease(&plan)).unwrap_err().cause, Cause::Conflict);
}

#[test]
fn an_answer_that_shows_no_user_does_not_say_that_there_is_none() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let plan = user_role(&host);
    cloud.on("GetUser", &[good("")]);
    assert_eq!(revoke(&host, lease(&plan)).unwrap_err().cause, Cause::Internal);
    assert_eq!(cloud.operations(), ["GetUser"]);
}

#[test]
fn sessions_have_the_answer_of_their_kind() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let arn = "arn:aws:iam::1:role/deploy";
    let role = json!({"credential_type": "assumed_role", "role_arns": [arn], "max_sts_ttl": 7_200, "external_id": "x"});
    write(&host, "roles/deploy", &role).unwrap();
    let assumed = "<AssumedRoleUser><AssumedRoleId>R</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/deploy/me</Arn>\
        </AssumedRoleUser>";
    cloud.on("AssumeRole", &[good(&format!("{assumed}{CREDENTIALS}"))]);
    let wish = json!({"ttl": 99_999, "role_session_name": "me, myself"});
    let deploy = plan(&host, "sts/deploy", &wish).unwrap();
    assert_eq!((deploy.kind.as_str(), deploy.ttl.ttl, deploy.ttl.renewable), ("session", Some(7_200), false));
    let data: Value = serde_json::from_str(&create(&host, &deploy).unwrap().data).unwrap();
    let want = json!({
        "access_key": "ASIA", "secret_key": "s", "security_token": "t", "session_token": "t", "ttl": 3_600,
        "arn": "arn:aws:sts::1:assumed-role/deploy/me",
    });
    assert_eq!(data, want);
    let asked = cloud.asked("AssumeRole").concat();
    assert!(asked.contains("DurationSeconds=7200") && asked.contains("ExternalId=x"), "{asked}");
    assert!(asked.contains("RoleSessionName=me%2C_myself"), "{asked}");
    assert!(plan(&host, "sts/deploy", &json!({"ttl": 60})).is_err(), "STS takes no less than 15 minutes");
    assert!(plan(&host, "sts/deploy", &json!({"role_arn": "arn:aws:iam::1:role/root"})).is_err());

    write(&host, "roles/ci", &json!({"credential_type": "federation_token"})).unwrap();
    assert_eq!(plan(&host, "creds/ci", &json!({})).unwrap_err().cause, Cause::Invalid);
    write(&host, "roles/ci", &json!({"policy_document": "{\"Statement\":[]}"})).unwrap();
    cloud.on("GetFederationToken", &[good(CREDENTIALS)]);
    let issued = create(&host, &plan(&host, "creds/ci", &json!({})).unwrap()).unwrap();
    assert!(!issued.data.contains("\"arn\""), "{}", issued.data);

    let role = json!({"credential_type": "session_token", "mfa_serial_number": "arn:aws:iam::1:mfa/me"});
    write(&host, "roles/mfa", &role).unwrap();
    assert_eq!(plan(&host, "creds/mfa", &json!({})).unwrap_err().cause, Cause::Invalid);
    cloud.on("GetSessionToken", &[good(CREDENTIALS)]);
    create(&host, &plan(&host, "creds/mfa", &json!({"mfa_code": "123456"})).unwrap()).unwrap();
    assert!(cloud.asked("GetSessionToken").concat().contains("TokenCode=123456"));
}

#[test]
fn the_next_sts_is_asked_where_one_does_not_answer() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    write(&host, "roles/any", &json!({"credential_type": "session_token"})).unwrap();
    let any = plan(&host, "creds/any", &json!({})).unwrap();
    let mut target = host.context().target().unwrap();
    let mut dead = target.endpoints[1].clone();
    dead.url = "http://127.0.0.1:1".to_owned();
    target.endpoints.insert(1, dead);
    host.set_target(Some(target));
    cloud.on("GetSessionToken", &[good(CREDENTIALS)]);
    create(&host, &any).unwrap();
}

#[test]
fn a_key_is_waited_for_where_the_role_says_so() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    well(&cloud);
    let ready = |within: u64| {
        let role = json!({"credential_type": "iam_user", "policy_document": "{}", "ready_within": within});
        write(&host, "roles/app", &role).unwrap();
        create(&host, &plan(&host, "creds/app", &json!({})).unwrap()).unwrap().warnings
    };
    assert_eq!(ready(0), [] as [String; 0]);
    assert!(!cloud.operations().contains(&"GetCallerIdentity".to_owned()));
    let who = good("<Arn>arn:aws:iam::1:user/u</Arn><Account>1</Account>");
    cloud.on("GetCallerIdentity", &[bad(403, "InvalidClientTokenId", "not yet"), who]);
    assert_eq!(ready(30), [] as [String; 0]);
    cloud.on("GetCallerIdentity", &[bad(403, "InvalidClientTokenId", "not yet")]);
    assert!(ready(1).concat().contains("does not accept the new key yet"));
}
