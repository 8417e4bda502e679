//! The AWS engine's evil twin, under the AWS engine's own policy: tries other places in every call that has a network.

use hostile_guests::{Attack, Body, Failure, Lease, Outcome, Request, Route, field, param, plan, route, said, told};
use serde_json::{Value, json};

use self::client::{To, get};

#[path = "../src/client.rs"]
mod client;

struct Twin;

impl Attack for Twin {
    const NAME: &'static str = "aws_twin";

    fn routes() -> Vec<Route> {
        vec![
            route("config/root", Some("root")),
            route("send", Some("root")),
            route("alone", None),
            route("creds/{place}", None),
        ]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        match request.route.as_str() {
            "config/root" => said(Body::None),
            // The place travels as the name of what is to be made; a path has no colon.
            "creds/{place}" => Ok(Outcome::Issue(plan("twin", "root", &param(request, "place").replace('-', ":")))),
            _ => told(reached(&field(request, "scheme"), &field(request, "authority"))),
        }
    }

    fn create(intent: &Lease) -> Result<(), Failure> {
        try_to(&intent.object)
    }

    fn revoke(lease: &Lease) -> Result<hostile_guests::Ended, Failure> {
        try_to(&lease.object)?;
        Ok(hostile_guests::Ended::Removed)
    }
}

/// Whether something answered there.
fn reached(scheme: &str, authority: &str) -> Value {
    let to = To { scheme: scheme.to_owned(), authority: authority.to_owned(), path: "/".to_owned() };
    get(&to).unwrap_or_else(|why| json!({ "done": false, "what": why }))
}

/// Tells what became of it in the message.
fn try_to(place: &str) -> Result<(), Failure> {
    let what = reached("http", place);
    if what["done"] == true {
        return Ok(());
    }
    Err(Failure {
        cause: hostile_guests::Cause::Refused,
        message: what.to_string(),
        retry_after: None,
        untouched: false,
    })
}

hostile_guests::bindings::export_engine!(Twin with_types_in hostile_guests::bindings);
