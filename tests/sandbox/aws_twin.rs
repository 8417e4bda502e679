//! A component under the AWS engine's own policy that tries every other host.

use harness::wait_until;
use serde_json::{Value, json};

use crate::arena::arena;
use crate::http::Site;

/// Mounts the twin, with AWS at this endpoint.
fn mount(path: &str, endpoint: &str) {
    arena().mount(path, "aws_twin");
    let body = json!({
        "access_key": "AKIATWIN", "secret_key": "s3cr3t-s3cr3t", "iam_endpoint": endpoint, "sts_endpoint": endpoint,
    });
    arena().api().put(&format!("{path}/config/root"), body).expect(204);
}

fn send(path: &str, scheme: &str, authority: &str) -> Value {
    arena().attack(&format!("{path}/send"), json!({ "scheme": scheme, "authority": authority })).ok()["data"].clone()
}

/// How often the mount was refused something, and what it tried lately.
fn refusals(path: &str) -> (u64, Vec<String>) {
    let shown = arena().api().get(&format!("sys/sandbox/denials?mount={path}&limit=1000")).ok()["data"].clone();
    let count = shown["counts"][0]["denials"].as_u64().unwrap_or(0);
    let tried = shown["denials"].as_array().cloned().unwrap_or_default();
    (count, tried.iter().map(|denial| denial["attempt"].as_str().unwrap_or_default().to_owned()).collect())
}

#[test]
fn a_configured_endpoint_opens_exactly_itself() {
    let (site, other) = (Site::open(), Site::open());
    mount("twin", &site.url());
    let here = site.authority();
    let port = other.port();
    let mut tries = 0;
    for (scheme, authority) in [
        ("https", "iam.amazonaws.com".to_owned()),
        ("https", "sts.amazonaws.com".to_owned()),
        ("https", "sts.us-east-1.amazonaws.com".to_owned()),
        ("https", "bucket.s3.amazonaws.com".to_owned()),
        ("https", "a1b2c3.execute-api.us-east-1.amazonaws.com".to_owned()),
        ("https", "example.org".to_owned()),
        ("https", here.clone()),
        ("http", other.authority()),
        ("http", format!("localhost:{}", site.port())),
        ("http", format!("[::ffff:127.0.0.1]:{port}")),
        ("http", arena().listener().to_owned()),
        ("http", "169.254.169.254".to_owned()),
        ("http", "169.254.170.2".to_owned()),
        ("http", "[fd00:ec2::254]".to_owned()),
    ] {
        let came = send("twin", scheme, &authority);
        assert_eq!(came["done"], false, "{scheme}://{authority} answered: {came}");
        tries += 1;
        let (count, tried) = refusals("twin/");
        assert_eq!(count, tries, "{scheme}://{authority}");
        let host = authority.trim_start_matches('[').split([']', ':']).next().unwrap_or_default();
        assert!(host.is_empty() || tried[0].contains(host), "{scheme}://{authority} is not what {tried:?} says");
    }
    assert_eq!((site.visits(), other.visits()), (0, 0));
    let alone = arena().attack("twin/alone", json!({ "scheme": "http", "authority": here }));
    assert_eq!(alone.ok()["data"]["done"], false, "a call without a backend");
    assert_eq!(send("twin", "http", &here)["done"], true, "the one that was configured");
}

#[test]
fn what_makes_and_ends_credentials_reaches_no_more() {
    let (site, other) = (Site::open(), Site::open());
    mount("twin-lease", &site.url());
    let ask = |port: u16| arena().api().get(&format!("twin-lease/creds/127.0.0.1-{port}"));
    ask(site.port()).expect(200);
    let refused = arena().shows("twin-lease/", "request http://", || ask(other.port()));
    assert!(refused.status >= 500 && refused.body.to_string().contains("HttpRequestDenied"), "{}", refused.body);
    arena().unnoticed(|| {
        wait_until("the revocation to be refused too", || (refusals("twin-lease/").0 >= 2).then_some(()));
    });
    assert_eq!(other.visits(), 0);
}
