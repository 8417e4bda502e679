//! Breaks down or lies where a secret is rotated and where backends are browsed: the secret says how, or the name of the
//! backend.

use hostile_guests::bindings::cofferdam::engine::slots;
use hostile_guests::{
    Attack, Cause, Failure, Found, Handle, Outcome, Page, Request, Route, Traits, param, route, told,
};
use serde_json::{Value, json};

/// What stands in place of a secret that was rotated.
const ROTATED: &str = "rotated";

struct Turncoat;

impl Attack for Turncoat {
    const NAME: &'static str = "turncoat";
    const BACKENDS: bool = true;

    fn routes() -> Vec<Route> {
        vec![
            route("secret/{name}/{how}", Some("{name}")),
            route("rotate/{name}", None),
            Route { traits: Traits::UPSERT, ..route("upsert/{how}", None) },
        ]
    }

    fn exists(request: &Request) -> bool {
        assert!(param(request, "how") != "trap", "in exists");
        true
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        let name = param(request, "name");
        match request.route.as_str() {
            "rotate/{name}" => Ok(Outcome::Rotate(name.to_owned())),
            "secret/{name}/{how}" => {
                if param(request, "how") != "show" {
                    slots::put(name, &json!({ "how": param(request, "how"), "state": "first" }).to_string());
                }
                let secret: Value = slots::get(name).and_then(|s| serde_json::from_str(&s).ok()).unwrap_or_default();
                told(secret)
            }
            _ => told(json!({})),
        }
    }

    fn propose(current: String) -> Result<String, Failure> {
        match how(&current).as_str() {
            "trap-propose" => panic!("in propose"),
            "broken-propose" => Ok("{".to_owned()),
            "huge-propose" => Ok(format!("{:?}", "s".repeat(2 << 20))),
            how => Ok(json!({ "how": how, "state": ROTATED }).to_string()),
        }
    }

    fn apply(candidate: String) -> Result<Option<String>, Failure> {
        match how(&candidate).as_str() {
            "trap-apply" => panic!("in apply"),
            "broken-apply" => Ok(Some("{".to_owned())),
            "endless-apply" => Ok(Some(candidate)),
            _ => Ok(None),
        }
    }

    fn prove(secret: &str) -> Result<(), Failure> {
        let how = how(secret);
        assert!(how != "trap-prove", "in prove");
        // A step that broke down counts as done where the new secret is proven.
        if how.ends_with("-apply") { Err(refused("it does not work")) } else { Ok(()) }
    }

    fn retire(new: &str) -> Result<Option<String>, Failure> {
        match how(new).as_str() {
            "trap-retire" => panic!("in retire"),
            "broken-retire" => Ok(Some("[]".to_owned())),
            _ => Ok(None),
        }
    }

    fn browse(backend: &str, mark: &str, after: Option<&str>) -> Result<Page, Failure> {
        let found = |object: &str, stamp: &str| Found {
            object: object.to_owned(),
            kind: "user".to_owned(),
            stamp: stamp.to_owned(),
            handle: Handle { format: 1, data: "{}".to_owned() },
            created_at: None,
        };
        let only = |items: Vec<Found>| Ok(Page { items, next: None });
        match backend {
            "trap" => panic!("in browse"),
            "crowded" => only(vec![found("u", &format!("{mark}u")); 1_001]),
            "broken" => {
                let handle = Handle { format: 1, data: "{".to_owned() };
                only(vec![Found { handle, ..found("u", &format!("{mark}u")) }])
            }
            // Another mount's, and one that says so in its name only.
            "strange" => only(vec![found("theirs", "cofferdam:somebody/else/1"), found(mark, "x")]),
            "endless" => {
                let next = if after == Some("a") { "b" } else { "a" };
                Ok(Page { items: Vec::new(), next: Some(next.to_owned()) })
            }
            _ => only(vec![found("honest", &format!("{mark}honest"))]),
        }
    }
}

fn refused(message: &str) -> Failure {
    Failure { cause: Cause::Refused, message: message.to_owned(), retry_after: None, untouched: false }
}

fn how(secret: &str) -> String {
    let secret: Value = serde_json::from_str(secret).unwrap_or_default();
    secret["how"].as_str().unwrap_or_default().to_owned()
}

hostile_guests::bindings::export_engine!(Turncoat with_types_in hostile_guests::bindings);
