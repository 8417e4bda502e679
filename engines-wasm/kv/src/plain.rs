//! Version 1: a path, a body, nothing else.
//!
//! An entry is one line with the lease duration in seconds (empty: the mount's default), then the body as JSON text. The
//! duration is worked out when the secret is written, so that a read need not look into the body.

use engine_sdk::types::{Description, Failure, Operation, Reply, Request};
use engine_sdk::{Context, duration, failure, route};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{key, listing};

/// The storage format of version 1.
pub(crate) const FORMAT: u32 = 1;
/// Where its entries are.
pub(crate) const ROOT: &str = "v1/";
/// Its only route.
pub(crate) const SECRET: &str = "{path*}";

pub(crate) fn describe(description: Description) -> Description {
    description.help("Keeps secrets under paths of your choice.").storage(FORMAT, []).route(
        route(SECRET)
            .read()
            .upsert()
            .delete()
            .list()
            .open_fields()
            .synopsis("A secret: any JSON object.")
            .help("A key named `ttl` (or `lease`) sets the lease_duration that readers are told. There is no lease."),
    )
}

pub(crate) fn exists(ctx: &Context, request: &Request) -> Result<bool, Failure> {
    key::check(&request.path)?;
    Ok(ctx.storage().get(&entry(&request.path)).is_some())
}

pub(crate) fn handle(ctx: &Context, request: &Request) -> Result<Reply, Failure> {
    match request.operation {
        Operation::List => listing::names(ctx, request, &[ROOT], &request.path).map(Reply::keys),
        Operation::Read if !key::is_secret(&request.path) => Ok(Reply::none()),
        Operation::Read => read(ctx, &request.path),
        Operation::Create | Operation::Update => write(ctx, request),
        Operation::Delete if !key::is_secret(&request.path) => Ok(Reply::none()),
        Operation::Delete => {
            key::check(&request.path)?;
            ctx.storage().delete(&entry(&request.path));
            Ok(Reply::none())
        }
        Operation::Patch => Err(failure::unsupported("version 1 cannot patch a secret")),
    }
}

pub(crate) fn entry(path: &str) -> String {
    format!("{ROOT}{path}")
}

fn read(ctx: &Context, path: &str) -> Result<Reply, Failure> {
    key::check(path)?;
    let Some(text) = ctx.storage().get_text(&entry(path))? else {
        return Ok(Reply::none());
    };
    let (seconds, body) = split(&text)?;
    let seconds = match seconds {
        "" => ctx.mount().default_ttl,
        seconds => seconds.parse().map_err(|_| unreadable())?,
    };
    Ok(Reply::raw(body).lease_duration(seconds))
}

fn write(ctx: &Context, request: &Request) -> Result<Reply, Failure> {
    key::check(&request.path)?;
    let timing: Timing<'_> = request.fields()?;
    if is_empty(&request.fields) {
        return Err(failure::invalid("missing data fields"));
    }
    key::check_depth(&request.fields)?;
    let seconds = timing.seconds().map(|seconds| seconds.to_string()).unwrap_or_default();
    key::put(ctx, &entry(&request.path), format!("{seconds}\n{}", request.fields).as_bytes())?;
    Ok(Reply::none())
}

/// Whether an object has no members.
fn is_empty(object: &str) -> bool {
    object.trim().strip_prefix('{').is_some_and(|rest| rest.trim_start() == "}")
}

/// The body of a secret.
pub(crate) fn body(ctx: &Context, path: &str) -> Result<Option<String>, Failure> {
    match ctx.storage().get_text(&entry(path))? {
        Some(text) => Ok(Some(split(&text)?.1.to_owned())),
        None => Ok(None),
    }
}

/// The two parts of an entry: the seconds and the body.
fn split(text: &str) -> Result<(&str, &str), Failure> {
    text.split_once('\n').ok_or_else(unreadable)
}

fn unreadable() -> Failure {
    failure::internal("an entry of the mount cannot be read")
}

/// The keys that say how long a secret is good for.
#[derive(Deserialize)]
struct Timing<'a> {
    #[serde(borrow, default)]
    ttl: Option<&'a RawValue>,
    #[serde(borrow, default)]
    lease: Option<&'a RawValue>,
}

impl Timing<'_> {
    /// `ttl` hides `lease`, even where it is no duration.
    fn seconds(&self) -> Option<u64> {
        let seconds = match serde_json::from_str(self.ttl.or(self.lease)?.get()).ok()? {
            Value::String(text) => duration::parse(&text)?,
            Value::Number(number) => number.as_i64()?,
            _ => return None,
        };
        u64::try_from(seconds).ok()
    }
}
