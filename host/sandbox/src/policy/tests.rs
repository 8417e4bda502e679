//! Policies: the parser, and the examples that every policy of this repository carries.

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cofferdam_model::engine::{Grant, NewTarget, Target};
use wasmtime_wasi::sockets::SocketAddrUse;

use super::*;
use crate::net::gate::Gate;
use crate::net::gate::tests::{Table, border};
use crate::net::http::Destination;
use crate::net::http::traffic::Traffic;
use crate::net::ledger::Origin;

const SMALL: &str = "engine = 'kv'\nworld = 'secrets'\n";

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The defaults.
pub(crate) fn limits() -> Limits {
    Policy::parse("kv", SMALL).unwrap().limits
}

#[test]
fn unknown_keys_are_errors() {
    for (text, part) in [
        ("permit = 1\n", "permit"),
        ("[limits]\nmemory = 1\n", "memory"),
        ("[limits]\nsockets = -1\n", "-1"),
        ("[limits]\nmemory_mib = 100000\n", "memory_mib"),
        ("[[grant]]\nhost = 'a'\nport = 1\nhttp = true\n", "http"),
        ("[[target]]\nroute = 'r'\nfield = 'f'\ngrammar = 'regex'\n", "regex"),
        ("[[expect]]\ndeny = 'a'\n", "deny"),
        ("imports = ['wasi:sockets/tcp@0.2.0']\n", "without version"),
        ("[[grant]]\nhost = 'a'\nport = 1\n", "imports no sockets"),
        (
            "imports = ['wasi:sockets/tcp']\n[[target]]\nroute = 'r'\nfield = 'f'\ngrammar = 'https-url'\n",
            "does not import wasi:http/outgoing-handler",
        ),
        ("imports = ['wasi:sockets/tcp']\n[[grant]]\nhost = '*.corp'\nport = 1\n", "host"),
        ("imports = ['wasi:sockets/tcp']\n[[grant]]\nhost = 'a'\nport = 0\n", "port 0"),
    ] {
        let said = Policy::parse("kv", &format!("{SMALL}{text}")).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(said.contains(part) && said.contains("kv"), "{text}: {said}");
    }
    assert!(Policy::parse("other", SMALL).is_err(), "for another engine");
}

#[test]
fn limits_are_the_defaults_but_for_what_the_policy_says() -> Result<(), SandboxError> {
    let policy = Policy::parse("kv", &format!("{SMALL}[limits]\nmemory_mib = 7\n"))?;
    assert_eq!(policy.limits, Limits { memory_mib: 7, ..limits() });
    Ok(())
}

#[test]
fn imports_are_compared_without_versions() -> Result<(), SandboxError> {
    let policy = Policy::parse("kv", &format!("{SMALL}imports = ['cofferdam:engine/storage']\n"))?;
    for allowed in ["cofferdam:engine/storage@0.1.0-dev", "cofferdam:engine/types@0.1.0-dev", "wasi:io/poll@0.2.6"] {
        assert!(policy.allows(allowed), "{allowed}");
    }
    for refused in ["cofferdam:engine/slots@0.1.0-dev", "wasi:sockets/tcp@0.2.6", "wasi:http/types@0.2.0", "env"] {
        assert!(!policy.allows(refused), "{refused}");
    }
    Ok(())
}

#[test]
fn a_target_is_a_text() -> Outcome {
    let text = include_str!("../../../../policies/database.toml");
    let policy = Policy::parse("database", text)?;
    let fields = |v: Value| Map::from_iter([("connection_url".to_owned(), v)]);
    assert!(policy.target("config/{name}", &fields(Value::from(1))).is_err());
    assert!(policy.target("config/{name}", &fields(Value::Null))?.is_none());
    let target = policy.target("config/{name}", &fields(Value::from("postgres://db/x")))?.ok_or("no target")?;
    assert_eq!(
        (target.field.as_str(), target.secret_fields.as_slice()),
        ("connection_url", &["password".to_owned()][..])
    );
    let said = policy.target("config/{name}", &fields(Value::from("db"))).err().map(|e| e.messages.join(""));
    assert!(said.is_some_and(|s| s.starts_with("connection_url: ")));
    Ok(())
}

