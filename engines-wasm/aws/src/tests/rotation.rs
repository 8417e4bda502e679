//! The engine's own key: every step of its rotation, and what becomes of answers that were lost.

use engine_sdk::Issuer;
use engine_sdk::testing::FakeHost;
use engine_sdk::types::Cause;
use serde_json::{Value, json};

use super::cloud::{Cloud, bad, good};
use super::write;
use crate::Aws;

const SLOT: &str = "root";
const OLD: &str = r#"{"access_key":"AKIAOLD","secret_key":"old"}"#;

fn keys(ids: &[&str]) -> String {
    let member = |id: &&str| format!("<member><AccessKeyId>{id}</AccessKeyId></member>");
    let members: String = ids.iter().map(member).collect();
    format!("<AccessKeyMetadata>{members}</AccessKeyMetadata><IsTruncated>false</IsTruncated>")
}

fn configured(cloud: &Cloud) -> FakeHost {
    let host = cloud.host();
    write(&host, "config/root", &json!({"access_key": "AKIAOLD", "secret_key": "old", "max_retries": 0})).unwrap();
    let key = "<AccessKey><UserName>r</UserName><AccessKeyId>AKIANEW</AccessKeyId><Status>Active</Status>\
        <SecretAccessKey>new</SecretAccessKey></AccessKey>";
    cloud.on("CreateAccessKey", &[good(key)]);
    cloud.on("ListAccessKeys", &[good(&keys(&["AKIAOLD"]))]);
    host
}

#[test]
fn aws_chooses_the_key_and_the_old_one_goes() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let ctx = host.context();
    let proposed = Aws::propose(&ctx, SLOT, OLD).unwrap();
    assert_eq!(cloud.operations(), [] as [&str; 0]);
    let looked = Aws::apply(&ctx, SLOT, OLD, &proposed).unwrap().unwrap();
    assert_eq!(cloud.operations(), ["ListAccessKeys"], "what is there is known before anything is made");
    let made = Aws::apply(&ctx, SLOT, OLD, &looked).unwrap().unwrap();
    assert_eq!(Aws::apply(&ctx, SLOT, OLD, &made).unwrap(), None);
    assert!(made.contains("AKIANEW") && !made.contains("\"old\""), "{made}");
    let who = "<Arn>arn:aws:iam::1:user/r</Arn><Account>1</Account>";
    cloud.on("GetCallerIdentity", &[bad(403, "InvalidClientTokenId", "not yet"), good(who)]);
    Aws::prove(&ctx, SLOT, &made).unwrap();
    let told: Value = serde_json::from_str(&Aws::retire(&ctx, SLOT, OLD, &made).unwrap().unwrap()).unwrap();
    assert_eq!(told, json!({"access_key": "AKIANEW"}));
    assert!(cloud.asked("DeleteAccessKey").concat().contains("AccessKeyId=AKIAOLD"));
}

#[test]
fn a_key_whose_answer_was_lost_is_found_again() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let ctx = host.context();
    let looked = Aws::apply(&ctx, SLOT, OLD, &Aws::propose(&ctx, SLOT, OLD).unwrap()).unwrap().unwrap();
    assert!(Aws::prove(&ctx, SLOT, &looked).is_err(), "there is no key yet");
    cloud.operations();
    cloud.on("ListAccessKeys", &[good(&keys(&["AKIAOLD", "AKIALOST"]))]);
    Aws::apply(&ctx, SLOT, OLD, &looked).unwrap().unwrap();
    assert!(cloud.asked("DeleteAccessKey").concat().contains("AccessKeyId=AKIALOST"));
    assert_eq!(cloud.operations(), ["ListAccessKeys", "DeleteAccessKey", "CreateAccessKey"]);
}

#[test]
fn a_second_key_of_somebody_else_is_left_alone() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let ctx = host.context();
    cloud.on("ListAccessKeys", &[good(&keys(&["AKIAOLD", "AKIAHUMAN"]))]);
    let proposed = Aws::propose(&ctx, SLOT, OLD).unwrap();
    assert_eq!(Aws::apply(&ctx, SLOT, OLD, &proposed).unwrap_err().cause, Cause::Refused);
    assert_eq!(cloud.operations(), ["ListAccessKeys"]);
    // Written anew meanwhile: it begins again with the key of now.
    let other = r#"{"access_key":"AKIAOTHER","secret_key":"other"}"#;
    let again = Aws::apply(&ctx, SLOT, other, &proposed).unwrap();
    assert_eq!(again, Some(Aws::propose(&ctx, SLOT, other).unwrap()));
}
