//! Sends requests to places that nobody granted, lies about hosts, and takes in whatever comes.

use hostile_guests::bindings::cofferdam::engine::call;
use hostile_guests::{Attack, Failure, Outcome, Request, Route, field, param, route, told};
use serde_json::{Value, json};
use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{Fields, Method, OutgoingBody};

use self::client::{To, finish, get, prepared, read, send, sent};

#[path = "../src/client.rs"]
mod client;

struct Http;

impl Attack for Http {
    const NAME: &'static str = "http";
    const BACKENDS: bool = true;

    fn routes() -> Vec<Route> {
        vec![route("send/{name}/{how}", Some("{name}")), route("alone/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        let (scheme, authority) = (field(request, "scheme"), field(request, "authority"));
        let to = To { scheme, authority, path: field(request, "path") };
        told(attempt(param(request, "how"), &to).unwrap_or_else(|why| json!({ "done": false, "what": why })))
    }
}

fn attempt(how: &str, to: &To) -> Result<Value, String> {
    match how {
        "get" => get(to),
        "endpoints" => Ok(json!({ "done": true, "what": endpoints() })),
        "follow" => {
            let answer = finish(send(to, &[])?)?;
            let header = answer.headers().get("location").pop().unwrap_or_default();
            let url = String::from_utf8(header).map_err(|e| e.to_string())?;
            let (scheme, rest) = url.split_once("://").ok_or("no redirect")?;
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            get(&To { scheme: scheme.to_owned(), authority: authority.to_owned(), path: format!("/{path}") })
        }
        "host" => host_header(to),
        "tunnel" => {
            let request = prepared(to, Fields::new())?;
            request.set_method(&Method::Connect).map_err(|()| "method")?;
            let answer = finish(sent(request)?)?;
            Ok(json!({ "done": true, "what": answer.status() }))
        }
        "headers" => {
            let many: Vec<_> = (0..20_000).map(|i| (format!("x-{i}"), vec![b'y'; 100])).collect();
            let answer = finish(send(to, &many)?)?;
            Ok(json!({ "done": true, "what": answer.status() }))
        }
        "aliases" => aliases(),
        "crowd" => {
            let pending: Vec<_> = (0..10).map(|_| send(to, &[])).collect::<Result<_, _>>()?;
            let done = pending.into_iter().map(finish).filter(Result::is_ok).count();
            Ok(json!({ "done": true, "what": done }))
        }
        "upload" => upload(to),
        // Reads the rest of an answer after its configuration is gone.
        "hold" => {
            let answer = finish(send(to, &[])?)?;
            monotonic_clock::subscribe_duration(2_000_000_000).block();
            Ok(json!({ "done": true, "what": read(&answer)? }))
        }
        _ => Err("no such attempt".to_owned()),
    }
}

fn endpoints() -> Vec<String> {
    call::target().into_iter().flat_map(|t| t.endpoints).map(|e| format!("{} {}", e.field, e.url)).collect()
}

/// Thirty gigabytes for whoever copies them: header values that are all the same megabyte.
fn aliases() -> Result<Value, String> {
    let value: &'static mut [u8] = Vec::leak(vec![b'x'; 1 << 20]);
    let (at, len) = (value.as_mut_ptr(), value.len());
    // SAFETY: none, on purpose: every value claims the same bytes. Nothing is freed, for the call ends in the host.
    let same = || unsafe { Vec::from_raw_parts(at, len, len) };
    let many: Vec<_> = (0..30_000).map(|_| ("x".to_owned(), same())).collect();
    let taken = Fields::from_list(&many).is_ok();
    std::mem::forget(many);
    Ok(json!({ "done": taken }))
}

/// Every way to say another host than the one that is asked for.
fn host_header(to: &To) -> Result<Value, String> {
    let lie = || ("Host".to_owned(), b"evil.example".to_vec());
    let fields = Fields::new();
    let mut taken = Vec::new();
    if Fields::from_list(&[lie()]).is_ok() {
        taken.push("from-list");
    }
    if fields.append("host", &lie().1).is_ok() {
        taken.push("append");
    }
    if fields.set("HOST", &[lie().1]).is_ok() {
        taken.push("set");
    }
    let answer = finish(sent(prepared(to, fields)?)?)?;
    Ok(json!({ "done": !taken.is_empty(), "what": taken, "status": answer.status() }))
}

fn upload(to: &To) -> Result<Value, String> {
    let request = prepared(to, Fields::new())?;
    request.set_method(&Method::Post).map_err(|()| "method")?;
    let body = request.body().map_err(|()| "body")?;
    let stream = body.write().map_err(|()| "stream")?;
    let answer = sent(request)?;
    let mut written = 0_u64;
    while written < 100 << 20 && stream.blocking_write_and_flush(&[b'x'; 4096]).is_ok() {
        written += 4096;
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|e| format!("{e:?}"))?;
    let status = finish(answer)?.status();
    Ok(json!({ "done": true, "what": status, "bytes": written }))
}

hostile_guests::bindings::export_engine!(Http with_types_in hostile_guests::bindings);
