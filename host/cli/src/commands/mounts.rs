//! What secrets engines and auth methods have in common: settings, tables, moving.

use std::time::Duration;

use cofferdam_client::Secret;
use cofferdam_model::duration;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::flags::{Args, Flag, Kind, flag};
use crate::output::{table, value};
use crate::text::with_slash;

/// Settings of a mount that can be changed later, too.
pub(super) const TUNABLE: &[Flag] = &[
    flag("default-lease-ttl", Kind::Seconds, "The default TTL of leases; a negative one resets it to the system's."),
    flag("max-lease-ttl", Kind::Seconds, "The maximum TTL of leases; a negative one resets it to the system's."),
    flag("description", Kind::Text, "What the mount is for."),
    flag("audit-non-hmac-request-keys", Kind::List, "A key of requests that is audited in plain. May be repeated."),
    flag("audit-non-hmac-response-keys", Kind::List, "A key of responses that is audited in plain. May be repeated."),
    flag("listing-visibility", Kind::Text, "Who sees the mount without a token: \"unauth\" or \"hidden\"."),
    flag("passthrough-request-headers", Kind::List, "A request header that the plugin sees. May be repeated."),
    flag("allowed-response-headers", Kind::List, "A response header that the plugin may set. May be repeated."),
    flag("plugin-version", Kind::Text, "The version of the plugin to run."),
    flag("options", Kind::Pairs, "A key=value pair for the engine. May be repeated."),
    flag("version", Kind::Int, "The version of the engine, where it has several."),
];

/// Settings that count when the mount is made.
pub(super) const ONCE: &[Flag] = &[
    flag("path", Kind::Text, "Where to mount; the type's name if not given."),
    flag("plugin-name", Kind::Text, "The plugin to run, for the type \"plugin\"."),
    flag("local", Kind::Bool, "Keep the mount out of replication."),
    flag("seal-wrap", Kind::Bool, "Wrap critical values with the seal."),
    flag("external-entropy-access", Kind::Bool, "Let the engine use an external source of entropy."),
];

/// The grants flag of this server.
pub(super) const EGRESS: Flag = flag(
    "egress",
    Kind::List,
    "The network places that the engine may reach beyond those its configuration names, as host:port, comma-separated. \
     An empty value takes them all away.",
);

/// The settings that were given, under the API's names.
pub(super) fn tunables(args: &Args) -> Map<String, Value> {
    let mut body = Map::new();
    for name in ["default-lease-ttl", "max-lease-ttl"] {
        if let Some(text) = args.seconds(name).and_then(api_ttl) {
            body.insert(name.replace('-', "_"), json!(text));
        }
    }
    let lists = [
        "audit-non-hmac-request-keys",
        "audit-non-hmac-response-keys",
        "passthrough-request-headers",
        "allowed-response-headers",
    ];
    for name in lists {
        if args.is_set(name) {
            body.insert(name.replace('-', "_"), json!(args.split_list(name)));
        }
    }
    for name in ["listing-visibility", "plugin-version", "token-type"] {
        if let Some(text) = args.given(name) {
            body.insert(name.replace('-', "_"), json!(text));
        }
    }
    if args.is_set("egress") {
        body.insert("egress".to_owned(), json!(args.split_list("egress")));
    }
    body
}

/// The options, with `-version` among them.
pub(super) fn options(args: &Args) -> Map<String, Value> {
    let mut options: Map<String, Value> = args.pairs("options").into_iter().map(|(k, v)| (k, json!(v))).collect();
    if let Some(version) = args.int("version").filter(|v| *v > 0) {
        options.insert("version".to_owned(), json!(version.to_string()));
    }
    options
}

/// Zero is left out, a negative TTL asks for the system's.
fn api_ttl(seconds: i64) -> Option<String> {
    match seconds {
        0 => None,
        ..0 => Some("system".to_owned()),
        _ => Some(duration::go_text(seconds)),
    }
}

/// The body that makes a mount, and its path.
pub(super) fn enable_body(args: &Args, kind: &str) -> (String, Value) {
    let plugin = args.text("plugin-name");
    let path = args.text("path").or(plugin.filter(|_| kind == "plugin")).unwrap_or(kind);
    let mut config = tunables(args);
    if args.on("force-no-cache") {
        config.insert("force_no_cache".to_owned(), json!(true));
    }
    let mut body = json!({
        "type": kind,
        "description": args.text("description").unwrap_or_default(),
        "config": config,
        "local": args.on("local"),
        "seal_wrap": args.on("seal-wrap"),
        "external_entropy_access": args.on("external-entropy-access"),
    });
    let options = options(args);
    if !options.is_empty() {
        body["options"] = Value::Object(options);
    }
    if let Some(name) = plugin {
        body["plugin_name"] = json!(name);
    }
    (with_slash(path), body)
}

/// The body that tunes a mount.
pub(super) fn tune_body(args: &Args) -> Value {
    let mut body = tunables(args);
    if let Some(text) = args.given("description") {
        body.insert("description".to_owned(), json!(text));
    }
    let options = options(args);
    if !options.is_empty() {
        body.insert("options".to_owned(), Value::Object(options));
    }
    Value::Object(body)
}

/// A mount of a table.
pub(super) struct Mount<'a> {
    /// Its path.
    pub(super) path: &'a str,
    about: &'a Value,
}