#[tokio::test]
async fn every_example_of_every_policy_holds() -> Outcome {
    let dir = Dir::open_ambient_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies"), ambient_authority())?;
    let mut replayed = 0;
    for entry in dir.entries()? {
        let name = entry?.file_name().into_string().map_err(|n| format!("{n:?}"))?;
        let Some(kind) = name.strip_suffix(".toml").filter(|k| !k.starts_with('_')) else { continue };
        let policy = Policy::parse(kind, &dir.read_to_string(&name)?)?;
        assert!(!policy.expect.is_empty(), "{kind}: a policy without examples");
        for expect in &policy.expect {
            replay(&policy, expect).await.map_err(|e| format!("{name}: {expect:?}: {e}"))?;
            replayed += 1;
        }
    }
    assert!(replayed > 10);
    Ok(())
}

async fn replay(policy: &Policy, expect: &Expect) -> Outcome {
    let derived = expect.route.as_deref().map(|route| policy.target(route, &expect.given)).transpose();
    if let Some(part) = &expect.refused {
        let said = derived.err().map(|e| e.messages.join("; ")).ok_or("was not refused")?;
        return if said.contains(part.as_str()) { Ok(()) } else { Err(said.into()) };
    }
    let derived = derived?.flatten();
    if let Some(want) = &expect.target {
        let found = derived.as_ref().map(|t| format!("{}:{}", t.host, t.port));
        if found.as_ref() != Some(want) {
            return Err(format!("target: {found:?}").into());
        }
    }
    if let Some(want) = &expect.location {
        let found = derived.as_ref().map(|t| &t.location);
        if found != Some(want) {
            return Err(format!("location: {found:?}").into());
        }
    }
    if let Some(want) = &expect.endpoints {
        let found: Vec<_> = derived.iter().flat_map(|t| &t.endpoints).map(|e| e.location.clone()).collect();
        if found != *want {
            return Err(format!("endpoints: {found:?}").into());
        }
    }
    let mut grants = policy.grants.clone();
    grants.extend(derived.into_iter().flat_map(granted));
    if let Some(connect) = &expect.connect {
        let (host, port) = target::host_port(connect)?;
        let gate = gate(&host, &expect.resolves, grants.clone());
        let mut reached = false;
        for ip in gate.look_up(&host).await.unwrap_or_default() {
            reached |= gate.permits((ip, port).into(), SocketAddrUse::TcpConnect);
        }
        compare("connect", reached, expect.allowed)?;
    }
    if let Some(request) = &expect.request {
        let to = Destination::parse(request).map_err(|e| e.to_string())?;
        let gate = gate(&to.host, &expect.resolves, grants);
        let reached = gate.admit(&to).is_ok() && gate.addresses(&to).await.is_ok();
        compare("request", reached, expect.allowed)?;
    }
    Ok(())
}

fn granted(new: NewTarget) -> Vec<Grant> {
    let NewTarget { host, port, location, endpoints, .. } = new;
    Target { generation: 1, host, port, location, endpoints }.grants()
}

fn gate(host: &str, resolves: &[std::net::IpAddr], grants: Vec<Grant>) -> Gate {
    let table = Table::default();
    table.set(host, resolves);
    let gate = Gate::shut(border(&table));
    gate.open(Origin::default(), grants, &Limits { sockets: 8, ..limits() }, Traffic::none());
    gate
}

fn compare(what: &str, reached: bool, want: Option<bool>) -> Outcome {
    let want = want.ok_or("an attempt without allowed")?;
    if reached == want { Ok(()) } else { Err(format!("{what}: reached: {reached}").into()) }
}

#[test]
fn defaults_are_complete() {
    assert!(limits().permits > 0 && limits().sockets == 0 && !limits().warm);
}

/// A cloud's engine: two endpoints, and a region that completes the second.
const ENDPOINTS: &str = r#"
engine = "kv"
world = "issuer"
imports = ["wasi:http/outgoing-handler", "wasi:http/types"]
[[parameter]]
name = "region"
route = "config/root"
fields = ["sts_region", "region"]
grammar = "region"
default = "us-east-1"
[[target]]
route = "config/root"
field = "iam_endpoint"
grammar = "https-url"
plain_http = true
secret_fields = ["secret_key"]
defaults = [
    { when = "region", begins = ["cn-"], urls = ["https://iam.cn-north-1.cloud.example"] },
    { urls = ["https://iam.cloud.example"] },
]
[[target]]
route = "config/root"
field = "sts_endpoint"
grammar = "https-url"
defaults = [{ urls = ["https://sts.{region}.cloud.example", "https://sts.cloud.example"] }]
[[target]]
route = "config/root"
field = "more_endpoints"
grammar = "https-url"
"#;

