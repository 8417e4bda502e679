//! Keys of users that were there before: which of them gives way, and what becomes of one that nobody wants any more.

use engine_sdk::Issuer;
use engine_sdk::testing::FakeHost;
use engine_sdk::types::Cause;
use serde_json::{Value, json};

use super::cloud::{Cloud, bad, good};
use super::leases::{USER, configured};
use super::write;
use crate::Aws;

const SLOT: &str = "static/batch";
const NEVER: &str = "null";

/// A listing in the order of the cloud, which need not be that of their age: (id, day on which it was made).
fn keys(all: &[(&str, u8)]) -> String {
    let member = |(id, day): &(&str, u8)| {
        format!("<member><AccessKeyId>{id}</AccessKeyId><CreateDate>2026-01-{day:02}T00:00:00Z</CreateDate></member>")
    };
    let members: String = all.iter().map(member).collect();
    format!("<AccessKeyMetadata>{members}</AccessKeyMetadata><IsTruncated>false</IsTruncated>")
}

fn role(host: &FakeHost, cloud: &Cloud) {
    cloud.on("GetUser", &[good(USER)]);
    write(host, "static-roles/batch", &json!({"username": "u", "rotation_period": 3_600})).unwrap();
    let key = "<AccessKey><UserName>u</UserName><AccessKeyId>AKIANEW</AccessKeyId><Status>Active</Status>\
        <SecretAccessKey>new</SecretAccessKey></AccessKey>";
    cloud.on("CreateAccessKey", &[good(key)]);
    cloud.operations();
}

fn deleted(cloud: &Cloud) -> Vec<String> {
    let id = |body: String| body.split("AccessKeyId=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    cloud.asked("DeleteAccessKey").into_iter().map(id).collect()
}

#[test]
fn a_user_must_be_shown() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let sent = json!({"username": "u", "rotation_period": 3_600});
    cloud.on("GetUser", &[good("")]);
    assert_eq!(write(&host, "static-roles/batch", &sent).unwrap_err().cause, Cause::Internal);
    cloud.on("GetUser", &[bad(404, "NoSuchEntity", "no such user")]);
    assert_eq!(write(&host, "static-roles/batch", &sent).unwrap_err().cause, Cause::Invalid);
}

#[test]
fn the_oldest_key_that_nobody_was_given_gives_way() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    role(&host, &cloud);
    let ctx = host.context();
    cloud.on("ListAccessKeys", &[good(&keys(&[("AKIAYOUNG", 9), ("AKIAOLD", 1)]))]);
    let looked = Aws::apply(&ctx, SLOT, NEVER, &Aws::propose(&ctx, SLOT, NEVER).unwrap()).unwrap().unwrap();
    let made = Aws::apply(&ctx, SLOT, NEVER, &looked).unwrap().unwrap();
    assert_eq!(deleted(&cloud), ["AKIAOLD"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["access_key"], "AKIANEW");
}

#[test]
fn a_candidate_is_given_up_at_any_step() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    role(&host, &cloud);
    let ctx = host.context();
    let give_up = |candidate: &str| {
        cloud.operations();
        Aws::retire(&ctx, SLOT, candidate, NEVER).unwrap();
        deleted(&cloud)
    };
    cloud.on("ListAccessKeys", &[good(&keys(&[("AKIAHUMAN", 1)]))]);
    let proposed = Aws::propose(&ctx, SLOT, NEVER).unwrap();
    assert_eq!(give_up(&proposed), [] as [String; 0]);
    let looked = Aws::apply(&ctx, SLOT, NEVER, &proposed).unwrap().unwrap();
    assert_eq!(give_up(&looked), [] as [String; 0]);
    let made = Aws::apply(&ctx, SLOT, NEVER, &looked).unwrap().unwrap();
    assert_eq!(give_up(&made), ["AKIANEW"], "the listing does not show it yet");
    cloud.on("ListAccessKeys", &[good(&keys(&[("AKIAHUMAN", 1), ("AKIANEW", 2)]))]);
    assert_eq!(give_up(&made), ["AKIANEW"]);
    cloud.on("ListAccessKeys", &[good(&keys(&[("AKIAHUMAN", 1), ("AKIALOST", 2)]))]);
    assert_eq!(give_up(&looked), ["AKIALOST"], "its answer was lost");
    cloud.on("ListAccessKeys", &[bad(404, "NoSuchEntity", "The user with name u cannot be found.")]);
    assert_eq!(give_up(&looked), [] as [String; 0]);
}