impl Mount<'_> {
    /// A field as a cell.
    pub(super) fn cell(&self, name: &str) -> String {
        match &self.about[name] {
            Value::Null => String::new(),
            other => value::plain(other),
        }
    }

    /// A flag as a cell.
    fn flag(&self, name: &str) -> String {
        self.about[name].as_bool().unwrap_or_default().to_string()
    }

    fn ttl(&self, name: &str) -> String {
        match (self.cell("type").as_str(), self.about["config"][name].as_i64()) {
            ("system" | "cubbyhole", _) => String::new(),
            (_, Some(seconds)) if seconds != 0 => seconds.to_string(),
            _ => "system".to_owned(),
        }
    }

    /// All of it. The sixth column is what the two kinds of mounts differ in.
    pub(super) fn detailed(&self, sixth: &str) -> Vec<String> {
        let config = |name: &str| match &self.about["config"][name] {
            Value::Null if name == "force_no_cache" => "false".to_owned(),
            Value::Null => String::new(),
            other => value::plain(other),
        };
        let options = match &self.about["options"] {
            Value::Null => "map[]".to_owned(),
            other => value::plain(other),
        };
        let plugin = match self.cell("type").as_str() {
            "plugin" => config("plugin_name"),
            kind => kind.to_owned(),
        };
        let replication = if self.about["local"] == true { "local" } else { "replicated" };
        vec![
            self.path.to_owned(),
            plugin,
            self.cell("accessor"),
            self.ttl("default_lease_ttl"),
            self.ttl("max_lease_ttl"),
            config(sixth),
            replication.to_owned(),
            self.flag("seal_wrap"),
            self.flag("external_entropy_access"),
            options,
            self.cell("description"),
            self.cell("uuid"),
            self.cell("plugin_version"),
            self.cell("running_plugin_version"),
            self.cell("running_sha256"),
            self.cell("deprecation_status"),
        ]
    }
}

/// The header of [`Mount::detailed`].
pub(super) fn detailed_header(sixth: &'static str) -> Vec<&'static str> {
    vec![
        "Path",
        "Plugin",
        "Accessor",
        "Default TTL",
        "Max TTL",
        sixth,
        "Replication",
        "Seal Wrap",
        "External Entropy Access",
        "Options",
        "Description",
        "UUID",
        "Version",
        "Running Version",
        "Running SHA256",
        "Deprecation Status",
    ]
}

/// A table of mounts, or their data.
pub(super) fn print_mounts(
    context: &mut Context<'_>,
    answer: Option<Secret>,
    header: &[&str],
    row: impl Fn(&Mount<'_>) -> Vec<String>,
) -> Result {
    let data = answer.and_then(|a| a.data).unwrap_or_default();
    if !context.is_table() {
        let ordered: std::collections::BTreeMap<&String, Ordered<'_>> =
            data.iter().map(|(path, about)| (path, Ordered(about))).collect();
        return context.print_machine(&ordered);
    }
    let mut mounts: Vec<Mount<'_>> = data.iter().map(|(path, about)| Mount { path, about }).collect();
    mounts.sort_by_key(|m| m.path);
    let rows = mounts.iter().map(row).collect();
    context.out(table::with_header(header, rows));
    Ok(0)
}

/// The fields of a mount in the order in which Vault's clients print them; others follow by name.
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const ORDER: &[&str] = &[
            "uuid",
            "type",
            "description",
            "accessor",
            "config",
            "options",
            "local",
            "seal_wrap",
            "external_entropy_access",
        ];
        let Value::Object(fields) = self.0 else { return self.0.serialize(serializer) };
        let first = ORDER.iter().filter_map(|name| fields.get_key_value(*name));
        let rest = fields.iter().filter(|(name, _)| !ORDER.contains(&name.as_str()));
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (name, value) in first.chain(rest) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Moves a mount and waits for the end. `what` is `secrets engine` or `auth method`.
pub(super) fn move_mount(
    context: &mut Context<'_>,
    args: &Args,
    what: &str,
    prefix: &str,
    (from, to): (&str, &str),
) -> Result {
    const STEP: Duration = Duration::from_millis(500);
    let api = context.api(args)?;
    let body = json!({ "from": format!("{prefix}{from}"), "to": format!("{prefix}{to}") });
    let answer = api.post("sys/remount", body).doing(|| format!("Error moving {what} {from} to {to}"))?;
    let id = answer.as_ref().and_then(|a| a.field("migration_id")).and_then(Value::as_str);
    let id = id.ok_or_else(|| Failure::remote(format!("Error moving {what} {from} to {to}: no migration id")))?;
    context.out(format!("Started moving {what} {from} to {to}, with migration ID {id}"));
    let mut said = false;
    loop {
        let answer = api
            .read(&format!("sys/remount/status/{id}"))
            .doing(|| format!("Error checking migration status of {what} {from} to {to}"))?;
        let status = answer.as_ref().and_then(|a| a.field("migration_info")).map(|i| i["status"].clone());
        match status.as_ref().and_then(Value::as_str) {
            Some("success") => {
                context.out(format!("Success! Finished moving {what} {from} to {to}, with migration ID {id}"));
                return Ok(0);
            }
            Some("failure") => {
                return Err(Failure::remote(format!(
                    "Failure! Error encountered moving {what} {from} to {to}, with migration ID {id}"
                )));
            }
            None => return Err(Failure::remote(format!("Error checking migration status: no status of {id}"))),
            Some(_) if !said => {
                said = true;
                context.out(format!(
                    "Waiting for terminal status in migration of {what} {from} to {to}, with migration ID {id}"
                ));
            }
            Some(_) => {}
        }
        api.pause(STEP);
    }
}
