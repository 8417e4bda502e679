//! `sys/inventory`: what is in the backends of a mount, with and without leases.

use std::sync::Arc;

use cofferdam_model::route::FieldKind::{Boolean, Integer, Seconds, Text};
use cofferdam_model::{Error, Response, Result, Timestamp};
use cofferdam_storage::port::Batch;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::sandbox::mount_at;
use crate::inventory::{self, Item, State};
use crate::mounts::MountEntry;
use crate::native::{Ctx, Routes};

/// Objects in one answer, if nothing else is asked for, and at most.
const USUAL: usize = 1_000;
const MOST: usize = 10_000;

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("inventory/{path*}", "What is in the backends of a mount, and what has no lease. Needs sudo.")
        .sudo()
        .fields(&[
            ("state", Text, "Only leased, stock, pending, orphan or ghost ones."),
            ("ignored", Boolean, "Ignored orphans too; true if not given."),
            ("after", Text, "The next page: `next` of the answer before."),
            ("limit", Integer, "How many; 1000 if not given."),
            ("object", Text, "To adopt, destroy or ignore: the exact name."),
            ("backend", Text, "To adopt, destroy or ignore: where it is, if several backends have one of that name."),
            ("ttl", Seconds, "To adopt: how long it may live; if not given, as long as the mount's leases do."),
        ])
        .read(list)
        .write(act)
}

fn list(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let mount = mount_at(&ctx, ctx.param("path"))?;
        let limit = match ctx.number("limit") {
            0 => USUAL,
            n => usize::try_from(n).map_err(|_| Error::invalid("limit: must not be negative"))?.min(MOST),
        };
        let state = match ctx.text("state") {
            "" => None,
            name => Some(named(name)?),
        };
        let ignored = ctx.flag("ignored", true);
        let (listings, now) = (&ctx.vault.listings, ctx.vault.clock.proven());
        let cursor = Cursor::read(ctx.text("after"))?;
        let kept = cursor.and_then(|cursor| listings.get(cursor.listing, &mount.uuid, now));
        let inventory = match &kept {
            Some(inventory) => inventory.clone(),
            None => Arc::new(inventory::look(ctx.vault, &mount, None).await?.for_reading()),
        };
        let wanted =
            |item: &&Item| state.is_none_or(|state| state == item.state) && (ignored || item.ignored.is_none());
        let begin = inventory.items.partition_point(|item| cursor.is_some_and(|cursor| place(item) <= cursor.after));
        let items = inventory.items.iter().skip(begin);
        let mut page: Vec<&Item> = items.filter(wanted).take(limit.saturating_add(1)).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        let read = cursor.filter(|_| kept.is_some()).map(|cursor| cursor.listing.to_owned());
        let next = match (page.last().filter(|_| more), read) {
            (Some(last), read) => {
                let id = read.unwrap_or_else(|| listings.keep(&mount.uuid, inventory.clone(), now));
                Some(format!("{id}:{}/{}", last.backend, last.stamp))
            }
            (None, read) => {
                read.iter().for_each(|id| listings.forget(id));
                None
            }
        };
        let objects: Vec<Value> = page.into_iter().map(json_of).collect();
        let response = Response::with_value(&json!({ "objects": objects, "next": next }));
        Ok(inventory.warnings.iter().cloned().fold(response, Response::warn))
    })
}

/// Where the next page begins.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    /// The listing that is being read. One that is there no longer is made anew.
    listing: &'a str,
    /// The place of the last item.
    after: (&'a str, &'a str),
}

impl<'a> Cursor<'a> {
    fn read(next: &'a str) -> Result<Option<Self>> {
        if next.is_empty() {
            return Ok(None);
        }
        let read = next.split_once(':').and_then(|(listing, place)| Some((listing, place.split_once('/')?)));
        let (listing, after) = read.ok_or_else(|| Error::invalid("after: give `next` of the answer before"))?;
        Ok(Some(Self { listing, after }))
    }
}

/// In the order of the listing.
fn place(item: &Item) -> (&str, &str) {
    (&item.backend, &item.stamp)
}

fn named(state: &str) -> Result<State> {
    let all = [State::Leased, State::Stock, State::Pending, State::Orphan, State::Ghost];
    let found = all.into_iter().find(|s| s.name() == state);
    found.ok_or_else(|| Error::invalid("state: leased, stock, pending, orphan or ghost"))
}

