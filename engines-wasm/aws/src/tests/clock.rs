//! Where our clock is wrong: what AWS does not take is signed anew for AWS's own time.

use engine_sdk::types::Cause;

use super::cloud::{Cloud, bad, good};
use super::leases::{configured, create, revoke_of, user_role, well};

/// Some time in which no test runs.
const THERE: &str = "Wed, 01 Jan 2020 12:00:00 GMT";

fn expired() -> super::cloud::Answer {
    bad(403, "SignatureDoesNotMatch", "Signature not yet current").dated(THERE)
}

#[test]
fn what_makes_something_is_signed_anew_once() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let plan = user_role(&host);
    well(&cloud);
    cloud.on("CreateUser", &[expired(), good(super::leases::USER).dated(THERE)]);
    create(&host, &plan).unwrap();
    let signed = cloud.signed("CreateUser");
    assert_eq!(signed.len(), 2);
    assert!(!signed[0].starts_with("20200101T") && signed[1].starts_with("20200101T"), "{signed:?}");

    // Where it is not the clock, that is all.
    cloud.on("CreateUser", &[bad(403, "SignatureDoesNotMatch", "The signature does not match")]);
    let failure = create(&host, &plan).unwrap_err();
    assert_eq!((failure.cause, failure.untouched), (Cause::Denied, true));
    assert_eq!(cloud.signed("CreateUser").len(), 4);
}

#[test]
fn a_revocation_is_signed_anew_too() {
    let cloud = Cloud::new();
    let host = configured(&cloud);
    let plan = user_role(&host);
    cloud.on("GetUser", &[expired(), bad(404, "NoSuchEntity", "no such user").dated(THERE)]);
    revoke_of(&host, &plan).unwrap();
    let signed = cloud.signed("GetUser");
    assert!(signed.len() == 2 && signed[1].starts_with("20200101T"), "{signed:?}");
}
