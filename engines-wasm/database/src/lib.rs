//! Database users on demand: the secrets engine `database`, with PostgreSQL behind it.

mod client;
mod config;
mod creds;
mod inventory;
mod lease;
mod location;
mod roles;
mod rotate;
mod routes;
mod statements;
mod username;

use engine_sdk::types::{Description, Ended, Failure, Issued, Lease, Outcome, Page, Renewed, Reply, Request};
use engine_sdk::{Context, Engine, Inventory, Issuer, Options, failure};

/// The engine.
pub struct Database;

impl Engine for Database {
    fn describe(_: Options<'_>) -> Description {
        routes::description()
    }

    fn exists(ctx: &Context, request: &Request) -> Result<bool, Failure> {
        let name = request.param("name");
        let key = if request.route == routes::CONFIG { config::key(name) } else { roles::key(name) };
        Ok(ctx.storage().get(&key).is_some())
    }

    fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
        match request.route.as_str() {
            routes::CONFIG => config::handle(ctx, request),
            routes::RESET => config::reset(ctx, request),
            routes::ROTATE_ROOT | routes::ROTATE_ROOT_ALIAS => rotate::handle(ctx, request),
            routes::ROLE => roles::handle(ctx, request),
            routes::CREDS => creds::handle(ctx, request),
            folder @ (routes::CONFIGS | routes::ROLES) => Ok(Reply::keys(ctx.storage().list_all(folder)).into()),
            other => Err(failure::internal(format!("no handler for the route {other:?}"))),
        }
    }
}

impl Issuer for Database {
    fn create(ctx: &Context, intent: &Lease, carry: &str) -> Result<Issued, Failure> {
        lease::create(ctx, intent, carry)
    }

    fn renew(ctx: &Context, lease: &Lease) -> Result<Renewed, Failure> {
        lease::renew(ctx, lease)
    }

    fn revoke(ctx: &Context, leases: &[Lease]) -> Vec<Result<Ended, Failure>> {
        lease::revoke(ctx, leases)
    }

    fn propose(ctx: &Context, slot: &str, current: &str) -> Result<String, Failure> {
        rotate::propose(ctx, slot, current)
    }

    fn apply(ctx: &Context, slot: &str, current: &str, candidate: &str) -> Result<Option<String>, Failure> {
        rotate::apply(ctx, slot, current, candidate).map(|()| None)
    }

    fn prove(ctx: &Context, _slot: &str, secret: &str) -> Result<(), Failure> {
        rotate::prove(ctx, secret)
    }
}

impl Inventory for Database {
    fn browse(
        ctx: &Context,
        backend: &str,
        mark: &str,
        object: Option<&str>,
        after: Option<&str>,
    ) -> Result<Page, Failure> {
        inventory::browse(ctx, backend, mark, object, after)
    }
}

engine_sdk::export_issuer!(Database);
engine_sdk::export_inventory!(Database);

#[cfg(test)]
mod tests;

#[cfg(test)]
mod fuzz;
