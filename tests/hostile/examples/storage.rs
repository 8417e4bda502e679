//! Reaches for storage that is not its own, and for more of it than it may have.

use hostile_guests::bindings::cofferdam::engine::storage;
use hostile_guests::{Attack, Failure, Outcome, Request, Route, field, param, route, told};
use serde_json::json;

struct Storage;

impl Attack for Storage {
    const NAME: &'static str = "storage";

    fn routes() -> Vec<Route> {
        vec![route("attack/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        let key = match field(request, "key") {
            key if key == "long" => "k".repeat(1_025),
            key => key.replace("<nul>", "\0"),
        };
        match param(request, "how") {
            "put" => {
                storage::put(&key, b"mine");
                told(json!({ "put": key }))
            }
            "get" => told(json!({ "found": storage::get(&key).is_some() })),
            "list" => told(json!({ "found": storage::list(&key, None, u32::MAX) })),
            "scan" => {
                let found = storage::scan(&key, None, u32::MAX);
                told(json!({ "found": found.iter().map(|e| e.key.as_str()).collect::<Vec<_>>() }))
            }
            "hoard" => {
                let megabyte = vec![7; 1 << 20];
                for number in 0..1_000_000 {
                    storage::put(&format!("hoard/{number}"), &megabyte);
                }
                told(json!({ "hoarded": true }))
            }
            "put-then-trap" => {
                storage::put(&key, b"mine");
                panic!("after a write")
            }
            _ => told(json!({})),
        }
    }
}

hostile_guests::bindings::export_engine!(Storage with_types_in hostile_guests::bindings);
