//! The route table, with the help that people see.

use engine_sdk::types::{CredentialKind, Description, FieldTraits, Kind, Route};
use engine_sdk::{RouteBuilder, route};

use crate::lease::{HANDLE_FORMAT, SESSION, USER};

/// The only backend of a mount.
pub(crate) const BACKEND: &str = "root";
pub(crate) const CREDS: &str = "creds/{name@}";
pub(crate) const LEASE: &str = "config/lease";
pub(crate) const ROLE: &str = "roles/{name@}";
pub(crate) const ROLES: &str = "roles/";
pub(crate) const ROOT: &str = "config/root";
pub(crate) const ROTATE: &str = "config/rotate-root";
pub(crate) const STATIC_CREDS: &str = "static-creds/{name@}";
pub(crate) const STATIC_ROLE: &str = "static-roles/{name@}";
pub(crate) const STATIC_ROLES: &str = "static-roles/";
pub(crate) const STS: &str = "sts/{name@}";

/// A signature is good for 15 minutes, and what it made may show a while later.
const SETTLES: u64 = 1_200;

/// What the engine is.
pub(crate) fn description() -> Description {
    Description::new("aws", env!("CARGO_PKG_VERSION"))
        .help(
            "The AWS engine makes credentials for AWS on demand: IAM users with access keys, which are deleted when \
             their lease ends, and sessions of STS, which end by themselves. Configure the keys that it works with at \
             config/root, describe roles at roles/:name, and read credentials from creds/:name.",
        )
        .route(root())
        .route(
            route(ROTATE)
                .write()
                .synopsis("Replace the configured access key by a new one that only this server knows.")
                .help(
                    "A second access key is made for the same user, tried, and taken into use; then the first one is \
                     deleted. The user must have one key only, and be allowed to manage its own keys.",
                ),
        )
        .route(
            route(LEASE)
                .read()
                .write()
                .synopsis("Configure how long users live.")
                .help("Holds for IAM users. Sessions live as their role says.")
                .required("lease", Kind::Seconds, "How long a user lives, if its lease is not renewed.")
                .required("lease_max", Kind::Seconds, "How long its lease can be renewed."),
        )
        .route(role())
        .route(route(ROLES).list().synopsis("List the roles."))
        .route(credentials(CREDS, "Make credentials for a role."))
        .route(credentials(STS, "Make credentials for a role, of STS in particular."))
        .route(static_role())
        .route(route(STATIC_ROLES).list().synopsis("List the static roles."))
        .route(
            route(STATIC_CREDS)
                .read()
                .backend(BACKEND)
                .synopsis("Read the key that a static role's user has now.")
                .help("It has no lease: it is good until the next rotation, in ttl seconds, and then deleted."),
        )
        .kind(CredentialKind {
            name: USER.to_owned(),
            reads_formats: vec![HANDLE_FORMAT],
            settles_after: SETTLES,
            creates_within: 60,
            ends_itself: false,
        })
        .kind(CredentialKind {
            name: SESSION.to_owned(),
            reads_formats: vec![HANDLE_FORMAT],
            settles_after: 0,
            creates_within: 30,
            ends_itself: true,
        })
}

