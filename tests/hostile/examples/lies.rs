//! Lies: about itself, as the mount's option `lie` says, and about its leases, as the role's name says.

use hostile_guests::{Attack, Description, Ended, Failure, Handle, Kind, Lease, Outcome, Request, Route, Traits};
use hostile_guests::{param, plan, route, told};
use serde_json::json;

struct Liar;

impl Attack for Liar {
    const NAME: &'static str = "lies";
    const BACKENDS: bool = true;

    fn routes() -> Vec<Route> {
        vec![route("creds/{name}/{role}", None), route("rest", None)]
    }

    fn describe_with(options: &[(String, String)]) -> Description {
        let lie = options.iter().find(|(name, _)| name == "lie").map_or("", |(_, value)| value);
        let honest = Self::describe();
        let routes = |routes: Vec<Route>| Description { routes, ..Self::describe() };
        let kinds = |kinds: Vec<Kind>| Description { kinds, ..Self::describe() };
        let user = |reads_formats, creates_within| Kind {
            name: "user".to_owned(),
            reads_formats,
            settles_after: 1,
            creates_within,
            ends_itself: false,
        };
        match lie {
            "no-name" => Description { name: String::new(), ..honest },
            "line-in-name" => Description { name: "lies\n[INFO] all is well".to_owned(), ..honest },
            "long-name" => Description { name: "n".repeat(1 << 20), ..honest },
            "much-help" => Description { help: "h".repeat(2 << 20), ..honest },
            "many-routes" => routes((0..10_000).map(|n| route(&format!("r{n}"), None)).collect()),
            "many-fields" => {
                let mut many = route("rest", None);
                many.fields = vec![many.fields[0].clone(); 10_000];
                routes(vec![many])
            }
            "no-operations" => routes(vec![Route { operations: Vec::new(), ..route("rest", None) }]),
            "above-itself" => routes(vec![route("/sys/raw/{path*}", None)]),
            "rest-in-the-middle" => routes(vec![route("{path*}/x", None)]),
            "unread-backend" => routes(vec![route("config/{name}", Some("{other}"))]),
            "twice" => routes(vec![route("{a}/{a}", None)]),
            "kind-twice" => kinds(vec![user(vec![1], 5), user(vec![1], 5)]),
            "kind-unread" => kinds(vec![user(Vec::new(), 5)]),
            "for-ever" => kinds(vec![user(vec![1], u64::MAX)]),
            // Takes what is written to the configuration by another route than the one that its policy knows.
            "other-route" => {
                let mut all = honest.routes;
                all.retain(|r| r.pattern != "config/{name}");
                all.push(Route { traits: Traits::OPEN_FIELDS, ..route("{folder}/{name}", Some("{name}")) });
                Description { routes: all, ..Self::describe() }
            }
            "reaching" => {
                // There is no call yet, and no backend.
                let _ = std::net::TcpStream::connect("127.0.0.1:1");
                honest
            }
            _ => honest,
        }
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        if !param(request, "folder").is_empty() {
            return told(json!({ "connected": std::net::TcpStream::connect(address(request)).is_ok() }));
        }
        match param(request, "role") {
            "" => told(json!({})),
            role => Ok(Outcome::Issue(plan(role, param(request, "name"), &format!("lie-of-{role}")))),
        }
    }

    fn learnt(intent: &Lease) -> Option<Handle> {
        let handle = |format, data: String| Some(Handle { format, data });
        match intent.role.as_str() {
            "unread-handle" => handle(9, "{}".to_owned()),
            "huge-handle" => handle(1, format!("{:?}", "h".repeat(1 << 16))),
            "no-handle" => handle(1, "{".to_owned()),
            _ => None,
        }
    }

    fn revoke_all(leases: &[Lease]) -> Vec<Result<Ended, Failure>> {
        match leases.first().map(|l| l.role.as_str()) {
            Some("no-answers") => Vec::new(),
            Some("many-answers") => (0..1_000).map(|_| Ok(Ended::Removed)).collect(),
            _ => leases.iter().map(|_| Ok(Ended::Removed)).collect(),
        }
    }
}

fn address(request: &Request) -> String {
    hostile_guests::field(request, "address")
}

hostile_guests::bindings::export_engine!(Liar with_types_in hostile_guests::bindings);
