//! Where a key lives: its mount, the mount's version, and the API's path.

use cofferdam_client::{Method, Request, Secret, clean_path};
use serde_json::{Map, Value};

use crate::api::{Api, Call};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::flags::Args;
use crate::output::table;
use crate::text::trim_path;

/// A key (or, without one, a mount) that a command names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct KvPath {
    /// The mount, with a slash at its end; empty where the server does not say.
    mount: String,
    /// Whether values have versions.
    pub(super) versioned: bool,
    /// The mount and the key.
    path: String,
}

impl KvPath {
    /// Asks the server which mount the argument means. `key` may be empty with `-mount`.
    pub(super) fn find(api: &Api, args: &Args, key: &str) -> Result<Self> {
        let key = trim_path(key);
        match args.text("mount") {
            Some(mount) => {
                let mount = trim_path(mount);
                let (at, versioned) = preflight(api, mount)?;
                let at = if at.is_empty() { format!("{mount}/") } else { at };
                Ok(Self { path: clean_path(&format!("{at}{key}")), mount: at, versioned })
            }
            None => {
                let (mount, versioned) = preflight(api, key)?;
                Ok(Self { mount, versioned, path: key.to_owned() })
            }
        }
    }

    /// The API's path: for versioned values with `kind` (`data`, `metadata`, …) behind the mount.
    pub(super) fn api_path(&self, kind: &str) -> String {
        if self.versioned { self.versioned_path(kind) } else { self.path.clone() }
    }

    fn versioned_path(&self, kind: &str) -> String {
        let whole = format!("{}/", self.path);
        // The server may name the mount with namespaces that the argument leaves out.
        let mut mount = self.mount.as_str();
        loop {
            if let Some(key) = whole.strip_prefix(mount).filter(|_| !mount.is_empty()) {
                return clean_path(&format!("{mount}{kind}/{key}"));
            }
            match mount.split_once('/') {
                Some((_, rest)) if !rest.is_empty() => mount = rest,
                _ => return clean_path(&format!("{}{kind}/{}", self.mount, self.path)),
            }
        }
    }
}

/// The mount at or above a path, and whether it keeps versions.
fn preflight(api: &Api, path: &str) -> Result<(String, bool)> {
    let request = Request::new(Method::Get, &format!("sys/internal/ui/mounts/{path}"));
    let answer = match api.ask(request).and_then(|r| Ok(r.secret()?)) {
        // A server that does not know the question is older than versions.
        Err(e) if e.status() == Some(404) => return Ok((String::new(), false)),
        Err(e) if e.status() == Some(403) && api.describes() => {
            return Err(Failure::remote(format!(
                "This output flag needs the answer to a preflight request that determines the version of the \
                 key-value store. Please use a token that may read {path}."
            )));
        }
        answer => answer.plain()?,
    };
    let answer = answer.ok_or_else(|| Failure::remote("nil response from pre-flight request"))?;
    let mount = answer.field("path").and_then(Value::as_str).unwrap_or_default().to_owned();
    let version = answer.field("options").and_then(|o| o.get("version"));
    let versioned = version.is_some_and(|v| v.as_str() == Some("2") || v.as_i64() == Some(2));
    Ok((mount, versioned))
}

/// Reads a key: one that was deleted is found, too, without data.
pub(super) fn read(api: &Api, path: &str, version: i64) -> Call<Option<Secret>> {
    api.look(&request(path, version))
}

/// [`read`] that is made even where calls are only described.
pub(super) fn pre_read(api: &Api, path: &str, version: i64) -> Call<Option<Secret>> {
    api.ask_look(request(path, version))
}

fn request(path: &str, version: i64) -> Request {
    let request = Request::new(Method::Get, path);
    if version > 0 { request.query("version", &version.to_string()) } else { request }
}

/// The path below its heading, and a blank line.
pub(super) fn print_path(context: &mut Context<'_>, title: &str, path: &str) {
    context.out(table::heading(title, path.len()));
    context.out(path);
    context.out("");
}

/// A block of rows below its heading.
pub(super) fn print_block(context: &mut Context<'_>, title: &str, data: &Map<String, Value>) -> Result {
    context.out(table::heading_over(title, data.keys()));
    context.print_map(data)
}

/// Prints what a write of a version answered: for people with headings.
pub(super) fn print_written(
    context: &mut Context<'_>,
    args: &Args,
    path: &str,
    answer: Call<Option<Secret>>,
) -> Result {
    let doing = || format!("Error writing data to {path}");
    let success = format!("Success! Data written to: {path}");
    match &answer {
        Ok(Some(secret)) if context.is_table() && args.text("field").is_none() && secret.wrap_info.is_none() => {
            print_path(context, "Secret Path", path);
            context.print_warnings(secret);
            print_block(context, "Metadata", &secret.data.clone().unwrap_or_default())
        }
        _ => super::super::read_write::finish(context, args, answer, doing, &success),
    }
}

/// The metadata and the data of a version that something is to be made of.
pub(super) struct Existing {
    /// Its metadata.
    pub(super) metadata: Map<String, Value>,
    /// Its data.
    pub(super) data: Option<Map<String, Value>>,
}

/// Reads what must be there.
pub(super) fn existing(api: &Api, path: &str, version: i64, purpose: &str) -> Result<Existing> {
    let answer = pre_read(api, path, version).doing(|| format!("Error doing pre-read at {path}"))?;
    let mut data = answer.and_then(|a| a.data).ok_or_else(|| Failure::remote(format!("No value found at {path}")))?;
    let mut part = |name: &str| match data.remove(name) {
        Some(Value::Object(map)) => Some(map),
        _ => None,
    };
    let metadata = part("metadata").ok_or_else(|| {
        Failure::remote(format!("No metadata found at {path}; {purpose} only works on existing data"))
    })?;
    Ok(Existing { metadata, data: part("data") })
}

impl Existing {
    /// The data, which must be there.
    pub(super) fn into_data(self, path: &str, purpose: &str) -> Result<Map<String, Value>> {
        self.data
            .ok_or_else(|| Failure::remote(format!("No data found at {path}; {purpose} only works on existing data")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mount: &str, versioned: bool, path: &str) -> KvPath {
        KvPath { mount: mount.to_owned(), versioned, path: path.to_owned() }
    }

    #[test]
    fn the_kind_stands_behind_the_mount() {
        for (mount, path, want) in [
            ("secret/", "secret/app", "secret/data/app"),
            ("secret/", "secret/a/b", "secret/data/a/b"),
            ("secret/", "secret", "secret/data"),
            ("team/kv/", "team/kv/data/x", "team/kv/data/data/x"),
            ("ns1/secret/", "secret/app", "secret/data/app"),
            ("secret/", "secretive/app", "secret/data/secretive/app"),
        ] {
            assert_eq!(at(mount, true, path).api_path("data"), want, "{mount} {path}");
        }
        assert_eq!(at("kv1/", false, "kv1/app").api_path("data"), "kv1/app");
    }
}
