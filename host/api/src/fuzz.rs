//! Fuzz targets: what clients send, and the envelope in which they are answered.

use std::slice;
use std::sync::LazyLock;

use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request as HttpRequest};
use cofferdam_model::{LeaseInfo, Operation, Request, Response, Timestamp, json};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};
use url::form_urlencoded;

use crate::path::{self, Path};
use crate::request::{self, Refusal};
use crate::{Limits, body, query, response};

const ID: &str = "the-id";
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

/// What is served is in its shortest form, and stays what it is; a redirect leads to a path that is not redirected.
fn paths(input: &[u8]) {
    let raw = String::from_utf8_lossy(input);
    for printable_only in [false, true] {
        match path::read(&raw, printable_only) {
            Path::Serve(served) => {
                let whole = served.strip_suffix('/').unwrap_or(&served);
                assert!(
                    served.is_empty() || !whole.split('/').any(|s| matches!(s, "" | "." | "..")),
                    "{raw:?} → {served:?}"
                );
                if !served.contains('%') {
                    assert_eq!(path::read(&format!("/v1/{served}"), printable_only), Path::Serve(served), "{raw:?}");
                }
            }
            Path::Redirect(to) => {
                assert!(to.starts_with('/') && !to.starts_with("//"), "{raw:?} → {to:?}");
                assert!(!matches!(path::read(&to, printable_only), Path::Redirect(_)), "{raw:?} → {to:?}");
            }
            Path::Outside | Path::Relative | Path::Unprintable => {}
        }
    }
}

/// A body is what a JSON reader without limits makes of it, or is refused.
fn bodies(input: &[u8]) {
    const MOST: usize = 1_000;
    match body::json(input, MOST) {
        Ok(read) => {
            let wanted: Value = serde_json::from_slice(input).expect("what was read is JSON");
            assert!(wanted.is_null() && read.is_empty() || wanted == Value::Object(read));
            assert!(count(&wanted) <= MOST);
        }
        Err(error) => assert!(error.messages.iter().all(|m| !m.contains(|c: char| c.is_control())), "{error:?}"),
    }
    if let Ok(form) = body::form(input, MOST) {
        assert!(form.len() <= MOST && form.values().all(Value::is_string));
    }
}

/// The values of a JSON text; repeated names count once here, so this is a lower bound.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// Every pair of a query counts, in its order, as data or as one of the two reserved words.
fn queries(input: &[u8]) {
    let raw = String::from_utf8_lossy(input);
    let pairs: Vec<_> = form_urlencoded::parse(raw.as_bytes()).collect();
    let said = |name: &str| pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_ref()).collect::<Vec<_>>();
    let read = query::read(Some(&raw));
    let mut count = said("list").len() + said("help").len();
    for (name, value) in &read.data {
        let values = value.as_array().map_or(slice::from_ref(value), Vec::as_slice);
        let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        assert_eq!(texts, said(name), "{name:?} in {raw:?}");
        assert!(!matches!(name.as_str(), "list" | "help"), "{raw:?}");
        count += texts.len();
    }
    assert_eq!(count, pairs.len(), "{raw:?}");
    assert_eq!(read.list.as_deref(), said("list").into_iter().find(|v| !v.is_empty()), "{raw:?}");
    assert_eq!(read.help, said("help").iter().any(|v| !v.is_empty()), "{raw:?}");
}

/// A whole request: what it comes to is what its verb, its path and its headers say.
fn requests(input: &[u8]) {
    let Some(http) = http(input) else { return };
    let (parts, mut body) = http.into_parts();
    let limits = Limits::default();
    match RUNTIME.block_on(request::read(ID.to_owned(), &parts, &mut body, None, &limits)) {
        Ok(read) => is_as_asked(&read, &parts),
        Err(Refusal::Redirect(to)) => {
            assert!(to.starts_with('/') && !to.starts_with("//") && !to.contains(char::is_control), "{to:?}");
        }
        // Of the controls, a header may hold a tab.
        Err(Refusal::Error(error)) => {
            assert!(error.messages.iter().all(|m| !m.contains(|c: char| c.is_control() && c != '\t')), "{error:?}");
        }
        Err(Refusal::Silent(status) | Refusal::Bare(status)) => assert!(status.is_client_error()),
    }
}

/// A line with verb and target, a line for each header, an empty one, and the body.
fn http(input: &[u8]) -> Option<HttpRequest<Body>> {
    let (head, body) = halves(input, b"\n\n").unwrap_or((input, &[]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let (verb, target) = halves(lines.next()?, b" ")?;
    let mut request = HttpRequest::builder().method(verb).uri(target);
    for line in lines {
        let (name, value) = halves(line, b": ")?;
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_vec())).ok()
}

fn halves<'a>(bytes: &'a [u8], between: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(between.len()).position(|part| part == between)?;
    Some((&bytes[..at], &bytes[at + between.len()..]))
}

