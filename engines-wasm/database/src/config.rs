//! Connections: `config/{name}`. What may be shown is stored in the mount; what logs in, in the host's slot.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_sdk::types::{Failure, Operation, Outcome, Reply, Request};
use engine_sdk::{Context, failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{self, Endpoint, Identity, Root};
use crate::lease::budget;
use crate::location::{Location, Security};
use crate::username::Template;

/// The only driver so far.
pub(crate) const PLUGIN: &str = "postgresql-database-plugin";

/// A connection as it is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Config {
    pub(crate) plugin_name: String,
    pub(crate) plugin_version: String,
    /// Names, perhaps with asterisks.
    pub(crate) allowed_roles: Vec<String>,
    pub(crate) password_policy: String,
    pub(crate) root_rotation_statements: Vec<String>,
    pub(crate) verify_connection: bool,
    /// What was sent, but for secrets.
    pub(crate) connection_details: BTreeMap<String, Value>,
    /// Which database it is, if it was asked.
    pub(crate) identity: Option<Identity>,
}

/// What a write may send. Absent fields stay as they are.
#[derive(Deserialize)]
struct Write {
    plugin_name: Option<String>,
    plugin_version: Option<String>,
    allowed_roles: Option<Vec<String>>,
    password_policy: Option<String>,
    root_rotation_statements: Option<Vec<String>>,
    verify_connection: Option<bool>,
    password: Option<String>,
    private_key: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// What a read shows.
#[derive(Serialize)]
struct View<'a> {
    plugin_name: &'a str,
    plugin_version: &'a str,
    allowed_roles: &'a [String],
    password_policy: &'a str,
    root_credentials_rotate_statements: &'a [String],
    verify_connection: bool,
    connection_details: &'a BTreeMap<String, Value>,
}

impl Config {
    /// The connection of this name.
    pub(crate) fn load(ctx: &Context, name: &str) -> Result<Option<Self>, Failure> {
        ctx.storage().get_json(&key(name))
    }

    /// Whether a role of this name may use the connection.
    pub(crate) fn allows(&self, role: &str) -> bool {
        self.allowed_roles.iter().any(|pattern| matches(pattern, role))
    }

    /// The text of a detail; empty where there is none.
    pub(crate) fn detail(&self, name: &str) -> &str {
        self.connection_details.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the server is to get verifiers in place of passwords.
    pub(crate) fn hashes_passwords(&self) -> bool {
        self.detail("password_authentication") == "scram-sha-256"
    }

    fn check(&self) -> Result<(), Failure> {
        match self.plugin_name.as_str() {
            PLUGIN => {}
            "" => return Err(failure::invalid("plugin_name is required")),
            other => return Err(refusal(format!("unknown plugin {other:?}: this engine has {PLUGIN:?}"))),
        }
        if !matches!(self.plugin_version.as_str(), "" | "builtin") {
            return Err(refusal("there is one version of the plugin, the built-in one"));
        }
        if !matches!(self.detail("password_authentication"), "" | "password" | "scram-sha-256") {
            return Err(refusal("password_authentication must be password or scram-sha-256"));
        }
        Template::parse(self.detail("username_template")).map_err(refusal)?;
        Ok(())
    }
}

/// Serves `config/{name}`.
pub(crate) fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    let name = request.param("name");
    match request.operation {
        Operation::Read => read(ctx, name),
        Operation::Delete => {
            ctx.storage().delete(&key(name));
            Ok(Reply::none().into())
        }
        _ => write(ctx, name, request.fields()?),
    }
}

/// Serves `reset/{name}`: storing the connection anew makes the host drop the instances that hold it open.
pub(crate) fn reset(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    let name = request.param("name");
    let config = Config::load(ctx, name)?.ok_or_else(|| unknown(name))?;
    ctx.storage().put_json(&key(name), &config)?;
    Ok(Reply::none().into())
}

/// The storage key.
pub(crate) fn key(name: &str) -> String {
    format!("config/{name}")
}

/// There is no connection of this name.
pub(crate) fn unknown(name: &str) -> Failure {
    failure::invalid(format!("there is no connection {name:?}"))
}

/// Where this call's backend is.
pub(crate) fn endpoint(ctx: &Context) -> Result<Endpoint, Failure> {
    let target = ctx.target().ok_or_else(|| failure::invalid("connection_url is missing"))?;
    let location = Location::parse(&target.location).map_err(failure::invalid)?;
    Ok(Endpoint { host: target.host, port: target.port, location })
}

