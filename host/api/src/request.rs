//! From an HTTP request to one of the vault's.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use cofferdam_model::{Error, ErrorKind, Operation, Request, Result, SecretText, duration, json};

use crate::path::{self, Path};
use crate::query::{self, Query};
use crate::{Limits, body};

const TOKEN: &str = "x-vault-token";
const WRAP_TTL: &str = "x-vault-wrap-ttl";
const WRAP_FORMAT: &str = "x-vault-wrap-format";
/// Names a namespace; echoed.
pub(crate) const NAMESPACE: &str = "x-vault-namespace";

/// A request that goes no further.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// This status and an empty list of errors.
    Silent(StatusCode),
    /// This status without a body.
    Bare(StatusCode),
    /// Ask there.
    Redirect(String),
    /// As any other error.
    Error(Box<Error>),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

/// Everything that decides what is asked; `id` is the request's.
pub(crate) async fn read(
    id: String,
    parts: &Parts,
    body: &mut Body,
    remote: Option<IpAddr>,
    limits: &Limits,
) -> Result<Request, Refusal> {
    let path = match path::read(parts.uri.path(), limits.printable_paths) {
        Path::Serve(path) => path,
        Path::Redirect(to) => return Err(Refusal::Redirect(with_query(to, parts.uri.query()))),
        Path::Outside => return Err(Refusal::Silent(StatusCode::NOT_FOUND)),
        Path::Relative => return Err(Error::invalid("relative paths not supported").into()),
        Path::Unprintable => return Err(Refusal::Bare(StatusCode::BAD_REQUEST)),
    };
    let query = query::read(parts.uri.query());
    let operation = operation(&parts.method, &query)?;
    refuse_namespaces(&parts.headers)?;

    let mut request = Request {
        id,
        operation,
        path,
        token: token(&parts.headers),
        data: serde_json::Map::new(),
        has_body: false,
        wrap_ttl: wrap_ttl(&parts.headers)?,
        remote_address: remote.map(|ip| ip.to_canonical().to_string()),
        open_metrics: limits.open_metrics,
        wants_metrics_text: wants_metrics_text(&parts.headers),
    };
    match operation {
        Operation::Create | Operation::Update | Operation::Patch => {
            if request.path.ends_with('/') {
                return Err(Error::invalid("cannot write to a path ending in '/'").into());
            }
            if operation == Operation::Patch {
                check_patch(&parts.headers)?;
            }
            let fields = tokio::time::timeout(limits.duration, body::read(&parts.headers, body, limits))
                .await
                .map_err(|_| Error::invalid("the request body took too long to arrive"))??;
            request.data = fields.data;
            request.has_body = fields.present;
        }
        Operation::List => {
            if !request.path.is_empty() && !request.path.ends_with('/') {
                request.path.push('/');
            }
            request.data = query.data;
        }
        Operation::Read | Operation::Delete | Operation::Head | Operation::Help => request.data = query.data,
    }
    // Queries and forms can say such a name too, and end as JSON.
    if request.data.keys().any(|name| json::is_reserved(name)) {
        return Err(Error::invalid("the name of a parameter is reserved").into());
    }
    Ok(request)
}

/// What a verb asks for. `help` wins over every verb of the API, `list=true` over GET.
fn operation(method: &Method, query: &Query) -> Result<Operation, Refusal> {
    let by_verb = match method.as_str() {
        "GET" => match query.list.as_deref().map(query::strict_bool) {
            None | Some(Some(false)) => Operation::Read,
            Some(Some(true)) => Operation::List,
            Some(None) => return Err(Refusal::Silent(StatusCode::BAD_REQUEST)),
        },
        "LIST" => Operation::List,
        "POST" | "PUT" => Operation::Update,
        "PATCH" => Operation::Patch,
        "DELETE" => Operation::Delete,
        "HEAD" => Operation::Head,
        "HELP" => Operation::Help,
        _ => return Err(Refusal::Silent(StatusCode::METHOD_NOT_ALLOWED)),
    };
    Ok(if query.help { Operation::Help } else { by_verb })
}

/// What scrapers of metrics say.
fn wants_metrics_text(headers: &HeaderMap) -> bool {
    const TYPES: [&str; 2] = ["prometheus/telemetry", "application/openmetrics-text"];
    let accepted = headers.get(ACCEPT).and_then(|v| v.to_str().ok());
    accepted.is_some_and(|accepted| TYPES.iter().any(|media| accepted.contains(media)))
}

/// `X-Vault-Token`, else `Authorization: Bearer `; other schemes are not for us.
fn token(headers: &HeaderMap) -> Option<SecretText> {
    // A token that is no text cannot be right, but it is a token: the answer is that of a bad one.
    let text = |v: &HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    if let Some(token) = headers.get(TOKEN).filter(|v| !v.is_empty()) {
        return Some(SecretText::new(text(token)));
    }
    headers.get_all(AUTHORIZATION).iter().find_map(|value| {
        let token = value.as_bytes().strip_prefix(b"Bearer ")?.trim_ascii();
        (!token.is_empty()).then(|| SecretText::new(String::from_utf8_lossy(token)))
    })
}

fn wrap_ttl(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get(WRAP_TTL) else { return Ok(None) };
    let seconds = value
        .to_str()
        .map_err(|_| "it is no text".to_owned())
        .and_then(duration::parse_text)
        .and_then(|s| u64::try_from(s).map_err(|_| "it is negative".to_owned()))
        .map_err(|why| Error::invalid(format!("X-Vault-Wrap-TTL: {why}")))?;
    if seconds == 0 {
        return Ok(None);
    }
    if headers.get(WRAP_FORMAT).is_some_and(|f| f.as_bytes().eq_ignore_ascii_case(b"jwt")) {
        return Err(Error::invalid("X-Vault-Wrap-Format: this server has no JWT wrapping tokens"));
    }
    Ok(Some(seconds))
}

fn refuse_namespaces(headers: &HeaderMap) -> Result<()> {
    let Some(value) = headers.get(NAMESPACE) else { return Ok(()) };
    let name = String::from_utf8_lossy(value.as_bytes());
    let name = name.trim_matches('/');
    if name.is_empty() || name == "root" {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::UnsupportedPath,
        format!("no namespace {name:?}: this server has only the root namespace"),
    ))
}

/// A patch says which kind of patch it is; there is one.
fn check_patch(headers: &HeaderMap) -> Result<()> {
    match body::media_type(headers) {
        Some(media) if media.eq_ignore_ascii_case("application/merge-patch+json") => Ok(()),
        Some(media) => Err(Error::new(
            ErrorKind::UnsupportedMedia,
            format!("PATCH requires Content-Type of application/merge-patch+json, provided {media}"),
        )),
        None => Err(Error::invalid("PATCH requires Content-Type of application/merge-patch+json")),
    }
}

fn with_query(mut path: String, query: Option<&str>) -> String {
    if let Some(query) = query {
        path.push('?');
        path.push_str(query);
    }
    path
}
