//! What the hostile engines share: the contract's bindings, and an engine that does nothing yet.
//!
//! Nothing of the SDK is used: an attacker would not be bound by it either.

pub mod bindings {
    //! The contract, generated; every part of it at hand.
    wit_bindgen::generate!({
        world: "stocked-issuer",
        path: "../../wit",
        pub_export_macro: true,
        export_macro_name: "export_engine",
        default_bindings_module: "hostile_guests::bindings",
    });
}

use bindings::exports::cofferdam::engine::{backend, credentials, descriptor, inventory, lifecycle, rotation};
pub use credentials::{Ended, Issued, Renewed};
pub use descriptor::{Description, Field, FieldKind, FieldTraits, Kind, Route, Traits};
pub use inventory::{Found, Page};
use serde_json::{Map, Value};

pub use bindings::cofferdam::engine::types::{
    Body, Cause, Failure, Handle, Lease, Operation, Outcome, Plan, Reply, Request, TtlWish,
};

/// An engine, told in few words.
pub trait Attack {
    /// The name under which it is registered.
    const NAME: &'static str;

    /// Whether its policy gives it backends: then it has the route `config/{name}` too.
    const BACKENDS: bool = false;

    /// Its routes.
    fn routes() -> Vec<Route>;

    /// One request.
    fn handle(request: &Request) -> Result<Outcome, Failure>;

    /// Whether what a request would write is there.
    fn exists(request: &Request) -> bool {
        let _ = request;
        true
    }

    /// Makes a credential.
    fn create(intent: &Lease) -> Result<(), Failure> {
        let _ = intent;
        Ok(())
    }

    /// Extends one.
    fn renew(lease: &Lease) -> Result<(), Failure> {
        let _ = lease;
        Ok(())
    }

    /// Ends one.
    fn revoke(lease: &Lease) -> Result<Ended, Failure> {
        let _ = lease;
        Ok(Ended::Removed)
    }

    /// What it says that it learnt while it made one.
    fn learnt(intent: &Lease) -> Option<Handle> {
        let _ = intent;
        None
    }

    /// Ends several.
    fn revoke_all(leases: &[Lease]) -> Vec<Result<Ended, Failure>> {
        leases.iter().map(Self::revoke).collect()
    }

    /// A new secret from the current one.
    fn propose(current: String) -> Result<String, Failure> {
        Ok(current)
    }

    /// Makes the backend accept it.
    fn apply(candidate: String) -> Result<Option<String>, Failure> {
        let _ = candidate;
        Ok(None)
    }

    /// Logs in with it.
    fn prove(secret: &str) -> Result<(), Failure> {
        let _ = secret;
        Ok(())
    }

    /// Ends the old one.
    fn retire(new: &str) -> Result<Option<String>, Failure> {
        let _ = new;
        Ok(None)
    }

    /// Tells what is in a backend.
    fn browse(backend: &str, mark: &str, after: Option<&str>) -> Result<Page, Failure> {
        let _ = (backend, mark, after);
        Ok(Page { items: Vec::new(), next: None })
    }

    /// The whole description, for a mount with these options.
    fn describe_with(options: &[(String, String)]) -> Description {
        let _ = options;
        Self::describe()
    }

    /// An honest description.
    fn describe() -> Description {
        let mut routes = Self::routes();
        if Self::BACKENDS {
            routes.push(route("config/{name}", Some("{name}")));
        }
        Description {
            name: Self::NAME.to_owned(),
            version: "0.1.0".to_owned(),
            help: "Attacks its host.".to_owned(),
            routes,
            kinds: vec![Kind {
                name: "user".to_owned(),
                reads_formats: vec![1],
                settles_after: 1,
                creates_within: 5,
                ends_itself: false,
            }],
            storage_format: 1,
            reads_storage: Vec::new(),
        }
    }
}

impl<T: Attack> descriptor::Guest for T {
    fn describe(options: Vec<(String, String)>) -> Description {
        <T as Attack>::describe_with(&options)
    }
}

