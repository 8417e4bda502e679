//! Key-value secrets: plain (version 1) and versioned (version 2), as the mount's option `version` says.

mod key;
mod listing;
mod plain;
mod versioned;

use engine_sdk::types::{Description, Failure, Outcome, Request};
use engine_sdk::{Context, Engine, Options, failure};

/// The engine.
#[derive(Debug, Clone, Copy)]
pub struct Kv;

impl Engine for Kv {
    fn describe(options: Options<'_>) -> Description {
        let description = Description::new("kv", env!("CARGO_PKG_VERSION"));
        match options.get("version") {
            Some("2") => versioned::describe(description),
            _ => plain::describe(description),
        }
    }

    fn exists(ctx: &Context, request: &Request) -> Result<bool, Failure> {
        match request.route.as_str() {
            plain::SECRET => plain::exists(ctx, request),
            _ => versioned::exists(ctx, request),
        }
    }

    fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
        let reply = match request.route.as_str() {
            plain::SECRET => plain::handle(ctx, request),
            _ => versioned::handle(ctx, request),
        };
        reply.map(Outcome::Reply)
    }

    fn migrate(ctx: &Context, stored_format: u32) -> Result<(), Failure> {
        match stored_format {
            plain::FORMAT => versioned::upgrade(ctx),
            other => Err(failure::unsupported(format!("no migration from storage format {other}"))),
        }
    }
}

engine_sdk::export_secrets!(Kv);