fn is_as_asked(read: &Request, parts: &Parts) {
    use Operation::{Delete, Head, Help, List, Patch, Read, Update};
    let text = |v: &HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let header = |name: &str| parts.headers.get(name).map(text).unwrap_or_default();

    let bearers = parts.headers.get_all("authorization").iter().map(text);
    let mut bearers = bearers.filter_map(|v| Some(v.strip_prefix("Bearer ")?.trim_ascii().to_owned()));
    let wanted = Some(header("x-vault-token")).filter(|t| !t.is_empty()).or_else(|| bearers.find(|t| !t.is_empty()));
    assert_eq!(read.token.as_ref().map(|token| token.expose()), wanted.as_deref(), "{parts:?}");
    assert!(matches!(header("x-vault-namespace").trim_matches('/'), "" | "root"), "{parts:?}");
    assert!(read.wrap_ttl.is_none_or(|ttl| ttl > 0 && !header("x-vault-wrap-ttl").is_empty()), "{parts:?}");

    let by_verb: &[Operation] = match parts.method.as_str() {
        "GET" => &[Read, List],
        "LIST" => &[List],
        "POST" | "PUT" => &[Update],
        "PATCH" => &[Patch],
        "DELETE" => &[Delete],
        "HEAD" => &[Head],
        _ => &[],
    };
    assert!(read.operation == Help || by_verb.contains(&read.operation), "{:?} of {parts:?}", read.operation);
    let writes = matches!(read.operation, Update | Patch);
    match read.operation {
        List => assert!(read.path.is_empty() || read.path.ends_with('/')),
        Patch => assert!(header("content-type").to_ascii_lowercase().contains("application/merge-patch+json")),
        _ => {}
    }
    assert!(!(writes && read.path.ends_with('/')), "{parts:?}");
    assert!(writes || !read.has_body);
    assert!(!read.data.keys().any(|name| json::is_reserved(name)), "{:?}", read.data);
}

/// The envelope's own members. A reader made by this refuses the same one twice.
#[derive(Deserialize)]
struct Envelope {
    request_id: String,
    lease_id: String,
    renewable: bool,
    lease_duration: u64,
    data: Option<Value>,
    wrap_info: Option<Value>,
    warnings: Option<Vec<String>>,
    auth: Option<Value>,
    mount_type: String,
    ready_at: Option<String>,
}

/// Whatever an engine says, the envelope's own members are ours, and what it said is its `data`. The lines: a status;
/// words for the flags; the lease; the data; and warnings.
fn responses(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut lines = input.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (status, flags, lease, data) = (next(), next(), next(), next());
    let is = |word: &str| flags.contains(word);
    // Deeper data never come from engines, and no reader here would take their envelope.
    let readable = serde_json::from_str::<Value>(&format!("[{data}]")).is_ok();
    let data = Some(data.trim()).filter(|_| readable).and_then(|data| RawValue::from_string(data.to_owned()).ok());
    let value: Option<Value> = data.as_ref().and_then(|data| serde_json::from_str(data.get()).ok());
    let said = Response {
        data,
        warnings: lines.map(str::to_owned).collect(),
        lease: LeaseInfo { id: lease.to_owned(), duration: 60, renewable: true },
        ready_at: is("ready").then(|| Timestamp::from_seconds(0)),
        status: status.parse().ok(),
        bare: is("bare"),
        copy_to_top: is("copy"),
        mount_type: Some(lease.to_owned()),
        ..Response::default()
    };
    let answer = response::answer(&said, if is("write") { Operation::Update } else { Operation::Read }, ID);
    let status = answer.status();
    assert!(said.status.is_none_or(|wanted| status == wanted || !(100..1_000).contains(&wanted)), "{status}");
    let shown = RUNTIME.block_on(to_bytes(answer.into_body(), usize::MAX)).unwrap();
    if status == 204 || said.is_empty() {
        assert!(shown.is_empty() || shown == "{\"errors\":[]}\n", "{shown:?}");
        return;
    }
    assert_eq!(shown.iter().filter(|byte| **byte == b'\n').count(), 1, "one line: {shown:?}");
    let whole: Value = serde_json::from_slice(&shown).unwrap_or_else(|e| panic!("{e}: {shown:?}"));
    if said.bare {
        assert_eq!(whole, value.unwrap_or_else(|| Value::Object(serde_json::Map::new())));
        return;
    }
    let envelope: Envelope = serde_json::from_slice(&shown).unwrap_or_else(|e| panic!("{e}: {shown:?}"));
    assert_eq!((envelope.request_id.as_str(), envelope.lease_id.as_str()), (ID, lease));
    assert_eq!((envelope.lease_duration, envelope.renewable, envelope.mount_type.as_str()), (60, true, lease));
    assert_eq!(envelope.warnings.unwrap_or_default(), said.warnings);
    assert_eq!((envelope.auth, envelope.wrap_info), (None, None), "{shown:?}");
    assert_eq!(envelope.ready_at.is_some(), said.ready_at.is_some(), "{shown:?}");
    assert_eq!(envelope.data, value.filter(|value| !value.is_null()), "{shown:?}");
}

#[test]
fn paths_hold() {
    cofferdam_fuzz::run("path", paths);
}

#[test]
fn bodies_hold() {
    cofferdam_fuzz::run("json", bodies);
}

#[test]
fn queries_hold() {
    cofferdam_fuzz::run("query", queries);
}

#[test]
fn requests_hold() {
    cofferdam_fuzz::run("request", requests);
}

#[test]
fn responses_hold() {
    cofferdam_fuzz::run("response", responses);
}
