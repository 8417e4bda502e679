//! An engine that speaks HTTP, to whomever it likes. What is granted answers it: each refusal here has its twin.

mod site;

use std::thread;

use harness::{Reply, wait_until};
use serde_json::{Value, json};

pub(crate) use self::site::Site;
use crate::arena::{arena, names_the_culprit};

/// Mounts the engine and tells it of an endpoint, as the backend `site`.
fn mount(path: &str, endpoint: &str) {
    arena().mount(path, "http");
    configure(path, "site", endpoint).expect(204);
}

fn configure(path: &str, name: &str, endpoint: &str) -> Reply {
    let body = json!({ "endpoint": endpoint, "secret_key": "s3cr3t-s3cr3t" });
    arena().api().put(&format!("{path}/config/{name}"), body)
}

fn attack(path: &str, scheme: &str, authority: &str, at: &str) -> Reply {
    arena().attack(path, json!({ "scheme": scheme, "authority": authority, "path": at }))
}

/// What came of it; null where the attempt ended the call.
fn came_of(reply: &Reply) -> Value {
    if reply.is_ok() { reply.body["data"].clone() } else { Value::Null }
}

fn done(reply: &Reply) -> bool {
    came_of(reply)["done"] == true
}

#[test]
fn what_the_operator_named_answers() {
    let site = Site::open();
    mount("http-granted", &site.url());
    let reply = attack("http-granted/send/site/get", "http", &site.authority(), "/");
    assert_eq!((came_of(&reply)["what"].clone(), came_of(&reply)["bytes"].clone()), (json!(200), json!(5)));
    let told = attack("http-granted/send/site/endpoints", "", "", "");
    assert_eq!(came_of(&told)["what"], json!([format!("endpoint {}", site.url())]));
}

#[test]
fn no_other_place_does() {
    let (site, other) = (Site::open(), Site::open());
    mount("http-other", &site.url());
    let (granted, port) = (site.authority(), other.port());
    for (scheme, authority) in [
        ("http", other.authority()),
        ("https", granted.clone()),
        ("http", format!("localhost:{}", site.port())),
        ("http", format!("127.0.0.1.:{}", site.port())),
        ("http", format!("[::ffff:127.0.0.1]:{port}")),
        ("http", format!("2130706433:{port}")),
        ("http", format!("0x7f.1:{port}")),
        ("http", format!("127.1:{port}")),
        ("http", "127.0.0.1".to_owned()),
        ("http", arena().listener().to_owned()),
        ("http", "169.254.169.254".to_owned()),
        ("http", "[fd00:ec2::254]".to_owned()),
        ("https", "example.org".to_owned()),
    ] {
        let send = || attack("http-other/send/site/get", scheme, &authority, "/");
        let reply = arena().shows(&format!("http-other/{scheme}://{authority}"), "", send);
        assert!(!done(&reply), "{scheme}://{authority} answered: {}", reply.body);
    }
    // What can be read in two ways, and what is no place at all.
    for (scheme, authority) in [
        ("http", format!("{granted}@127.0.0.1:{port}")),
        ("http", format!("127.0.0.1:{port}@{granted}")),
        ("http", format!("127.0.0.1:{port}\\@{granted}")),
        ("http", format!("{granted}/@127.0.0.1:{port}")),
        ("gopher", granted.clone()),
    ] {
        let send = || attack("http-other/send/site/get", scheme, &authority, "/");
        let shown = format!("request {authority}: ");
        let reply = arena().shows("http-other/", &shown, send);
        assert!(!done(&reply), "{scheme}://{authority} answered: {}", reply.body);
    }
    assert_eq!(other.visits(), 0, "somebody came through");
    assert_eq!(site.visits(), 0, "under another name");
    let alone = || attack("http-other/alone/get", "http", &granted, "/");
    assert!(!done(&arena().shows("http-other/", "request http://", alone)), "a call without a backend");
    assert!(done(&attack("http-other/send/site/get", "http", &granted, "/")), "the twin");
}

#[test]
fn a_metadata_service_is_no_endpoint() {
    arena().mount("http-metadata", "http");
    for (name, written, authority) in [
        ("plain", "169.254.169.254", "169.254.169.254"),
        ("mapped", "[::ffff:169.254.169.254]", "169.254.169.254"),
        ("v6", "[fd00:ec2::254]", "[fd00:ec2::254]"),
        ("own", arena().listener(), arena().listener()),
    ] {
        configure("http-metadata", name, &format!("http://{written}")).expect(204);
        let path = format!("http-metadata/send/{name}/get");
        let reply = arena().shows(&path, "request http://", || attack(&path, "http", authority, "/latest/meta-data/"));
        let what = came_of(&reply)["what"].as_str().unwrap_or_default().to_owned();
        assert!(what.contains("DestinationIpProhibited"), "{written}: {} {}", reply.status, reply.body);
    }
}

