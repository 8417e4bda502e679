//! From an answer of the vault to the envelope that Vault's clients read.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderMap, Response as HttpResponse, StatusCode};
use cofferdam_model::{AuthInfo, LeaseInfo, Operation, Response, WrapInfo};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error;

/// Every key is always there, null or empty where unused.
#[derive(Serialize)]
struct Envelope<'a> {
    request_id: &'a str,
    lease_id: &'a str,
    renewable: bool,
    lease_duration: u64,
    data: Option<&'a RawValue>,
    wrap_info: Option<Wrap<'a>>,
    warnings: Option<&'a [String]>,
    auth: Option<Auth<'a>>,
    mount_type: &'a str,
    /// Only where a credential was made ahead: then peers' answers have nothing to compare it with.
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_at: Option<String>,
}

/// The envelope of old `sys` endpoints: the keys of `data` once more beside it.
#[derive(Serialize)]
struct Legacy<'a> {
    #[serde(flatten)]
    copied: BTreeMap<String, &'a RawValue>,
    #[serde(flatten)]
    envelope: Envelope<'a>,
}

#[derive(Serialize)]
struct Auth<'a> {
    client_token: &'a str,
    accessor: &'a str,
    policies: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    token_policies: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    identity_policies: &'a [String],
    metadata: Option<&'a BTreeMap<String, String>>,
    lease_duration: u64,
    renewable: bool,
    entity_id: &'a str,
    token_type: &'a str,
    orphan: bool,
    mfa_requirement: (),
    num_uses: u64,
}

#[derive(Serialize)]
struct Wrap<'a> {
    token: &'a str,
    accessor: &'a str,
    ttl: u64,
    creation_time: String,
    creation_path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrapped_accessor: Option<&'a str>,
}

/// The HTTP answer to the request `id`.
pub(crate) fn answer(response: &Response, operation: Operation, id: &str) -> HttpResponse<Body> {
    let status = response.status.and_then(|s| StatusCode::from_u16(s).ok());
    if let Some(raw) = &response.raw {
        let mut answer = text(status.unwrap_or(StatusCode::OK), raw.text.clone());
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(raw.media_type));
        return answer;
    }
    if status == Some(StatusCode::NO_CONTENT) {
        return bare(StatusCode::NO_CONTENT);
    }
    if response.is_empty() {
        return match status {
            Some(status) if status.is_client_error() || status.is_server_error() => error::silent(status),
            Some(status) => bare(status),
            None if operation.is_write() => bare(StatusCode::NO_CONTENT),
            None => error::silent(StatusCode::NOT_FOUND),
        };
    }
    let status = status.unwrap_or(StatusCode::OK);
    if response.bare {
        let data = response.data.as_ref().map_or("{}", |d| d.get());
        return text(status, format!("{data}\n"));
    }
    if let Some(wrap) = &response.wrap_info {
        return json(status, &wrapped(wrap));
    }
    let envelope = envelope(response, id);
    match copied(response) {
        Some(copied) => json(status, &Legacy { copied, envelope }),
        None => json(status, &envelope),
    }
}

fn envelope<'a>(response: &'a Response, id: &'a str) -> Envelope<'a> {
    let LeaseInfo { id: lease_id, duration, renewable } = &response.lease;
    Envelope {
        request_id: id,
        lease_id,
        renewable: *renewable,
        lease_duration: *duration,
        data: response.data.as_deref(),
        wrap_info: None,
        warnings: (!response.warnings.is_empty()).then_some(response.warnings.as_slice()),
        auth: response.auth.as_deref().map(auth),
        mount_type: response.mount_type.as_deref().unwrap_or_default(),
        ready_at: response.ready_at.map(|at| at.rfc3339()),
    }
}

/// A wrapped answer shows where it is, and nothing of itself.
fn wrapped(wrap: &WrapInfo) -> Envelope<'_> {
    Envelope {
        request_id: "",
        lease_id: "",
        renewable: false,
        lease_duration: 0,
        data: None,
        wrap_info: Some(Wrap {
            token: wrap.token.expose(),
            accessor: &wrap.accessor,
            ttl: wrap.ttl,
            creation_time: wrap.creation_time.rfc3339(),
            creation_path: &wrap.creation_path,
            wrapped_accessor: wrap.wrapped_accessor.as_deref(),
        }),
        warnings: None,
        auth: None,
        mount_type: "",
        ready_at: None,
    }
}

fn auth(auth: &AuthInfo) -> Auth<'_> {
    Auth {
        client_token: auth.client_token.expose(),
        accessor: &auth.accessor,
        policies: &auth.policies,
        token_policies: &auth.token_policies,
        identity_policies: &auth.identity_policies,
        metadata: auth.metadata.as_ref(),
        lease_duration: auth.lease_duration,
        renewable: auth.renewable,
        entity_id: &auth.entity_id,
        token_type: &auth.token_type,
        orphan: auth.orphan,
        mfa_requirement: (),
        num_uses: auth.num_uses,
    }
}

/// The keys of `data` for the top level, where the endpoint has that; the envelope's own names stay its own.
fn copied(response: &Response) -> Option<BTreeMap<String, &RawValue>> {
    const OWN: [&str; 10] = [
        "request_id",
        "lease_id",
        "renewable",
        "lease_duration",
        "data",
        "wrap_info",
        "warnings",
        "auth",
        "mount_type",
        "ready_at",
    ];
    if !response.copy_to_top {
        return None;
    }
    let mut copied: BTreeMap<String, &RawValue> = serde_json::from_str(response.data.as_ref()?.get()).ok()?;
    copied.retain(|key, _| !OWN.contains(&key.as_str()));
    Some(copied)
}

/// An answer without a body; it names a content type all the same, as the peers do.
pub(crate) fn bare(status: StatusCode) -> HttpResponse<Body> {
    build(status, Body::empty())
}

/// An answer with this JSON, and a newline after it.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> HttpResponse<Body> {
    let mut out = Vec::with_capacity(512);
    if let Err(error) = serde_json::to_writer(&mut out, value) {
        tracing::error!("an answer could not be written as JSON: {error}");
        return bare(StatusCode::INTERNAL_SERVER_ERROR);
    }
    out.push(b'\n');
    build(status, Body::from(out))
}

fn text(status: StatusCode, text: String) -> HttpResponse<Body> {
    build(status, Body::from(text))
}

fn build(status: StatusCode, body: Body) -> HttpResponse<Body> {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    fixed_headers(response.headers_mut());
    response
}

/// The headers of every answer.
fn fixed_headers(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
}

#[cfg(test)]
mod tests;
