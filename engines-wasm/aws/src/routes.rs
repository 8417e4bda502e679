//! The route table, with the help that people see.

use engine_sdk::route;
use engine_sdk::types::{Description, Kind, Route};

/// The only backend of a mount.
pub(crate) const BACKEND: &str = "root";
pub(crate) const LEASE: &str = "config/lease";
pub(crate) const ROLE: &str = "roles/{name@}";
pub(crate) const ROLES: &str = "roles/";
pub(crate) const ROOT: &str = "config/root";

/// What the engine is.
pub(crate) fn description() -> Description {
    Description::new("aws", env!("CARGO_PKG_VERSION"))
        .help("Keeps the configuration and the roles for AWS credentials.")
        .route(
            route(ROOT)
                .read()
                .write()
                .backend(BACKEND)
                .synopsis("Configure the keys with which credentials are made.")
                .help("A write replaces the whole configuration. The secret key is never shown.")
                .required("access_key", Kind::Text, "The access key of the user that makes credentials.")
                .field_with(
                    "secret_key",
                    Kind::Text,
                    engine_sdk::types::FieldTraits::REQUIRED | engine_sdk::types::FieldTraits::SENSITIVE,
                    "Its secret key.",
                )
                .field("region", Kind::Text, "The region.")
                .field("iam_endpoint", Kind::Text, "In place of AWS's own.")
                .field("sts_endpoint", Kind::Text, "In place of AWS's own.")
                .field("sts_region", Kind::Text, "The region of the STS endpoint.")
                .field("max_retries", Kind::Integer, "How often a request is repeated; -1: the usual number.")
                .field("username_template", Kind::Text, "How users and sessions are named."),
        )
        .route(
            route(LEASE)
                .read()
                .write()
                .synopsis("Configure how long users live.")
                .required("lease", Kind::Seconds, "How long a user lives.")
                .required("lease_max", Kind::Seconds, "How long it can be made to live."),
        )
        .route(role())
        .route(route(ROLES).list().synopsis("List the roles."))
}

fn role() -> Route {
    route(ROLE)
        .read()
        .upsert()
        .delete()
        .synopsis("Configure a role.")
        .field("credential_type", Kind::Text, "iam_user, assumed_role, federation_token or session_token.")
        .field("role_arns", Kind::CommaList, "Roles that may be assumed.")
        .field("policy_arns", Kind::CommaList, "Managed policies.")
        .field("policy_document", Kind::Text, "A policy in JSON.")
        .field("iam_groups", Kind::CommaList, "Groups.")
        .field("iam_tags", Kind::Pairs, "Tags of users.")
        .field("session_tags", Kind::Pairs, "Tags of sessions.")
        .field("external_id", Kind::Text, "Sent when a role is assumed.")
        .field("default_sts_ttl", Kind::Seconds, "How long a session lives.")
        .field("max_sts_ttl", Kind::Seconds, "How long a session may live.")
        .field("user_path", Kind::Text, "The path of users; default /.")
        .field("permissions_boundary_arn", Kind::Text, "The boundary of users.")
        .field("mfa_serial_number", Kind::Text, "The device whose codes session tokens need.")
        .into()
}
