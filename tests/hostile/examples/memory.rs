//! Takes all the memory that it can get, at once or by small steps.

use hostile_guests::{Attack, Failure, Outcome, Request, Route, param, route, told};
use serde_json::json;

struct Memory;

impl Attack for Memory {
    const NAME: &'static str = "memory";

    fn routes() -> Vec<Route> {
        vec![route("attack/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        let step = match param(request, "how") {
            "steps" => 1 << 16,
            "leaps" => 1 << 28,
            _ => return told(json!({ "taken": 0 })),
        };
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            hoard.push(std::hint::black_box(vec![1; step]));
        }
    }
}

hostile_guests::bindings::export_engine!(Memory with_types_in hostile_guests::bindings);