#[test]
fn endpoints_that_say_two_things_are_refused() {
    let other = Site::open();
    arena().mount("http-urls", "http");
    let port = other.port();
    for (name, endpoint) in [
        ("userinfo", format!("http://api.corp@127.0.0.1:{port}")),
        ("backslash", format!("http://127.0.0.1:{port}\\@api.corp")),
        ("number", format!("http://2130706433:{port}")),
        ("dot", format!("http://localhost.:{port}")),
        ("list", format!("http://api.corp,127.0.0.1:{port}")),
        ("encoded", format!("http://127%2e0.0.1:{port}")),
        ("wildcard", "https://*.amazonaws.com".to_owned()),
        ("scheme", format!("ftp://127.0.0.1:{port}")),
        ("query", format!("http://127.0.0.1:{port}/?http://api.corp")),
        ("none", "https://".to_owned()),
    ] {
        assert_eq!(configure("http-urls", name, &endpoint).status, 400, "{endpoint}");
        let path = format!("http-urls/send/{name}/get");
        let reply = arena().shows(&path, "request http://", || attack(&path, "http", &other.authority(), "/"));
        assert!(!done(&reply), "{name} opened a hole");
    }
    assert_eq!(other.visits(), 0);
}

#[test]
fn a_redirect_leads_nowhere_else() {
    let (site, other) = (Site::open(), Site::open());
    mount("http-redirect", &site.url());
    let at = |port| format!("/redirect/{port}");
    let path = "http-redirect/send/site/follow";
    assert!(done(&attack(path, "http", &site.authority(), &at(site.port()))), "the twin: back to itself");
    let elsewhere = || attack(path, "http", &site.authority(), &at(other.port()));
    let reply = arena().shows(path, &format!("request http://127.0.0.1:{}", other.port()), elsewhere);
    assert!(!done(&reply) && reply.is_ok(), "{}", reply.body);
    assert!(came_of(&reply)["what"].as_str().is_some_and(|w| w.contains("HttpRequestDenied")), "{}", reply.body);
    assert_eq!(other.visits(), 0);
}

#[test]
fn the_host_header_is_the_granted_one() {
    let site = Site::open();
    mount("http-host", &site.url());
    let send = |how: &str| attack(&format!("http-host/send/site/{how}"), "http", &site.authority(), "/");
    let reply = arena().shows("http-host/", "write a Host header: ", || send("host"));
    assert!(!done(&reply) && came_of(&reply)["status"] == 200, "{}", reply.body);
    let heads = site.heads();
    let hosts: Vec<&str> = heads.iter().flat_map(|h| h.lines()).filter(|l| l.starts_with("host:")).collect();
    assert_eq!(hosts, [format!("host: {}", site.authority())]);
    let shown = format!("request {}: its method", site.authority());
    assert!(!done(&arena().shows("http-host/", &shown, || send("tunnel"))));
    assert_eq!(site.heads().len(), 1, "a tunnel was asked for");
}

#[test]
fn answers_without_end_are_cut() {
    let site = Site::open();
    mount("http-endless", &site.url());
    let endless = || attack("http-endless/send/site/get", "http", &site.authority(), "/endless");
    let reply = arena().shows("http-endless/", &format!("receive from {}: ", site.url()), endless);
    // A body's errors are texts.
    let what = came_of(&reply)["what"].as_str().unwrap_or_default().to_owned();
    assert!(what.contains("response body size exceeds"), "{} {}", reply.status, reply.body);
    // Here it is the site that does wrong.
    for (at, part) in [
        ("/headers", "HttpResponseHeaderSectionSize"),
        ("/silent", "ConnectionReadTimeout"),
        ("/stuck", "read timeout"),
    ] {
        let reply = attack("http-endless/send/site/get", "http", &site.authority(), at);
        let what = came_of(&reply)["what"].as_str().unwrap_or_default().to_owned();
        assert!(what.contains(part), "{at}: {} {}", reply.status, reply.body);
    }
    // Drop by drop, each within the time: only the deadline of the call ends that.
    let drops = || attack("http-endless/send/site/get", "http", &site.authority(), "/drops");
    names_the_culprit(&arena().shows("http-endless/", "call ended: deadline: ", drops), "http-endless");
    let gone = |site: &Site| (site.open_now() == 0).then_some(());
    wait_until("the connections of ended calls to be closed", || gone(&site));
}

