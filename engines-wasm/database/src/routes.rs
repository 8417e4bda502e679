//! The route table, with the help that people see.

use engine_sdk::route;
use engine_sdk::types::{CredentialKind, Description, Kind, Route};

use crate::lease::{HANDLE_FORMAT, KIND};

pub(crate) const CONFIG: &str = "config/{name}";
pub(crate) const CONFIGS: &str = "config/";
pub(crate) const CREDS: &str = "creds/{name}";
pub(crate) const RESET: &str = "reset/{name}";
pub(crate) const ROLE: &str = "roles/{name}";
pub(crate) const ROLES: &str = "roles/";
pub(crate) const ROTATE_ROOT: &str = "rotate-root/{name}";
pub(crate) const ROTATE_ROOT_ALIAS: &str = "config/{name}/rotate-root";

/// What the engine is.
pub(crate) fn description() -> Description {
    Description::new("database", env!("CARGO_PKG_VERSION"))
        .help("Makes database users on demand, and drops them when their leases end.")
        .route(config())
        .route(route(CONFIGS).list().synopsis("List the connections."))
        .route(route(RESET).write().synopsis("Close a connection, so that the next call opens it anew.").field(
            "name",
            Kind::Text,
            "The connection's name.",
        ))
        .route(rotate_root(ROTATE_ROOT))
        .route(rotate_root(ROTATE_ROOT_ALIAS))
        .route(role())
        .route(route(ROLES).list().synopsis("List the roles."))
        .route(
            route(CREDS)
                .read()
                .synopsis("Make a user.")
                .help("Makes a user by the role's creation statements. It is dropped when the lease ends."),
        )
        .kind(CredentialKind {
            name: KIND.to_owned(),
            reads_formats: vec![HANDLE_FORMAT],
            // A create looks at the clock before its last two statements, which have five seconds each, and the server
            // ends a transaction that was left alone for ten.
            settles_after: 60,
            creates_within: 30,
            ends_itself: false,
        })
}

fn config() -> Route {
    route(CONFIG)
        .read()
        .upsert()
        .delete()
        .backend("{name}")
        .synopsis("Configure a connection.")
        .help(
            "A connection is checked before it is stored, unless verify_connection is false. What is not sent stays as \
             it is. The password is never shown.",
        )
        .field("plugin_name", Kind::Text, "The kind of database: postgresql-database-plugin.")
        .field("plugin_version", Kind::Text, "Empty: the built-in one.")
        .field("verify_connection", Kind::Boolean, "Log in before storing; default true.")
        .field("allowed_roles", Kind::CommaList, "Roles that may use the connection; asterisks match any text.")
        .field("root_rotation_statements", Kind::TextList, "SQL that changes the password of the configured user.")
        .field("password_policy", Kind::Text, "The policy that passwords are made by.")
        .field(
            "connection_url",
            Kind::Text,
            "postgresql://{{username}}:{{password}}@host:port/database?sslmode=verify-full. Without sslmode, TLS is \
             required.",
        )
        .field("username", Kind::Text, "The user that makes users.")
        .sensitive("password", Kind::Text, "Its password.")
        .field(
            "max_open_connections",
            Kind::Integer,
            "Connections at once, kept ones included; 4 if absent or 0, no limit of their own if negative.",
        )
        .field(
            "max_idle_connections",
            Kind::Integer,
            "Of them, kept for later; as many as may be open if absent or 0, none if negative.",
        )
        .field(
            "max_connection_lifetime",
            Kind::Text,
            "How long one may live; five minutes at most, and if absent or 0.",
        )
        .field("disable_escaping", Kind::Boolean, "Kept and shown; nothing is put into the URL as text.")
        .field("username_template", Kind::Text, "How users are named.")
        .field("password_authentication", Kind::Text, "password, or scram-sha-256: the server never sees passwords.")
        .field("tls_ca", Kind::Text, "Authorities in PEM; nothing else is trusted then.")
        .field("tls_certificate", Kind::Text, "The client certificate in PEM.")
        .sensitive("private_key", Kind::Text, "Its key in PEM.")
        .into()
}

fn rotate_root(pattern: &str) -> Route {
    route(pattern)
        .write()
        .synopsis("Change the password of the configured user.")
        .help("Nobody but this server knows the password afterwards.")
        .into()
}

fn role() -> Route {
    const PLACEHOLDERS: &str = "Placeholders: {{name}}, {{password}}, {{expiration}}.";
    let sql = |what: &str| format!("SQL that {what}. {PLACEHOLDERS}");
    route(ROLE)
        .read()
        .upsert()
        .delete()
        .synopsis("Configure a role.")
        .help("A role says with which SQL users are made. Statements are split at semicolons outside of quotes.")
        .field("db_name", Kind::Text, "The connection's name.")
        .field("creation_statements", Kind::TextList, &sql("makes a user"))
        .field(
            "revocation_statements",
            Kind::TextList,
            &sql("ends a user; what it leaves of it is dropped all the same"),
        )
        .field("rollback_statements", Kind::TextList, &sql("ends a user whose making was not seen to succeed"))
        .field("renew_statements", Kind::TextList, &sql("lets a user live longer"))
        .field("default_ttl", Kind::Seconds, "How long a user lives.")
        .field("max_ttl", Kind::Seconds, "How long it can be made to live.")
        .field("credential_type", Kind::Text, "password.")
        .field("credential_config", Kind::Pairs, "password_policy: in place of the connection's.")
        .into()
}
