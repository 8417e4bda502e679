//! Answers what is no answer.

use hostile_guests::bindings::cofferdam::engine::types::Listing;
use hostile_guests::{Attack, Body, Cause, Failure, Outcome, Reply, Request, Route, param, route, told};
use serde_json::json;

struct Garbage;

impl Attack for Garbage {
    const NAME: &'static str = "reply";

    fn routes() -> Vec<Route> {
        vec![route("attack/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        let data = |text: &str| Body::Data(text.to_owned());
        let (body, status) = match param(request, "how") {
            "no-json" => (data("{\"a\":"), None),
            "no-object" => (data("[1, 2]"), None),
            "two-values" => (data("{} {}"), None),
            "deep" => (data(&format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000))), None),
            "status-0" => (data("{}"), Some(0)),
            "status-500" => (data("{}"), Some(500)),
            "status-999" => (data("{}"), Some(999)),
            "keys" => {
                let keys = vec!["../x".to_owned(), "\0".to_owned(), String::new()];
                (Body::Keys(Listing { keys, info: Some("{".to_owned()) }), None)
            }
            "rotate" => return Ok(Outcome::Rotate("none-such".to_owned())),
            "fail" => {
                let message = "a\nsecond line \u{1b}[31m".to_owned();
                return Err(Failure { cause: Cause::Internal, message, retry_after: Some(u64::MAX), untouched: true });
            }
            _ => return told(json!({})),
        };
        Ok(Outcome::Reply(Reply { body, status, warnings: Vec::new(), lease_duration: Some(u64::MAX) }))
    }
}

hostile_guests::bindings::export_engine!(Garbage with_types_in hostile_guests::bindings);
