//! THE status table: what each kind of error is in HTTP, and the body that says so.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use cofferdam_model::{Error, ErrorKind};
use serde::Serialize;
use serde_json::Value;

use crate::response::json;

/// The status of each kind. No other place decides one.
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound | ErrorKind::UnsupportedPath => StatusCode::NOT_FOUND,
        ErrorKind::UnsupportedOperation => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Sealed | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Backend | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        other => {
            tracing::error!(kind = ?other, "an error kind without a status");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    errors: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// The answer for an error of the request `id`. What the client must not see goes to the log.
pub(crate) fn answer(error: &Error, id: &str) -> Response<Body> {
    let status = status(error.kind);
    match &error.log {
        Some(log) => tracing::error!(request = id, kind = ?error.kind, "{log}"),
        None if status == StatusCode::INTERNAL_SERVER_ERROR => {
            tracing::warn!(request = id, kind = ?error.kind, "{}", error.messages.join("; "));
        }
        None => tracing::debug!(request = id, kind = ?error.kind, "{}", error.messages.join("; ")),
    }
    json(status, &ErrorBody { errors: &error.messages, data: error.data.as_ref() })
}

/// An answer with this status and an empty list of errors.
pub(crate) fn silent(status: StatusCode) -> Response<Body> {
    json(status, &ErrorBody { errors: &[], data: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_status_that_clients_expect() {
        for (kind, want) in [
            (ErrorKind::Invalid, 400),
            (ErrorKind::Denied, 403),
            (ErrorKind::NotFound, 404),
            (ErrorKind::UnsupportedPath, 404),
            (ErrorKind::UnsupportedOperation, 405),
            (ErrorKind::TooLarge, 413),
            (ErrorKind::UnsupportedMedia, 415),
            (ErrorKind::Throttled, 429),
            (ErrorKind::Backend, 500),
            (ErrorKind::Internal, 500),
            (ErrorKind::Sealed, 503),
            (ErrorKind::Unavailable, 503),
        ] {
            assert_eq!(status(kind).as_u16(), want, "{kind:?}");
        }
    }
}