impl<T: Attack> lifecycle::Guest for T {
    fn migrate(_stored_format: u32) -> Result<(), Failure> {
        Ok(())
    }
}

impl<T: Attack> backend::Guest for T {
    fn exists(request: Request) -> Result<bool, Failure> {
        Ok(<T as Attack>::exists(&request))
    }

    fn handle(request: Request) -> Result<Outcome, Failure> {
        if request.route == "config/{name}" {
            return Ok(Outcome::Reply(Reply {
                body: Body::None,
                status: None,
                warnings: Vec::new(),
                lease_duration: None,
            }));
        }
        <T as Attack>::handle(&request)
    }
}

impl<T: Attack> credentials::Guest for T {
    fn create(intent: Lease, _carry: String) -> Result<Issued, Failure> {
        <T as Attack>::create(&intent)?;
        let data = serde_json::json!({ "username": intent.object }).to_string();
        Ok(Issued { data, warnings: Vec::new(), handle: <T as Attack>::learnt(&intent) })
    }

    fn renew(lease: Lease) -> Result<Renewed, Failure> {
        <T as Attack>::renew(&lease)?;
        Ok(Renewed { handle: <T as Attack>::learnt(&lease), warnings: Vec::new() })
    }

    fn revoke(leases: Vec<Lease>) -> Vec<Result<Ended, Failure>> {
        <T as Attack>::revoke_all(&leases)
    }
}

impl<T: Attack> rotation::Guest for T {
    fn propose(_slot: String, current: String) -> Result<String, Failure> {
        <T as Attack>::propose(current)
    }

    fn apply(_slot: String, _current: String, candidate: String) -> Result<Option<String>, Failure> {
        <T as Attack>::apply(candidate)
    }

    fn prove(_slot: String, secret: String) -> Result<(), Failure> {
        <T as Attack>::prove(&secret)
    }

    fn retire(_slot: String, _old: String, new: String) -> Result<Option<String>, Failure> {
        <T as Attack>::retire(&new)
    }
}

impl<T: Attack> inventory::Guest for T {
    fn browse(backend: String, mark: String, _object: Option<String>, after: Option<String>) -> Result<Page, Failure> {
        <T as Attack>::browse(&backend, &mark, after.as_deref())
    }
}

/// A route that takes anything.
#[must_use]
pub fn route(pattern: &str, backend: Option<&str>) -> Route {
    Route {
        pattern: pattern.to_owned(),
        operations: vec![Operation::Create, Operation::Update, Operation::Read, Operation::Delete],
        traits: Traits::OPEN_FIELDS,
        backend: backend.map(str::to_owned),
        fields: vec![Field {
            name: "connection_url".to_owned(),
            kind: FieldKind::Text,
            traits: FieldTraits::empty(),
            help: "Where the backend is.".to_owned(),
        }],
        synopsis: "An attack.".to_owned(),
        help: String::new(),
    }
}

/// The answer of an attack that came back: what it found.
pub fn told(data: Value) -> Result<Outcome, Failure> {
    said(Body::Data(data.to_string()))
}

/// The answer of an attack, as it is.
pub fn said(body: Body) -> Result<Outcome, Failure> {
    Ok(Outcome::Reply(Reply { body, status: None, warnings: Vec::new(), lease_duration: None }))
}

/// A plan with nothing wrong with it.
#[must_use]
pub fn plan(role: &str, backend: &str, object: &str) -> Plan {
    Plan {
        kind: "user".to_owned(),
        role: role.to_owned(),
        backend: backend.to_owned(),
        object: object.to_owned(),
        handle: Handle { format: 1, data: "{}".to_owned() },
        carry: "{}".to_owned(),
        ttl: TtlWish { ttl: Some(600), max_ttl: Some(3_600), renewable: true },
    }
}

/// What a parameter of the path captured.
#[must_use]
pub fn param<'a>(request: &'a Request, name: &str) -> &'a str {
    request.params.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
}

/// A field of the request, as text.
#[must_use]
pub fn field(request: &Request, name: &str) -> String {
    let fields: Map<String, Value> = serde_json::from_str(&request.fields).unwrap_or_default();
    fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
