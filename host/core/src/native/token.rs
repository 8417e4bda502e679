//! `auth/token`: tokens make, look up, renew and revoke tokens.

mod create;
mod lookup;
mod renew;
mod revoke;

use std::sync::{Arc, OnceLock};

use cofferdam_model::response::AuthInfo;
use cofferdam_model::route::FieldKind::{Boolean, Integer, Pairs, Seconds, Text, TextList};
use cofferdam_model::{Error, Response, Result, SecretText};
use cofferdam_tokens::{Token, TokenRecord};
use futures::future::BoxFuture;

use super::{Ctx, NativeRoute, Routes};
use crate::vault::Vault;

const CREATE: &[(&str, cofferdam_model::route::FieldKind, &str)] = &[
    ("id", Text, "An id of one's own choice; needs sudo."),
    ("policies", TextList, "The policies of the token; those of the caller if none is given."),
    ("meta", Pairs, "What to remember of it, shown in look-ups."),
    ("no_parent", Boolean, "Makes an orphan; needs sudo."),
    ("no_default_policy", Boolean, "Leaves the default policy out."),
    ("renewable", Boolean, "May be renewed; true if not given."),
    ("ttl", Seconds, "How long it lives."),
    ("lease", Seconds, "The old name of ttl."),
    ("type", Text, "service."),
    ("explicit_max_ttl", Seconds, "No renewal goes beyond this."),
    ("display_name", Text, "For people."),
    ("num_uses", Integer, "How often it may be used; 0: without limit."),
    ("period", Seconds, "Renews to this again and again; needs sudo."),
    ("entity_alias", Text, "Only with a role."),
    ("bound_cidrs", TextList, "Refused: no token is bound to addresses here."),
    ("token_bound_cidrs", TextList, "Refused, as bound_cidrs is."),
];

pub(super) fn routes() -> &'static [NativeRoute] {
    static ROUTES: OnceLock<Vec<NativeRoute>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        Routes::default()
            .route("create", "Makes a child of the caller's token.")
            .fields(CREATE)
            .write(create::create)
            .route("create-orphan", "Makes a token without a parent.")
            .fields(CREATE)
            .write(create::create_orphan)
            .route("lookup-self", "Shows the caller's token.")
            .read(lookup::own)
            .write(lookup::own)
            .route("lookup", "Shows a token; the caller's if none is given.")
            .field("token", Text, "The token.")
            .read(lookup::given)
            .write(lookup::given)
            .route("lookup-accessor", "Shows the token of an accessor, but not the token itself.")
            .field("accessor", Text, "The accessor.")
            .write(lookup::by_accessor)
            .route("renew-self", "Renews the caller's token.")
            .fields(&[("increment", Seconds, "How long from now."), ("token", Text, "Ignored.")])
            .write(renew::own)
            .route("renew", "Renews a token.")
            .fields(&[("increment", Seconds, "How long from now."), ("token", Text, "The token.")])
            .write(renew::given)
            .route("renew-accessor", "Renews the token of an accessor.")
            .fields(&[("increment", Seconds, "How long from now."), ("accessor", Text, "The accessor.")])
            .write(renew::by_accessor)
            .route("revoke-self", "Revokes the caller's token, its children and its leases.")
            .write(revoke::own)
            .route("revoke", "Revokes a token, its children and its leases.")
            .field("token", Text, "The token.")
            .write(revoke::given)
            .route("revoke-accessor", "Revokes the token of an accessor, its children and its leases.")
            .field("accessor", Text, "The accessor.")
            .write(revoke::by_accessor)
            .route("revoke-orphan", "Revokes a token and its leases; its children live on as orphans. Needs sudo.")
            .field("token", Text, "The token.")
            .write(revoke::orphan)
            .route("accessors/", "Lists the accessors of all tokens. Needs sudo.")
            .sudo()
            .list(accessors)
            .route("tidy", "Answers that nothing needs tidying.")
            .write(tidy)
            .done()
    })
}

fn accessors(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move { Ok(Response::with_keys(ctx.vault.tokens.accessors().await?)) })
}

fn tidy(_ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let said = "Nothing to tidy: ended tokens are removed as they end, by a queue that survives crashes.";
        Ok(Response { status: Some(202), ..Response::empty().warn(said) })
    })
}

/// The envelope's `auth` for a token; `id` is empty where it must not be shown.
fn auth_info(id: SecretText, record: &TokenRecord, ttl: u64) -> Box<AuthInfo> {
    Box::new(AuthInfo {
        client_token: id,
        accessor: record.accessor.clone(),
        policies: record.policies.clone(),
        token_policies: record.policies.clone(),
        identity_policies: Vec::new(),
        metadata: record.meta.clone(),
        lease_duration: ttl,
        renewable: record.renewable,
        entity_id: record.entity_id.clone(),
        token_type: "service".to_owned(),
        orphan: record.parent.is_none(),
        num_uses: record.num_uses,
    })
}

/// The valid token of the `accessor` field.
async fn of_accessor(vault: &Arc<Vault>, accessor: &str) -> Result<Token> {
    if accessor.is_empty() {
        return Err(Error::invalid("missing accessor"));
    }
    vault.tokens.by_accessor(accessor).await?.ok_or_else(|| Error::invalid("invalid accessor"))
}
