//! Static roles: `static-roles/{name}` and `static-creds/{name}`. Users that exist already, whose keys the host has
//! rotated on a period.

use engine_sdk::types::{Failure, Keeping, Operation, Outcome, Reply, Request, from_json, to_json};
use engine_sdk::{Context, failure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::{self, Client, Keys};
use crate::config::Root;
use crate::lease::{budget, keys};
use crate::rotate::{KEYS_MAX, PROPAGATES};

/// What slots of static roles begin with.
const SLOT: &str = "static/";
/// Seconds.
const SHORTEST: u64 = 60;

/// A static role as it is stored.
#[derive(Deserialize, Serialize)]
struct StaticRole {
    username: String,
    /// The user's unique id: another one of that name is not this one.
    id: String,
    rotation_period: u64,
}

/// A user's key: what the host keeps, and what a rotation is on its way to.
#[derive(Deserialize, Serialize)]
struct Secret {
    username: String,
    /// The user's keys as they were before, once they were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Vec<String>>,
    #[serde(flatten)]
    keys: Option<Keys>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    username: String,
    rotation_period: Option<u64>,
}

fn key(name: &str) -> String {
    format!("static-roles/{name}")
}

fn load(ctx: &Context, name: &str) -> Result<Option<StaticRole>, Failure> {
    ctx.storage().get_json(&key(name))
}

/// The static role behind a slot.
pub(crate) fn of_slot(slot: &str) -> Option<&str> {
    slot.strip_prefix(SLOT)
}

/// Whether there is such a role.
pub(crate) fn exists(ctx: &Context, name: &str) -> bool {
    ctx.storage().get(&key(name)).is_some()
}

/// Serves `static-roles/{name}`.
pub(crate) fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    let name = request.param("name");
    match request.operation {
        Operation::Read => match load(ctx, name)? {
            Some(role) => Ok(Reply::data(&shown(name, &role))?.into()),
            None => Ok(Reply::none().into()),
        },
        Operation::Delete => {
            ctx.storage().delete(&key(name));
            Ok(Outcome::Keep(Keeping { slot: format!("{SLOT}{name}"), every: None, data: None }))
        }
        _ => write(ctx, request, name),
    }
}

fn shown(name: &str, role: &StaticRole) -> serde_json::Value {
    json!({ "name": name, "id": role.id, "username": role.username, "rotation_period": role.rotation_period })
}

fn write(ctx: &Context, request: &Request, name: &str) -> Result<Outcome, Failure> {
    let (sent, old): (Sent, _) = (request.fields()?, load(ctx, name)?);
    let Some(rotation_period) = sent.rotation_period.or(old.as_ref().map(|old| old.rotation_period)) else {
        return Err(failure::invalid("rotation_period is required"));
    };
    if rotation_period < SHORTEST {
        return Err(failure::invalid("rotation_period: a minute at least"));
    }
    let role = match old {
        Some(old) if sent.username.is_empty() || sent.username == old.username => StaticRole { rotation_period, ..old },
        Some(_) => return Err(failure::invalid("username cannot be changed: delete the role and write another one")),
        None if sent.username.is_empty() => return Err(failure::invalid("username is required")),
        None => {
            let client = client(ctx)?;
            let found = client::run(client::user_id(&client, &sent.username))?;
            let id = found.ok_or_else(|| failure::invalid(format!("AWS knows no user {:?}", sent.username)))?;
            StaticRole { username: sent.username, id, rotation_period }
        }
    };
    ctx.storage().put_json(&key(name), &role)?;
    let data = Some(to_json(&shown(name, &role))?);
    Ok(Outcome::Keep(Keeping { slot: format!("{SLOT}{name}"), every: Some(rotation_period), data }))
}

/// Serves `static-creds/{name}`.
pub(crate) fn creds(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    let name = request.param("name");
    let role = load(ctx, name)?.ok_or_else(|| failure::invalid(format!("unknown role: {name}")))?;
    let kept = ctx.kept(&format!("{SLOT}{name}"));
    let kept = kept.ok_or_else(|| failure::refused(format!("the key of {:?} is not made yet", role.username)))?;
    let secret: Secret = from_json(&kept.secret)?;
    let keys = secret.keys.ok_or_else(|| failure::internal("a kept secret without a key"))?;
    let now = ctx.now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let data = json!({
        "access_key": keys.access_key,
        "secret_key": keys.secret_key,
        "username": role.username,
        "rotation_period": role.rotation_period,
        "last_vault_rotation": kept.rotated_at,
        "ttl": kept.next_at.saturating_sub(now),
    });
    Ok(Reply::data(&data)?.into())
}

