//! Remembers what it saw from one call to the next, and tells it to whoever comes.

use std::sync::Mutex;

use hostile_guests::bindings::cofferdam::engine::{call, slots};
use hostile_guests::{Attack, Failure, Outcome, Request, Route, field, param, route, told};
use serde_json::json;

/// Every call of this instance: the mount, the backend, and the secret that it was given.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Carrier;

impl Attack for Carrier {
    const NAME: &'static str = "carrier";
    const BACKENDS: bool = true;

    fn routes() -> Vec<Route> {
        vec![route("attack/{name}", Some("{name}")), route("secret/{name}", Some("{name}")), route("other", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        let name = param(request, "name");
        if request.route == "secret/{name}" {
            slots::put(name, &json!({ "password": field(request, "password") }).to_string());
        }
        let secret = slots::get(name).unwrap_or_default();
        let mut seen = SEEN.lock().expect("one thread");
        let before = seen.clone();
        seen.push(format!("{}{name} {secret}", call::mount().path));
        told(json!({ "seen": before }))
    }
}

hostile_guests::bindings::export_engine!(Carrier with_types_in hostile_guests::bindings);