#[test]
fn requests_without_end_are_cut() {
    let site = Site::open();
    mount("http-flood", &site.url());
    let sends = |how: &str| attack(&format!("http-flood/send/site/{how}"), "http", &site.authority(), "/");
    let shows = |text: &str, how: &str| arena().shows("http-flood/", text, || sends(how));
    let upload = shows(&format!("send to {}: ", site.url()), "upload");
    assert!(!done(&upload), "{}", upload.body);
    let headers = shows("call ended: trap: ", "headers");
    assert!(!done(&headers), "{}", headers.body);
    assert!(site.heads().iter().all(|h| h.len() < 100_000), "the headers went out");
    let crowd = shows("too many requests at once", "crowd");
    assert_eq!(came_of(&crowd)["what"], 2, "of ten at once: {}", crowd.body);
}

#[test]
fn one_value_many_times_is_not_copied() {
    let site = Site::open();
    mount("http-aliases", &site.url());
    let flood = || attack("http-aliases/send/site/aliases", "http", &site.authority(), "/");
    let reply = arena().shows("http-aliases/", "call ended: trap: ", flood);
    let said = reply.body["errors"].to_string();
    assert!(said.contains("too much data is being copied"), "{said}");
}

#[test]
fn many_at_once_leave_the_neighbour_alone() {
    let site = Site::open();
    mount("http-many", &site.url());
    let many = || {
        thread::scope(|scope| {
            let attacks: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| attack("http-many/send/site/get", "http", &site.authority(), "/endless")))
                .collect();
            assert!(attacks.into_iter().all(|a| !done(&a.join().unwrap())));
        });
    };
    arena().shows("http-many/", "receive from ", many);
}

#[test]
fn a_grant_belongs_to_one_backend_and_ends_with_it() {
    let (site, other) = (Site::open(), Site::open());
    mount("http-a", &site.url());
    mount("http-b", &site.url());
    configure("http-a", "other", &other.url()).expect(204);
    let get = |path: &str, to: &Site| done(&attack(&format!("{path}/get"), "http", &to.authority(), "/"));
    assert!(get("http-a/send/other", &other));
    let shown = format!("request http://{}", other.authority());
    let refused = |path: &str| !arena().shows(path, &shown, || get(path, &other));
    assert!(refused("http-a/send/site"), "the grant leaked to another backend");
    assert!(refused("http-b/send/other"), "the grant leaked to another mount");
    wait_until("a connection to be kept", || (other.open_now() == 1).then_some(()));
    arena().api().delete("http-a/config/other").expect(204);
    assert!(refused("http-a/send/other"), "the grant outlived its configuration");
    wait_until("the connection to go with its configuration", || (other.open_now() == 0).then_some(()));
}

#[test]
fn an_answer_ends_with_its_grant() {
    let site = Site::open();
    mount("http-hold", &site.url());
    let hold = || done(&attack("http-hold/send/site/hold", "http", &site.authority(), "/"));
    assert!(hold(), "the twin: a grant that stays");
    let withdrawn = || {
        thread::scope(|scope| {
            let attack = scope.spawn(hold);
            // The attack waits for two seconds before it reads on.
            wait_until("the second request", || (site.heads().len() == 2).then_some(()));
            arena().api().delete("http-hold/config/site").expect(204);
            attack.join().unwrap()
        })
    };
    assert!(!arena().shows("http-hold/", "call ended: withdrawn: ", withdrawn), "the call survived its configuration");
}

#[test]
fn the_stored_secret_does_not_follow_an_endpoint_that_moves() {
    let (site, other) = (Site::open(), Site::open());
    mount("http-moves", &site.url());
    let api = arena().api();
    // The root token has sudo everywhere, which is an explicit act; somebody else's has not.
    api.policy("http-moves", r#"path "http-moves/*" { capabilities = ["create", "read", "update"] }"#);
    let user = api.child(&["http-moves"], json!({}));
    user.put("http-moves/config/site", json!({ "endpoint": other.url() })).refused(400, "secret_key");
    let whole = json!({ "endpoint": other.url(), "secret_key": "another" });
    user.put("http-moves/config/site", whole).expect(204);
}