fn read(ctx: &Context, name: &str) -> Result<Outcome, Failure> {
    let Some(config) = Config::load(ctx, name)? else { return Ok(Reply::none().into()) };
    let view = View {
        plugin_name: &config.plugin_name,
        plugin_version: &config.plugin_version,
        allowed_roles: &config.allowed_roles,
        password_policy: &config.password_policy,
        root_credentials_rotate_statements: &config.root_rotation_statements,
        verify_connection: config.verify_connection,
        connection_details: &config.connection_details,
    };
    Ok(Reply::data(&view)?.into())
}

fn write(ctx: &Context, name: &str, sent: Write) -> Result<Outcome, Failure> {
    let mut config = Config::load(ctx, name)?.unwrap_or_default();
    let literal_password = match sent.rest.get("connection_url").and_then(Value::as_str) {
        Some(url) => {
            config.identity = None;
            Location::parse(url).map_err(refusal)?.password
        }
        None => None,
    };
    let secrets = (literal_password.clone().or(sent.password.clone()), sent.private_key.clone());
    config.merge(sent);
    config.check()?;
    let target = ctx.target().ok_or_else(|| refusal("connection_url is missing"))?;
    // As the host keeps it: without a literal password.
    config.connection_details.insert("connection_url".to_owned(), target.location.into());
    let endpoint = endpoint(ctx).map_err(|error| refusal(error.message))?;
    let root = merge_root(ctx.slot(name)?.unwrap_or_default(), &config, secrets);
    client::check_certificates(&root).map_err(refusal)?;
    if config.verify_connection {
        config.identity = Some(verify(&endpoint, &root, budget(ctx)?)?);
    }
    ctx.put_slot(name, &root)?;
    ctx.storage().put_json(&key(name), &config)?;
    Ok(warn(Reply::none(), literal_password.is_some(), endpoint.location.security).into())
}

impl Config {
    fn merge(&mut self, sent: Write) {
        fn set<T>(place: &mut T, sent: Option<T>) {
            if let Some(sent) = sent {
                *place = sent;
            }
        }
        set(&mut self.plugin_name, sent.plugin_name);
        set(&mut self.plugin_version, sent.plugin_version);
        set(&mut self.allowed_roles, sent.allowed_roles);
        set(&mut self.password_policy, sent.password_policy);
        set(&mut self.root_rotation_statements, sent.root_rotation_statements);
        self.verify_connection = sent.verify_connection.unwrap_or(true);
        self.connection_details.extend(sent.rest);
    }
}

/// What logs in: names and certificates from the details, secrets as they were sent or are held.
fn merge_root(held: Root, config: &Config, (password, private_key): (Option<String>, Option<String>)) -> Root {
    let detail = |name| Some(config.detail(name).to_owned()).filter(|text| !text.is_empty());
    Root {
        username: detail("username"),
        password: password.or(held.password),
        tls_ca: detail("tls_ca"),
        tls_certificate: detail("tls_certificate"),
        // An empty one takes it out, as with the certificate that it belongs to.
        private_key: private_key.or(held.private_key).filter(|key| !key.is_empty()),
    }
}

fn verify(endpoint: &Endpoint, root: &Root, budget: Duration) -> Result<Identity, Failure> {
    let identity = client::fresh(endpoint, root, budget, client::identify);
    let secrets = [root.password.as_deref().unwrap_or_default()];
    identity.map_err(|error| refusal(format!("error verifying connection: {}", error.without(&secrets))))
}

fn refusal(why: impl std::fmt::Display) -> Failure {
    failure::invalid(format!("error creating database object: {why}"))
}

fn warn(reply: Reply, literal_password: bool, security: Security) -> Reply {
    let reply = match literal_password {
        true => reply.warning(
            "connection_url contains a password. It is kept apart from the URL and never shown; write {{password}} there \
             and send it as the field password, so that it stays out of shell histories and logs too.",
        ),
        false => reply,
    };
    match security {
        Security::Implied => reply.warning(
            "connection_url does not settle sslmode: TLS is required, but the server's certificate is only verified \
             if tls_ca is given. Write sslmode=verify-full, or sslmode=disable to do without TLS.",
        ),
        _ => reply,
    }
}

/// Whether a pattern, in which an asterisk stands for any text, matches a name.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_names_with_asterisks() {
        for (pattern, name, want) in [
            ("*", "app", true),
            ("app", "app", true),
            ("app", "apps", false),
            ("x*", "x-all", true),
            ("x*", "ax", false),
            ("*-ro", "app-ro", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("aa*aa", "aaa", false),
            ("", "app", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
