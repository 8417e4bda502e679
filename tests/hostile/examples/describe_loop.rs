//! Cannot even say what it is: its description never ends.

use hostile_guests::{Attack, Description, Failure, Outcome, Request, Route, told};
use serde_json::json;

struct DescribeLoop;

impl Attack for DescribeLoop {
    const NAME: &'static str = "describe_loop";

    fn routes() -> Vec<Route> {
        Vec::new()
    }

    fn handle(_request: &Request) -> Result<Outcome, Failure> {
        told(json!({}))
    }

    fn describe() -> Description {
        let mut n: u64 = 0;
        loop {
            n = std::hint::black_box(n.wrapping_add(1));
        }
    }
}

hostile_guests::bindings::export_engine!(DescribeLoop with_types_in hostile_guests::bindings);