fn root() -> Route {
    route(ROOT)
        .read()
        .write()
        .backend(BACKEND)
        .synopsis("Configure the keys with which credentials are made.")
        .help(
            "A write replaces the whole configuration and is not tried out. The secret key is never shown. Where no \
             endpoints are given, those of the region's partition are reachable, and nothing else.",
        )
        .required("access_key", Kind::Text, "The access key of the user that makes credentials.")
        .field_with("secret_key", Kind::Text, FieldTraits::REQUIRED | FieldTraits::SENSITIVE, "Its secret key.")
        .field("region", Kind::Text, "The region; default us-east-1.")
        .field("iam_endpoint", Kind::Text, "A URL in place of AWS's own for IAM.")
        .field("sts_endpoint", Kind::Text, "A URL in place of AWS's own for STS.")
        .field("sts_region", Kind::Text, "The region of STS; default: the region.")
        .field("sts_fallback_endpoints", Kind::CommaList, "URLs that are tried where STS does not answer.")
        .field("sts_fallback_regions", Kind::CommaList, "Their regions, one for each.")
        .field("max_retries", Kind::Integer, "How often a request is repeated; -1: the usual number.")
        .field("username_template", Kind::Text, "How users and sessions are named.")
        .field("role_arn", Kind::Text, "Refused: the server signs no identity tokens.")
        .field("identity_token_audience", Kind::Text, "Refused: the server signs no identity tokens.")
        .field("identity_token_key", Kind::Text, "Refused: the server signs no identity tokens.")
        .field("rotation_schedule", Kind::Text, "Refused: write to config/rotate-root where the key is to change.")
        .into()
}

fn role() -> Route {
    route(ROLE)
        .read()
        .upsert()
        .delete()
        .synopsis("Describe what credentials may do.")
        .help("What a write does not send stays as it is. Changes hold for credentials that are made from then on.")
        .field("credential_type", Kind::Text, "iam_user, assumed_role, federation_token or session_token.")
        .field("role_arns", Kind::CommaList, "Roles that may be assumed.")
        .field("policy_arns", Kind::CommaList, "Managed policies: of a user, or as limits of a session.")
        .field("policy_document", Kind::Text, "A policy in JSON: of a user, or as the limit of a session.")
        .field("iam_groups", Kind::CommaList, "Groups: of a user; or a session is limited by their policies.")
        .field("iam_tags", Kind::Pairs, "Tags of users.")
        .field("session_tags", Kind::Pairs, "Tags of sessions.")
        .field("external_id", Kind::Text, "Sent when a role is assumed.")
        .field("source_identity", Kind::Text, "Sent when a role is assumed; AWS logs it with what the session does.")
        .field("default_sts_ttl", Kind::Seconds, "How long a session lives; default one hour.")
        .field("max_sts_ttl", Kind::Seconds, "How long a session may live.")
        .field("user_path", Kind::Text, "The path of users; default /.")
        .field("permissions_boundary_arn", Kind::Text, "The boundary of users.")
        .field("ready_within", Kind::Seconds, "How long to wait until a new user's key works; default: not at all.")
        .field("mfa_serial_number", Kind::Text, "The device whose codes session tokens need.")
        .field("policy", Kind::Text, "Old way to write a role: a policy in JSON, for users and federation tokens.")
        .field("arn", Kind::Text, "Old way to write a role: the ARN of a policy for users, or of a role to assume.")
        .into()
}

fn static_role() -> Route {
    route(STATIC_ROLE)
        .read()
        .upsert()
        .delete()
        .backend(BACKEND)
        .synopsis("Have the key of a user rotated who exists already.")
        .help(
            "The first write makes a key at once. AWS gives a user two keys: where both are there, the oldest one \
             gives way to the first key, and from then on whatever is not the key that clients have. Deleting the \
             role leaves the user and its keys as they are.",
        )
        .field("username", Kind::Text, "The user; it cannot be changed.")
        .field("rotation_period", Kind::Seconds, "How often the key is rotated; a minute at least.")
        .into()
}

fn credentials(pattern: &str, synopsis: &str) -> RouteBuilder {
    route(pattern)
        .read()
        .write()
        .synopsis(synopsis)
        .help(
            "Answers access_key, secret_key, and for sessions security_token (session_token is the same). Keys of \
             users may take some seconds until all of AWS knows them.",
        )
        .field("role_arn", Kind::Text, "The role to assume; required where there are several.")
        .field("role_session_name", Kind::Text, "The name of an assumed role's session.")
        .field("ttl", Kind::Seconds, "How long a session is to live.")
        .sensitive("mfa_code", Kind::Text, "The code of the role's device.")
}
