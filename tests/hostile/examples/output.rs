//! Floods: its standard output, the log, its answer.

use hostile_guests::bindings::cofferdam::engine::log;
use hostile_guests::{Attack, Body, Failure, Outcome, Request, Route, param, route, said, told};
use serde_json::json;

struct Output;

impl Attack for Output {
    const NAME: &'static str = "output";

    fn routes() -> Vec<Route> {
        vec![route("attack/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        match param(request, "how") {
            "print" => {
                let line = "p".repeat(1 << 16);
                for _ in 0..10_000 {
                    println!("{line}");
                }
                told(json!({ "printed": true }))
            }
            "log" => {
                let line = "l".repeat(1 << 10);
                for _ in 0..100_000 {
                    log::emit(log::Level::Error, &line);
                }
                told(json!({ "logged": true }))
            }
            "answer" => said(Body::Data(json!({ "a": "x".repeat(5 << 20) }).to_string())),
            "forge" => {
                log::emit(log::Level::Error, "innocent\n2026-01-01T00:00:00Z ERROR forged line\r\u{1b}[31m");
                told(json!({ "logged": true }))
            }
            _ => told(json!({})),
        }
    }
}

hostile_guests::bindings::export_engine!(Output with_types_in hostile_guests::bindings);
