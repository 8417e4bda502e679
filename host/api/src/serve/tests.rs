//! Whole requests against a stand-in for the vault.

use std::sync::Mutex;
use std::time::Duration;

use axum::body::to_bytes;
use cofferdam_model::{ErrorKind, Operation};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

/// Remembers what it was asked, and answers by the path's first segment.
#[derive(Default)]
struct Fake {
    seen: Mutex<Vec<Request>>,
}

impl Handler for Fake {
    async fn handle(&self, request: Request) -> Result<Response> {
        let answer = match request.path.split('/').next() {
            Some("empty") => Ok(Response::empty()),
            Some("denied") => Err(Error::permission_denied()),
            Some("broken") => Err(Error::internal("the reason")),
            Some("panic") => panic_on_purpose(),
            Some("hang") => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Ok(Response::empty())
            }
            _ => Ok(Response::with_value(&json!({"path": request.path}))),
        };
        self.seen.lock().unwrap().push(request);
        answer
    }
}

fn panic_on_purpose() -> Result<Response> {
    panic!("on purpose")
}

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    fn error(&self) -> &str {
        self.body["errors"][0].as_str().unwrap_or_default()
    }
}

async fn ask(fake: &Arc<Fake>, limits: Limits, request: HttpRequest<Body>) -> Answer {
    let response = router(Arc::clone(fake), limits).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// `headers` as lines `name: value`.
fn http(verb: &str, path: &str, headers: &[&str], body: &str) -> HttpRequest<Body> {
    let mut builder = HttpRequest::builder().method(verb).uri(path);
    for (name, value) in headers.iter().map(|line| line.split_once(": ").unwrap()) {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(body.to_owned())).unwrap()
}

/// What the vault got, if it was asked, and the status of the answer.
async fn received(verb: &str, path: &str, headers: &[&str], body: &str) -> (u16, Option<Request>) {
    let fake = Arc::new(Fake::default());
    let answer = ask(&fake, Limits::default(), http(verb, path, headers, body)).await;
    let seen = fake.seen.lock().unwrap().pop();
    (answer.status, seen)
}

async fn refused(verb: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let fake = Arc::new(Fake::default());
    let answer = ask(&fake, Limits::default(), http(verb, path, headers, body)).await;
    assert!(fake.seen.lock().unwrap().is_empty(), "{verb} {path} reached the vault");
    answer
}

#[tokio::test]
async fn verbs_are_operations() {
    for (verb, path, operation, want) in [
        ("GET", "/v1/a/b", Operation::Read, "a/b"),
        ("GET", "/v1/a/b/", Operation::Read, "a/b/"),
        ("GET", "/v1/a?list=true", Operation::List, "a/"),
        ("GET", "/v1/a/?list=1", Operation::List, "a/"),
        ("GET", "/v1/a?list=false", Operation::Read, "a"),
        ("LIST", "/v1/a", Operation::List, "a/"),
        ("LIST", "/v1/a/", Operation::List, "a/"),
        ("POST", "/v1/a", Operation::Update, "a"),
        ("PUT", "/v1/a", Operation::Update, "a"),
        ("DELETE", "/v1/a", Operation::Delete, "a"),
        ("HEAD", "/v1/a", Operation::Head, "a"),
        ("HELP", "/v1/a", Operation::Help, "a"),
        ("POST", "/v1/a?help=1", Operation::Help, "a"),
    ] {
        let (_, request) = received(verb, path, &[], "").await;
        let request = request.unwrap();
        assert_eq!((request.operation, request.path.as_str()), (operation, want), "{verb} {path}");
    }
    for verb in ["OPTIONS", "FETCH", "SCAN", "TRACE", "get"] {
        let answer = refused(verb, "/v1/a", &[], "").await;
        assert_eq!((answer.status, &answer.body), (405, &json!({"errors": []})), "{verb}");
    }
}

#[tokio::test]
async fn reads_take_the_query_and_writes_the_body() {
    let (_, request) = received("GET", "/v1/a?list=false&x=1&x=2&help=", &[], "").await;
    assert_eq!(Value::Object(request.unwrap().data), json!({"x": ["1", "2"]}));
    let (_, request) = received("POST", "/v1/a?x=1", &[], r#"{"w": 1}"#).await;
    let request = request.unwrap();
    assert!(request.has_body);
    assert_eq!(Value::Object(request.data), json!({"w": 1}));
    let (_, request) = received("POST", "/v1/a", &[], "").await;
    assert!(!request.unwrap().has_body);
    let (_, request) = received("DELETE", "/v1/a?versions=1", &[], r#"{"w": 1}"#).await;
    assert_eq!(Value::Object(request.unwrap().data), json!({"versions": "1"}));
}

#[tokio::test]
async fn forms_are_told_by_their_first_byte() {
    let form = "Content-Type: application/x-www-form-urlencoded";
    let (_, request) = received("POST", "/v1/a", &[form], r#" {"a": 1}"#).await;
    assert_eq!(Value::Object(request.unwrap().data), json!({"a": 1}));
    let (_, request) = received("POST", "/v1/a", &[form], "a=1&a=2").await;
    assert_eq!(Value::Object(request.unwrap().data), json!({"a": "1,2"}));
    assert_eq!(refused("POST", "/v1/a", &[form], "[1]").await.status, 400);
}

#[tokio::test]
async fn bodies_are_objects_within_the_limit() {
    for body in [r#"{"v": "#, r#"["v"]"#, r#""v""#] {
        let answer = refused("POST", "/v1/a", &[], body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.error().is_empty(), "{body}");
    }
    let fake = Arc::new(Fake::default());
    let limits = Limits { body: Some(16), ..Limits::default() };
    let large = format!(r#"{{"v":"{}"}}"#, "x".repeat(16));
    let answer = ask(&fake, limits.clone(), http("POST", "/v1/a", &[], &large)).await;
    assert_eq!(answer.status, 413);
    let declared = http("POST", "/v1/a", &["Content-Length: 17"], "{}");
    assert_eq!(ask(&fake, limits.clone(), declared).await.status, 413);
    assert_eq!(ask(&fake, limits, http("POST", "/v1/a", &[], "{}")).await.status, 200);
}

#[tokio::test]
async fn tokens_come_in_two_headers() {
    let token = async |headers: &[&str]| received("GET", "/v1/a", headers, "").await.1.unwrap().token;
    let some = |text: &str| Some(cofferdam_model::SecretText::new(text));
    assert_eq!(token(&["X-Vault-Token: a"]).await, some("a"));
    assert_eq!(token(&["Authorization: Bearer b"]).await, some("b"));
    assert_eq!(token(&["X-Vault-Token: a", "Authorization: Bearer b"]).await, some("a"));
    assert_eq!(token(&["Authorization: Basic x", "Authorization: Bearer b"]).await, some("b"));
    for none in ["Authorization: bearer b", "Authorization: Basic b", "X-Vault-Token: ", "Authorization: Bearer "] {
        assert_eq!(token(&[none]).await, None, "{none}");
    }
}

#[tokio::test]
async fn wrapping_is_asked_for_in_durations() {
    let ttl = async |value: &str| {
        received("GET", "/v1/a", &[&format!("X-Vault-Wrap-TTL: {value}")], "").await.1.unwrap().wrap_ttl
    };
    assert_eq!(ttl("60").await, Some(60));
    assert_eq!(ttl("2m").await, Some(120));
    assert_eq!(ttl("0").await, None);
    for bad in ["-5", "soon", "1.5d"] {
        let answer = refused("GET", "/v1/a", &[&format!("X-Vault-Wrap-TTL: {bad}")], "").await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.error().starts_with("X-Vault-Wrap-TTL: "), "{bad}");
    }
    let jwt = ["X-Vault-Wrap-TTL: 60", "X-Vault-Wrap-Format: jwt"];
    assert_eq!(refused("GET", "/v1/a", &jwt, "").await.status, 400);
}

#[tokio::test]
async fn patches_say_what_kind_they_are() {
    let (_, request) =
        received("PATCH", "/v1/a", &["Content-Type: application/merge-patch+json; charset=utf-8"], "{}").await;
    assert_eq!(request.unwrap().operation, Operation::Patch);
    assert_eq!(refused("PATCH", "/v1/a", &["Content-Type: application/json"], "{}").await.status, 415);
    assert_eq!(refused("PATCH", "/v1/a", &["Content-Type: nonsense"], "{}").await.status, 400);
    assert_eq!(refused("PATCH", "/v1/a", &[], "{}").await.status, 400);
}

#[tokio::test]
async fn paths_that_do_not_say_what_they_mean_are_not_served() {
    let answer = refused("GET", "/v1/a/../sys/mounts?x=1", &[], "").await;
    assert_eq!((answer.status, answer.header("location")), (307, "/v1/sys/mounts?x=1"));
    let answer = refused("GET", "//evil.example/v1//a", &[], "").await;
    assert_eq!((answer.status, answer.header("location")), (307, "/evil.example/v1/a"));
    let answer = refused("GET", "/v1/a/%2e%2e/sys/mounts", &[], "").await;
    assert_eq!((answer.status, answer.error()), (400, "relative paths not supported"));
    let answer = refused("POST", "/v1/a%07", &[], "{}").await;
    assert_eq!((answer.status, &answer.body), (400, &Value::Null));
    for verb in ["POST", "PUT"] {
        let answer = refused(verb, "/v1/a/", &[], "{}").await;
        assert_eq!((answer.status, answer.error()), (400, "cannot write to a path ending in '/'"));
    }
    for path in ["/", "/ui/", "/v1", "/v2/a", "/metrics"] {
        let answer = refused("GET", path, &[], "").await;
        assert_eq!((answer.status, &answer.body), (404, &json!({"errors": []})), "{path}");
    }
    assert_eq!(refused("GET", "/v1/a?list=perhaps", &[], "").await.status, 400);
}

#[tokio::test]
async fn only_the_root_namespace_exists() {
    for root in ["X-Vault-Namespace: root", "X-Vault-Namespace: ", "X-Vault-Namespace: /root/"] {
        assert_eq!(received("GET", "/v1/a", &[root], "").await.0, 200, "{root}");
    }
    let answer = refused("GET", "/v1/a", &["X-Vault-Namespace: team/a"], "").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("x-vault-namespace"), "team/a");
    assert!(answer.error().contains("root namespace"));
}

#[tokio::test]
async fn every_answer_has_the_same_headers() {
    let fake = Arc::new(Fake::default());
    for (verb, path, status) in [
        ("GET", "/v1/a", 200),
        ("POST", "/v1/empty", 204),
        ("GET", "/v1/empty", 404),
        ("GET", "/v1/denied", 403),
        ("OPTIONS", "/v1/a", 405),
        ("GET", "/nowhere", 404),
        ("POST", "/v1/a%07", 400),
        ("GET", "/v1//a", 307),
    ] {
        let answer = ask(&fake, Limits::default(), http(verb, path, &[], "")).await;
        assert_eq!(answer.status, status, "{verb} {path}");
        assert_eq!(answer.header("content-type"), "application/json", "{verb} {path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{verb} {path}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000; includeSubDomains");
    }
}

#[tokio::test]
async fn a_failure_stays_with_its_request() {
    let fake = Arc::new(Fake::default());
    let answer = ask(&fake, Limits::default(), http("GET", "/v1/broken", &[], "")).await;
    assert_eq!((answer.status, &answer.body), (500, &json!({"errors": ["internal error"]})));
    let answer = ask(&fake, Limits::default(), http("GET", "/v1/panic", &[], "")).await;
    assert_eq!((answer.status, answer.error()), (500, "internal error"));
}

#[tokio::test(start_paused = true)]
async fn a_request_has_an_end() {
    let fake = Arc::new(Fake::default());
    let answer = ask(&fake, Limits::default(), http("GET", "/v1/hang", &[], "")).await;
    assert_eq!((answer.status, answer.error()), (503, "the request took longer than 90 s"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_changes_nothing() {
    let fake = Arc::new(Fake::default());
    let limits = Limits { duration: Duration::from_secs(7200), ..Limits::default() };
    let asked = router(Arc::clone(&fake), limits).oneshot(http("POST", "/v1/hang", &[], "{}"));
    assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err());
    assert!(fake.seen.lock().unwrap().is_empty());
    tokio::time::sleep(Duration::from_secs(3601)).await;
    assert_eq!(fake.seen.lock().unwrap().len(), 1, "the work was finished after its client had gone");
}

#[tokio::test]
async fn errors_keep_their_data() {
    struct Odd;
    impl Handler for Odd {
        async fn handle(&self, _: Request) -> Result<Response> {
            Err(Error { data: Some(json!({"why": 1})), ..Error::new(ErrorKind::Invalid, "no") })
        }
    }
    let response = router(Arc::new(Odd), Limits::default()).oneshot(http("GET", "/v1/a", &[], "")).await.unwrap();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(body, json!({"errors": ["no"], "data": {"why": 1}}));
}
