//! AWS credentials on demand: the secrets engine `aws`. IAM users, and sessions of STS.

mod client;
mod config;
mod creds;
mod inventory;
mod lease;
mod names;
mod place;
mod roles;
mod rotate;
mod routes;
mod statics;

use engine_sdk::types::{Description, Ended, Failure, Issued, Lease, Outcome, Page, Renewed, Reply, Request};
use engine_sdk::{Context, Engine, Inventory, Issuer, Options, failure};

/// The engine.
pub struct Aws;

impl Engine for Aws {
    fn describe(_: Options<'_>) -> Description {
        routes::description()
    }

    fn exists(ctx: &Context, request: &Request) -> Result<bool, Failure> {
        let name = request.param("name");
        match request.route.as_str() {
            routes::STATIC_ROLE => Ok(statics::exists(ctx, name)),
            _ => Ok(ctx.storage().get(&roles::key(name)).is_some()),
        }
    }

    fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
        match request.route.as_str() {
            routes::ROOT => config::root(ctx, request),
            routes::LEASE => config::lease(ctx, request),
            routes::ROTATE => rotate::handle(ctx),
            routes::ROLE => roles::handle(ctx, request),
            routes::STATIC_ROLE => statics::handle(ctx, request),
            routes::STATIC_CREDS => statics::creds(ctx, request),
            folder @ (routes::ROLES | routes::STATIC_ROLES) => Ok(Reply::keys(ctx.storage().list_all(folder)).into()),
            routes::CREDS | routes::STS => creds::handle(ctx, request),
            other => Err(failure::internal(format!("no handler for the route {other:?}"))),
        }
    }
}

impl Issuer for Aws {
    fn create(ctx: &Context, intent: &Lease, carry: &str) -> Result<Issued, Failure> {
        lease::create(ctx, intent, carry)
    }

    fn renew(_: &Context, _: &Lease) -> Result<Renewed, Failure> {
        Ok(lease::renew())
    }

    fn revoke(ctx: &Context, leases: &[Lease]) -> Vec<Result<Ended, Failure>> {
        lease::revoke(ctx, leases)
    }

    fn propose(ctx: &Context, slot: &str, current: &str) -> Result<String, Failure> {
        match statics::of_slot(slot) {
            Some(name) => statics::propose(ctx, name),
            None => rotate::propose(current),
        }
    }

    fn apply(ctx: &Context, slot: &str, current: &str, candidate: &str) -> Result<Option<String>, Failure> {
        match statics::of_slot(slot) {
            Some(_) => statics::apply(ctx, current, candidate),
            None => rotate::apply(ctx, current, candidate),
        }
    }

    fn prove(ctx: &Context, slot: &str, secret: &str) -> Result<(), Failure> {
        match statics::of_slot(slot) {
            Some(_) => statics::prove(ctx, secret),
            None => rotate::prove(ctx, secret),
        }
    }

    fn retire(ctx: &Context, slot: &str, old: &str, new: &str) -> Result<Option<String>, Failure> {
        match statics::of_slot(slot) {
            Some(_) => statics::retire(ctx, old, new),
            None => rotate::retire(ctx, old, new),
        }
    }
}

impl Inventory for Aws {
    fn browse(ctx: &Context, _: &str, mark: &str, object: Option<&str>, after: Option<&str>) -> Result<Page, Failure> {
        inventory::browse(ctx, mark, object, after)
    }
}

engine_sdk::export_issuer!(Aws);
engine_sdk::export_inventory!(Aws);

#[cfg(test)]
mod tests;
