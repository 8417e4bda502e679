//! A small engine to begin from: notes with an owner and an end.

mod notes;

use engine_sdk::types::{Description, Failure, Operation, Outcome, Reply, Request};
use engine_sdk::{Context, Engine, Options, failure};

/// The engine.
#[derive(Debug, Clone, Copy)]
pub struct Template;

impl Engine for Template {
    fn describe(_: Options<'_>) -> Description {
        Description::new("template", env!("CARGO_PKG_VERSION"))
            .help("Keeps notes.")
            .route(notes::folder())
            .route(notes::route())
    }

    fn exists(ctx: &Context, request: &Request) -> Result<bool, Failure> {
        Ok(notes::load(ctx, request.param("name"))?.is_some())
    }

    fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
        use Operation::{Create, Delete, List, Read, Update};
        let name = request.param("name");
        let reply = match (request.route.as_str(), request.operation) {
            (notes::FOLDER, List) => Ok(Reply::keys(ctx.storage().list_all(notes::FOLDER))),
            (notes::NOTE, Read) => notes::read(ctx, name),
            (notes::NOTE, Create | Update) => notes::write(ctx, name, request),
            (notes::NOTE, Delete) => Ok(notes::delete(ctx, name)),
            _ => Err(failure::unsupported("unsupported operation")),
        };
        reply.map(Outcome::Reply)
    }
}

engine_sdk::export_secrets!(Template);
