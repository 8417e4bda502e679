//! Answers plans that are malformed, that lie, or that name what belongs to somebody else.

use hostile_guests::{Attack, Ended, Failure, Handle, Lease, Outcome, Plan, Request, Route, TtlWish};
use hostile_guests::{param, plan, route};

struct Liar;

impl Attack for Liar {
    const NAME: &'static str = "plan";
    const BACKENDS: bool = true;

    fn routes() -> Vec<Route> {
        vec![route("creds/{name}/{how}", None), route("reaching/{name}/{how}", Some("{name}"))]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        let how = param(request, "how");
        let honest = plan(how, param(request, "name"), &format!("object-of-{how}"));
        Ok(Outcome::Issue(match how {
            "unknown-kind" => Plan { kind: "none-such".to_owned(), ..honest },
            "no-object" => Plan { object: String::new(), ..honest },
            "nul-in-object" => Plan { object: "a\0b".to_owned(), ..honest },
            "long-object" => Plan { object: "o".repeat(1 << 20), ..honest },
            "other-backend" => Plan { backend: "elsewhere".to_owned(), ..honest },
            "unreadable-format" => Plan { handle: Handle { format: 9, data: "{}".to_owned() }, ..honest },
            "huge-handle" => {
                let data = format!("{:?}", "h".repeat(1 << 16));
                Plan { handle: Handle { format: 1, data }, ..honest }
            }
            "handle-no-json" => Plan { handle: Handle { format: 1, data: "{".to_owned() }, ..honest },
            "carry-no-json" => Plan { carry: "not json".to_owned(), ..honest },
            "for-ever" => {
                let ttl = TtlWish { ttl: Some(u64::MAX), max_ttl: Some(u64::MAX), renewable: true };
                Plan { ttl, ..honest }
            }
            // Two leases of different roles over one object.
            "somebody-elses" => Plan { object: "object-of-honest".to_owned(), ..honest },
            _ => honest,
        }))
    }

    fn revoke(lease: &Lease) -> Result<Ended, Failure> {
        // If a refused plan were ever undone, the object of an honest lease would go with it: make that visible.
        assert!(lease.role != "somebody-elses", "asked to undo what was refused");
        Ok(Ended::Removed)
    }
}

hostile_guests::bindings::export_engine!(Liar with_types_in hostile_guests::bindings);
