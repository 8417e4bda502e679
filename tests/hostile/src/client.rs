//! Requests as WASI has them, for engines that attack.

use serde_json::{Value, json};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, FutureIncomingResponse, IncomingResponse, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::streams::StreamError;

/// Longer than any limit of the host.
const PATIENCE: u64 = 3_600_000_000_000;

/// Where a request goes.
pub(crate) struct To {
    pub(crate) scheme: String,
    pub(crate) authority: String,
    pub(crate) path: String,
}

pub(crate) fn get(to: &To) -> Result<Value, String> {
    let answer = finish(send(to, &[])?)?;
    let status = answer.status();
    Ok(json!({ "done": true, "what": status, "bytes": read(&answer)? }))
}

pub(crate) fn send(to: &To, headers: &[(String, Vec<u8>)]) -> Result<FutureIncomingResponse, String> {
    sent(prepared(to, Fields::from_list(headers).map_err(|e| format!("{e:?}"))?)?)
}

pub(crate) fn prepared(to: &To, headers: Fields) -> Result<OutgoingRequest, String> {
    let request = OutgoingRequest::new(headers);
    let scheme = match to.scheme.as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
    request.set_authority(Some(&to.authority)).map_err(|()| "authority")?;
    request.set_path_with_query(Some(&to.path)).map_err(|()| "path")?;
    Ok(request)
}

pub(crate) fn sent(request: OutgoingRequest) -> Result<FutureIncomingResponse, String> {
    let options = RequestOptions::new();
    for set in [
        RequestOptions::set_connect_timeout,
        RequestOptions::set_first_byte_timeout,
        RequestOptions::set_between_bytes_timeout,
    ] {
        set(&options, Some(PATIENCE)).map_err(|()| "time-out")?;
    }
    handle(request, Some(options)).map_err(|e| format!("{e:?}"))
}

pub(crate) fn finish(pending: FutureIncomingResponse) -> Result<IncomingResponse, String> {
    pending.subscribe().block();
    let answer = pending.get().ok_or("nothing")?.map_err(|()| "taken")?;
    answer.map_err(|e| format!("{e:?}"))
}

pub(crate) fn read(answer: &IncomingResponse) -> Result<u64, String> {
    let body = answer.consume().map_err(|()| "consumed")?;
    let stream = body.stream().map_err(|()| "stream")?;
    let mut bytes = 0;
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(part) => bytes += part.len() as u64,
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}
