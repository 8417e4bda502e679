//! What nobody read of a request's body: it stands in the way of the connection's next request.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Version};
use http_body_util::{BodyExt as _, Limited};

/// What is read for no other reason than to keep a connection: about what a new one costs.
const BYTES: usize = 256 * 1024;
const TIME: Duration = Duration::from_secs(2);

/// Reads what is left of a small body. Whether the connection can take another request.
pub(crate) async fn take(parts: &Parts, body: &mut Body) -> bool {
    if body.is_end_stream() {
        return true;
    }
    // Such a client waits to be told whether it should send the body at all.
    if parts.headers.contains_key(EXPECT) || body.size_hint().lower() > BYTES as u64 {
        return false;
    }
    tokio::time::timeout(TIME, to_end(body)).await.unwrap_or(false)
}

async fn to_end(body: &mut Body) -> bool {
    let mut body = Limited::new(body, BYTES);
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return false;
        }
    }
    true
}

/// Says that no other request should follow on this connection. Later versions of HTTP end one request, and need not
/// say so.
pub(crate) fn close(version: Version, headers: &mut HeaderMap) {
    if version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}