fn opened(given: Value) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let policy = Policy::parse("kv", ENDPOINTS)?;
    let fields = given.as_object().ok_or("no object")?;
    let target = policy.target("config/root", fields).map_err(|e| e.messages.join("; "))?.ok_or("no target")?;
    assert_eq!(target.secret_fields, ["secret_key"]);
    let first = target.endpoints.first().ok_or("no endpoint")?;
    assert_eq!((&first.grant.host, first.grant.port), (&target.host, target.port));
    Ok(target.endpoints.iter().map(|e| format!("{} {:?}", e.location, e.grant.origin)).collect())
}

#[test]
fn the_policy_completes_what_a_configuration_leaves_out() -> Outcome {
    let usual = [
        "https://iam.cloud.example Policy",
        "https://sts.us-east-1.cloud.example Policy",
        "https://sts.cloud.example Policy",
    ];
    assert_eq!(opened(serde_json::json!({}))?, usual);
    assert_eq!(opened(serde_json::json!({ "region": "", "iam_endpoint": "", "more_endpoints": [] }))?, usual);
    let china = opened(serde_json::json!({ "region": "cn-north-1" }))?;
    assert_eq!(
        china[..2],
        ["https://iam.cn-north-1.cloud.example Policy", "https://sts.cn-north-1.cloud.example Policy"]
    );
    let first = opened(serde_json::json!({ "region": "eu-west-1", "sts_region": "eu-west-2" }))?;
    assert_eq!(first[1], "https://sts.eu-west-2.cloud.example Policy");
    Ok(())
}

#[test]
fn a_configured_endpoint_opens_itself_in_place_of_the_usual_ones() -> Outcome {
    let given = serde_json::json!({
        "iam_endpoint": "http://127.0.0.1:5000", "sts_endpoint": "https://sts.corp",
        "more_endpoints": ["https://a.corp", "https://b.corp:8443"],
    });
    let want = ["http://127.0.0.1:5000", "https://sts.corp", "https://a.corp", "https://b.corp:8443"];
    assert_eq!(opened(given)?, want.map(|url| format!("{url} Derived")));
    Ok(())
}

#[test]
fn endpoints_and_regions_are_held_to_their_grammars() {
    for (given, part) in [
        (serde_json::json!({ "region": "us-east-1.evil.example/" }), "region: is no region"),
        (serde_json::json!({ "region": 1 }), "region: must be a text"),
        (serde_json::json!({ "sts_endpoint": "http://sts.corp" }), "sts_endpoint: must begin with https://"),
        (serde_json::json!({ "sts_endpoint": "https://sts.corp@evil.example" }), "sts_endpoint: has a user"),
        (serde_json::json!({ "iam_endpoint": 1 }), "iam_endpoint: must be a text"),
        (serde_json::json!({ "more_endpoints": ["https://a.corp", 1] }), "more_endpoints: must be a list of texts"),
        (serde_json::json!({ "more_endpoints": vec!["https://a.corp"; 9] }), "more_endpoints: is a list of more"),
    ] {
        let said = opened(given.clone()).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(said.contains(part), "{given}: {said}");
    }
}

#[test]
fn defaults_that_could_never_be_good_are_refused() {
    for (from, to, part) in [
        ("default = \"us-east-1\"", "default = \"home\"", "is no region"),
        ("https://iam.cloud.example", "http://iam.cloud.example", "a default is https"),
        ("https://iam.cloud.example", "https://*.cloud.example", "neither a name nor an address"),
        ("{region}", "{zone}", "placeholder"),
        ("when = \"region\"", "when = \"zone\"", "unknown parameter"),
        ("begins = [\"cn-\"], ", "", "belong together"),
    ] {
        assert!(ENDPOINTS.contains(from), "{from}");
        let said = Policy::parse("kv", &ENDPOINTS.replacen(from, to, 1)).err().map(|e| e.to_string());
        assert!(said.as_ref().is_some_and(|s| s.contains(part)), "{to}: {said:?}");
    }
}
