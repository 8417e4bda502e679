//! The mounts that are the host's own: `sys`, `auth/token`, `cubbyhole`, `identity`. Route tables as engines have them,
//! with a function for each verb.

mod cubbyhole;
mod help;
mod sys;
pub(crate) mod system;
mod table;
mod token;

use std::sync::Arc;

use cofferdam_acl::{Acl, Ask};
use cofferdam_model::{Error, ErrorKind, Operation, Request, Response, Result, fields};
use serde_json::{Map, Value};

use crate::core::Core;
use crate::dispatch::{Asked, warn_of_fields};
use crate::mounts::MountEntry;
use crate::vault::Vault;

pub(crate) use help::help;
pub(crate) use table::{NativeRoute, Routes};

/// What a handler gets.
pub(crate) struct Ctx<'a> {
    pub(crate) core: &'a Arc<Core>,
    pub(crate) vault: &'a Arc<Vault>,
    pub(crate) request: &'a Request,
    /// None on unauthenticated routes.
    pub(crate) asked: Option<&'a Asked<'a>>,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) fields: Map<String, Value>,
}

impl<'a> Ctx<'a> {
    /// The caller.
    pub(crate) fn asked(&self) -> Result<&'a Asked<'a>> {
        self.asked.ok_or_else(Error::bad_token)
    }

    /// What the pattern captured.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    /// A text field; "" where absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the field was sent.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.fields.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    pub(crate) fn number(&self, name: &str) -> i64 {
        self.fields.get(name).and_then(Value::as_i64).unwrap_or(0)
    }

    /// A duration field, in seconds; 0 where absent.
    pub(crate) fn seconds(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or(0)
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        texts(self.fields.get(name))
    }

    pub(crate) fn pairs(&self, name: &str) -> std::collections::BTreeMap<String, String> {
        let object = self.fields.get(name).and_then(Value::as_object);
        object
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.clone(), v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
            .collect()
    }
}

/// The texts of a JSON list.
pub(crate) fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn routes(kind: &str) -> &'static [NativeRoute] {
    match kind {
        "system" => sys::routes(),
        "token" => token::routes(),
        "cubbyhole" => cubbyhole::routes(),
        _ => &[],
    }
}

/// Whether the ACL lets this request through.
pub(crate) fn allow(acl: &Acl, request: &Request, needs_sudo: bool) -> Result<()> {
    let ask = Ask {
        operation: request.operation,
        path: &request.path,
        data: Some(&request.data),
        wrap_ttl: request.wrap_ttl,
        needs_sudo,
    };
    if acl.decide(&ask).allowed { Ok(()) } else { Err(Error::permission_denied()) }
}

/// Answers a request on one of the host's own mounts.
pub(crate) async fn dispatch(core: &Arc<Core>, vault: &Arc<Vault>, asked: &Asked<'_>) -> Result<Response> {
    let found = table::find(routes(&asked.mount.kind), asked.rest);
    let operation = asked.request.operation;
    let sudo = found.as_ref().is_some_and(|(r, _)| r.needs_sudo(operation, asked.rest));
    allow(&asked.acl, asked.request, sudo)?;
    let Some((native, params)) = found else {
        return Err(Error::new(ErrorKind::UnsupportedPath, "unsupported path"));
    };
    answer(core, vault, asked.request, Some(asked), native, params).await
}

/// Answers where the route asks for no token; none where it does.
pub(crate) async fn unauthenticated(
    core: &Arc<Core>,
    vault: &Arc<Vault>,
    request: &Request,
    mount: &MountEntry,
    rest: &str,
) -> Option<Result<Response>> {
    if !mount.is_builtin() || request.operation == Operation::Help {
        return None;
    }
    let (native, params) = table::find(routes(&mount.kind), rest)?;
    if !native.unauthenticated {
        return None;
    }
    Some(answer(core, vault, request, None, native, params).await)
}

async fn answer(
    core: &Arc<Core>,
    vault: &Arc<Vault>,
    request: &Request,
    asked: Option<&Asked<'_>>,
    native: &NativeRoute,
    params: Vec<(String, String)>,
) -> Result<Response> {
    let handler = native
        .handler(request.operation)
        .ok_or_else(|| Error::new(ErrorKind::UnsupportedOperation, "unsupported operation"))?;
    let checked = fields::check(&native.route, &params, &request.data)?;
    if matches!(request.operation, Operation::Create | Operation::Update) {
        fields::require(&native.route, &checked.fields)?;
    }
    let ctx = Ctx { core, vault, request, asked, params, fields: checked.fields.clone() };
    let mut response = handler(ctx).await?;
    if !response.is_empty() && !response.bare {
        warn_of_fields(&mut response, request, &checked);
    }
    Ok(response)
}
