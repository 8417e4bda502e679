//! Breaks down, in whichever of its exports the role's name says.

use hostile_guests::{Attack, Ended, Failure, Lease, Outcome, Request, Route, param, plan, route, told};
use serde_json::json;

struct Trap;

impl Attack for Trap {
    const NAME: &'static str = "trap";
    const BACKENDS: bool = true;

    fn routes() -> Vec<Route> {
        vec![route("creds/{name}/{role}", None), route("attack/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        match (param(request, "role"), param(request, "how")) {
            ("handle", _) | (_, "handle") => panic!("in handle"),
            ("", _) => told(json!({ "trapped": false })),
            (role, _) => {
                let object = format!("{role}-{}", request.path.len() + random());
                Ok(Outcome::Issue(plan(role, param(request, "name"), &object)))
            }
        }
    }

    fn create(intent: &Lease) -> Result<(), Failure> {
        assert!(intent.role != "create", "in create");
        Ok(())
    }

    fn renew(lease: &Lease) -> Result<(), Failure> {
        assert!(lease.role != "renew", "in renew");
        Ok(())
    }

    fn revoke(lease: &Lease) -> Result<Ended, Failure> {
        assert!(lease.role != "revoke", "in revoke");
        Ok(Ended::Removed)
    }
}

/// Something that differs from call to call: the seed that the standard library draws.
fn random() -> usize {
    use std::hash::{BuildHasher as _, RandomState};
    usize::try_from(RandomState::new().hash_one(0) & 0xffff_ffff).unwrap_or(0)
}

hostile_guests::bindings::export_engine!(Trap with_types_in hostile_guests::bindings);
