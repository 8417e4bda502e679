//! Version 2: every write of a key is kept as a version, up to a limit.
//!
//! Entries: `config`; `meta/<path>`, a key with what is known of its versions; `data/<path>/<number>`, the JSON text of one
//! version. A read of a secret is two gets. Entries that version 1 left are told of in `store`.

mod config;
mod custom;
mod data;
mod keys;
mod metadata;
mod patch;
mod store;
mod subkeys;
mod versions;

use config::Config;
use metadata::Metadata;
pub(crate) use store::upgrade;

use engine_sdk::types::{Description, Failure, Operation, Reply, Request};
use engine_sdk::{Context, failure, route};

use crate::{key, plain};

/// The storage format of version 2.
const FORMAT: u32 = 2;

const CONFIG: &str = "config";
const DATA: &str = "data/{path*}";
const SUBKEYS: &str = "subkeys/{path*}";
const DELETE: &str = "delete/{path*}";
const UNDELETE: &str = "undelete/{path*}";
const DESTROY: &str = "destroy/{path*}";
const METADATA: &str = "metadata/{path*}";
const DETAILED: &str = "detailed-metadata/{path*}";
/// What is left: clients that take the mount for version 1.
const ELSEWHERE: &str = "{elsewhere*}";

const WRONG_PATH: &str =
    "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use.";

pub(crate) fn describe(description: Description) -> Description {
    description
        .help("Keeps secrets under paths of your choice, with their former versions.")
        .storage(FORMAT, [plain::FORMAT])
        .route(config::route())
        .route(data::route())
        .route(subkeys::route())
        .route(versions::route(DELETE, "Deletes versions; they can be brought back."))
        .route(versions::route(UNDELETE, "Brings deleted versions back."))
        .route(versions::route(DESTROY, "Removes the data of versions for good."))
        .route(keys::route())
        .route(keys::detailed_route())
        .route(
            route(ELSEWHERE)
                .read()
                .write()
                .patch()
                .delete()
                .list()
                .open_fields()
                .synopsis("No path of version 2: answers with a warning."),
        )
}

pub(crate) fn exists(ctx: &Context, request: &Request) -> Result<bool, Failure> {
    store::exists(ctx, request.param("path"))
}

pub(crate) fn handle(ctx: &Context, request: &Request) -> Result<Reply, Failure> {
    use Operation::{Create, Delete, List, Patch, Read, Update};
    let path = request.param("path");
    match (request.route.as_str(), request.operation) {
        (CONFIG, Read) => config::read(ctx),
        (CONFIG, Update) => config::write(ctx, request),
        (METADATA, List) => keys::list(ctx, request, path),
        (DETAILED, List) => keys::list_detailed(ctx, request, path),
        (ELSEWHERE, _) => Ok(Reply::none().status(404).warning(WRONG_PATH)),
        // Folders hold no secrets, and nothing is deleted from them.
        (DATA | SUBKEYS | METADATA, Read | Delete) if !key::is_secret(path) => Ok(Reply::none()),
        (DATA, Read) => data::read(ctx, request, path),
        (DATA, Create | Update) => data::write(ctx, request, path),
        (DATA, Patch) => data::patch(ctx, request, path),
        (DATA, Delete) => versions::delete_latest(ctx, path),
        (SUBKEYS, Read) => subkeys::read(ctx, request, path),
        (DELETE, Update) => versions::delete(ctx, request, path),
        (UNDELETE, Update) => versions::undelete(ctx, request, path),
        (DESTROY, Update) => versions::destroy(ctx, request, path),
        (METADATA, Read) => keys::read(ctx, path),
        (METADATA, Create | Update) => keys::write(ctx, request, path),
        (METADATA, Patch) => keys::patch(ctx, request, path),
        (METADATA, Delete) => keys::delete(ctx, path),
        _ => Err(failure::unsupported("unsupported operation")),
    }
}