fn json_of(item: &Item) -> Value {
    let seconds = |unix: u64| i64::try_from(unix).ok().map(|unix| Timestamp::default().plus_seconds(unix).rfc3339());
    json!({
        "object": item.object,
        "backend": item.backend,
        "kind": item.kind,
        "state": item.state.name(),
        "lease_id": item.lease,
        "created_at": item.created_at.and_then(seconds),
        "ignored": item.ignored.is_some(),
        "ignored_by": item.ignored.as_ref().map(|ignored| ignored.by.clone()),
        "ignored_at": item.ignored.as_ref().map(|ignored| ignored.at.rfc3339()),
    })
}

/// `<mount>/adopt`, `<mount>/destroy`, `<mount>/ignore`. The object is looked at again first.
fn act(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let Some((mount, action)) = ctx.param("path").trim_end_matches('/').rsplit_once('/') else {
            return Err(Error::invalid("say what is to be done: <mount>/adopt, <mount>/destroy or <mount>/ignore"));
        };
        ctx.vault.fence.check()?;
        let mount = mount_at(&ctx, mount)?;
        let object = ctx.text("object");
        if object.is_empty() {
            return Err(Error::invalid("object: say which one, by its exact name"));
        }
        let item = one(&ctx, &mount, object).await?;
        let done = match action {
            "adopt" => adopt(&ctx, &mount, item).await,
            "destroy" => destroy(&ctx, &mount, item).await,
            "ignore" => ignore(&ctx, &mount, item).await,
            _ => return Err(Error::invalid("adopt, destroy or ignore")),
        };
        let asked = ctx.asked()?;
        tracing::info!(
            target: "audit",
            action,
            mount = mount.path,
            object,
            backend = ctx.text("backend"),
            by = asked.token.record.accessor,
            request = ctx.request.id,
            done = done.is_ok(),
            "inventory"
        );
        done
    })
}

/// The orphan of this name.
async fn one(ctx: &Ctx<'_>, mount: &Arc<MountEntry>, object: &str) -> Result<Item> {
    let backend = ctx.text("backend");
    let inventory = inventory::look(ctx.vault, mount, Some(object)).await?;
    let named = |item: &Item| item.object == object && (backend.is_empty() || item.backend == backend);
    let mut found: Vec<Item> = inventory.items.into_iter().filter(named).collect();
    match (found.pop(), found.is_empty()) {
        (Some(item), true) => Ok(item),
        (Some(_), false) => Err(Error::invalid(format!("{object:?} is on several backends: say which"))),
        (None, _) => {
            let trouble = inventory.warnings.join("; ");
            let message = format!("there is no {object:?} with this mount's stamp");
            Err(Error::invalid(if trouble.is_empty() { message } else { format!("{message} ({trouble})") }))
        }
    }
}

async fn adopt(ctx: &Ctx<'_>, mount: &MountEntry, item: Item) -> Result<Response> {
    let (default_ttl, max_ttl) = mount.ttls(ctx.vault.system_ttls());
    let limits = cofferdam_leases::Limits { default_ttl, max_ttl, ..cofferdam_leases::Limits::default() };
    let clamped = cofferdam_leases::clamp(ctx.seconds("ttl"), &limits);
    let orphan = inventory::orphan(ctx.vault, mount, item).await?;
    let lease = ctx.vault.ledger().adopt(orphan, clamped.ttl).await?;
    let response = Response::with_value(&json!({ "lease_id": lease.id, "ttl": clamped.ttl }));
    Ok(clamped.warning.into_iter().fold(response, Response::warn))
}

async fn destroy(ctx: &Ctx<'_>, mount: &MountEntry, item: Item) -> Result<Response> {
    let orphan = inventory::orphan(ctx.vault, mount, item).await?;
    ctx.vault.ledger().end(orphan).await?;
    Ok(Response::empty())
}

async fn ignore(ctx: &Ctx<'_>, mount: &MountEntry, item: Item) -> Result<Response> {
    if item.state != State::Orphan {
        return Err(Error::invalid(format!("{:?} is no orphan: it is {}", item.object, item.state.name())));
    }
    let token = &ctx.asked()?.token.record;
    let by = format!("{} ({})", token.display_name, token.accessor);
    let op = inventory::ignore(mount, &item, by, ctx.vault.clock.now())?;
    ctx.vault.storage.apply(Batch { checks: Vec::new(), ops: vec![op] }).await?;
    Ok(Response::empty())
}
