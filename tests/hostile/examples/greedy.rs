//! Takes what is shared with others: the host's memory, its handles, its stack.

use hostile_guests::bindings::cofferdam::engine::types::Listing;
use hostile_guests::{Attack, Body, Failure, Outcome, Request, Route, param, route, said, told};
use serde_json::json;

struct Greedy;

impl Attack for Greedy {
    const NAME: &'static str = "greedy";

    fn routes() -> Vec<Route> {
        vec![route("attack/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        match param(request, "how") {
            "aliases" => said(Body::Keys(Listing { keys: aliases(), info: None })),
            "handles" => told(json!({ "held": handles() })),
            "stack" => told(json!({ "depth": deeper(0) })),
            _ => told(json!({})),
        }
    }
}

/// Three hundred gigabytes for whoever copies it: texts that are all the same megabyte.
fn aliases() -> Vec<String> {
    let text: &'static mut str = String::leak("x".repeat(1 << 20));
    let (at, len) = (text.as_mut_ptr(), text.len());
    // SAFETY: none, on purpose: every text claims the same bytes. Nothing is freed, for the call ends in the host.
    (0..300_000).map(|_| unsafe { String::from_raw_parts(at, len, len) }).collect()
}

/// How many things of the host one call can hold at once.
fn handles() -> usize {
    let mut held = Vec::new();
    for _ in 0..1_000_000 {
        held.push(wasip2::clocks::monotonic_clock::subscribe_duration(u64::MAX));
    }
    held.len()
}

/// Calls itself until something ends it.
fn deeper(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == u64::MAX { frame[0] } else { deeper(depth + 1) + frame[1] }
}

hostile_guests::bindings::export_engine!(Greedy with_types_in hostile_guests::bindings);
