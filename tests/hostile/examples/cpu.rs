//! Never comes back: computing, or asleep.

use std::time::Duration;

use hostile_guests::{Attack, Failure, Outcome, Request, Route, param, route, told};
use serde_json::json;

struct Cpu;

impl Attack for Cpu {
    const NAME: &'static str = "cpu";

    fn routes() -> Vec<Route> {
        vec![route("attack/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        match param(request, "how") {
            "spin" => {
                let mut n: u64 = 0;
                loop {
                    n = std::hint::black_box(n.wrapping_add(1));
                }
            }
            "sleep" => loop {
                std::thread::sleep(Duration::from_secs(3_600));
            },
            _ => told(json!({ "spun": false })),
        }
    }
}

hostile_guests::bindings::export_engine!(Cpu with_types_in hostile_guests::bindings);