/// Clients that sign with the configured keys.
fn client(ctx: &Context) -> Result<Client, Failure> {
    Ok(Client::new(&Root::load(ctx)?.regions().place(ctx)?, &keys(ctx)?, budget(ctx)?))
}

/// Names the user; AWS chooses the key.
pub(crate) fn propose(ctx: &Context, name: &str) -> Result<String, Failure> {
    let role = load(ctx, name)?.ok_or_else(|| failure::missing(format!("there is no static role {name:?}")))?;
    to_json(&Secret { username: role.username, before: None, keys: None })
}

/// One step at a time: what is there is looked at, then a key is made. AWS gives a user two keys: the one that clients
/// have stays, and whatever else is there gives way.
pub(crate) fn apply(ctx: &Context, current: &str, candidate: &str) -> Result<Option<String>, Failure> {
    let (current, candidate): (Option<Secret>, Secret) = (from_json(current)?, from_json(candidate)?);
    if candidate.keys.is_some() {
        return Ok(None);
    }
    let (client, user) = (client(ctx)?, Some(candidate.username.as_str()));
    let Some(before) = candidate.before else {
        let before = client::run(client::keys_of(&client, user))?;
        return to_json(&Secret { username: candidate.username, before: Some(before), keys: None }).map(Some);
    };
    let in_use = current.and_then(|current| current.keys).map(|keys| keys.access_key);
    let made = client::run(async {
        let there = client::keys_of(&client, user).await?;
        // Made since, and its answer was lost: nobody knows it.
        let (known, strays): (Vec<_>, Vec<_>) = there.into_iter().partition(|id| before.contains(id));
        let spare = known.iter().find(|id| in_use.as_ref() != Some(*id));
        let spare = spare.filter(|_| known.len() >= KEYS_MAX);
        for gone in strays.iter().chain(spare) {
            client::delete_key(&client, user, gone).await?;
        }
        client::create_key(&client, user).await
    });
    to_json(&Secret { username: candidate.username.clone(), before: Some(before), keys: Some(made?) }).map(Some)
}

/// Asks STS who signs with the key.
pub(crate) fn prove(ctx: &Context, secret: &str) -> Result<(), Failure> {
    let secret: Secret = from_json(secret)?;
    let keys = secret.keys.ok_or_else(|| failure::denied("AWS has not made the new key yet"))?;
    let client = Client::new(&Root::load(ctx)?.regions().place(ctx)?, &keys, budget(ctx)?.min(PROPAGATES));
    Ok(client::run(client::accepted(&client)).map(drop)?)
}

/// Deletes the key that clients had. One that was there before the first rotation is somebody else's, and stays.
pub(crate) fn retire(ctx: &Context, old: &str, new: &str) -> Result<Option<String>, Failure> {
    let (old, new): (Option<Secret>, Option<Secret>) = (from_json(old)?, from_json(new)?);
    match (old, new) {
        (Some(candidate), None) => give_up(ctx, candidate)?,
        (Some(Secret { keys: Some(old), .. }), Some(Secret { username, keys: Some(new), .. }))
            if old.access_key != new.access_key =>
        {
            client::run(client::delete_key(&client(ctx)?, Some(&username), &old.access_key))?;
        }
        _ => {}
    }
    Ok(None)
}

/// Deletes what was made for a role that is gone by now: every key that was not there before, be its answer lost or not.
fn give_up(ctx: &Context, candidate: Secret) -> Result<(), Failure> {
    // Nothing is made before it is known what was there.
    let Some(before) = candidate.before else { return Ok(()) };
    let (client, user) = (client(ctx)?, Some(candidate.username.as_str()));
    client::run(async {
        let there = match client::keys_of(&client, user).await {
            // The user is gone, and its keys with it.
            Err(error) if error.is_missing() => return Ok(()),
            listed => listed?,
        };
        // A listing may lack what was made a moment ago.
        let made = candidate.keys.map(|keys| keys.access_key).filter(|id| !there.contains(id));
        for id in there.iter().filter(|id| !before.contains(*id)).chain(&made) {
            client::delete_key(&client, user, id).await?;
        }
        Ok::<_, client::Error>(())
    })?;
    Ok(())
}
