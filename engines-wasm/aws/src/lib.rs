//! What the secrets engine `aws` keeps: its configuration and its roles. Nothing here speaks to AWS yet, so the crate is
//! no component and no server carries it.

mod config;
pub mod names;
mod roles;
mod routes;

use engine_sdk::types::{Description, Failure, Outcome, Reply, Request};
use engine_sdk::{Context, Engine, Options, failure};

/// The engine.
pub struct Aws;

impl Engine for Aws {
    fn describe(_: Options<'_>) -> Description {
        routes::description()
    }

    fn exists(ctx: &Context, request: &Request) -> Result<bool, Failure> {
        Ok(ctx.storage().get(&roles::key(request.param("name"))).is_some())
    }

    fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
        match request.route.as_str() {
            routes::ROOT => config::root(ctx, request),
            routes::LEASE => config::lease(ctx, request),
            routes::ROLE => roles::handle(ctx, request),
            routes::ROLES => Ok(Reply::keys(ctx.storage().list_all(routes::ROLES)).into()),
            other => Err(failure::internal(format!("no handler for the route {other:?}"))),
        }
    }
}

#[cfg(test)]
mod tests;
