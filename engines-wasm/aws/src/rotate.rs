//! The engine's own key, changed step by step by the host. AWS chooses the new one, and shows it once: so what is there
//! before is written down first, and a key that appeared since and that nobody knows is one whose answer was lost.

use std::time::Duration;

use engine_sdk::types::{Failure, Outcome, from_json, to_json};
use engine_sdk::{Context, failure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::{self, Client, Keys};
use crate::config::Root;
use crate::lease::budget;
use crate::routes::BACKEND;

/// AWS gives a user no more keys.
pub(crate) const KEYS_MAX: usize = 2;
/// How long a new key may take until all of AWS knows it.
pub(crate) const PROPAGATES: Duration = Duration::from_secs(20);

/// A rotation under way, from what is known to the key that came of it.
#[derive(Deserialize, Serialize)]
struct Candidate {
    /// The key that is to be replaced.
    replaces: String,
    /// The keys that were there before.
    #[serde(default)]
    before: Option<Vec<String>>,
    #[serde(flatten)]
    made: Option<Keys>,
}

/// Serves `config/rotate-root`.
pub(crate) fn handle(ctx: &Context) -> Result<Outcome, Failure> {
    Root::load(ctx)?;
    Ok(Outcome::Rotate(BACKEND.to_owned()))
}

/// Names the key that is to be replaced; AWS chooses its successor.
pub(crate) fn propose(current: &str) -> Result<String, Failure> {
    let current: Keys = from_json(current)?;
    to_json(&Candidate { replaces: current.access_key, before: None, made: None })
}

/// One step at a time: what is there is looked at, then a key is made.
pub(crate) fn apply(ctx: &Context, current: &str, candidate: &str) -> Result<Option<String>, Failure> {
    let (keys, candidate): (Keys, Candidate) = (from_json(current)?, from_json(candidate)?);
    if candidate.replaces != keys.access_key && candidate.made.is_none() {
        // The configuration was written anew meanwhile.
        return propose(current).map(Some);
    }
    if candidate.made.is_some() {
        return Ok(None);
    }
    let client = Client::new(&Root::load(ctx)?.regions().place(ctx)?, &keys, budget(ctx)?);
    let Candidate { replaces, before, .. } = candidate;
    let Some(before) = before else {
        let before = client::run(client::keys_of(&client, None))?;
        if before.len() >= KEYS_MAX {
            return Err(failure::refused("the user has two access keys already, and AWS allows no third"));
        }
        return to_json(&Candidate { replaces, before: Some(before), made: None }).map(Some);
    };
    let made = client::run(async {
        for stray in client::keys_of(&client, None).await?.iter().filter(|id| !before.contains(*id)) {
            client::delete_key(&client, None, stray).await?;
        }
        client::create_key(&client, None).await
    });
    to_json(&Candidate { replaces, before: Some(before), made: Some(made?) }).map(Some)
}

/// Asks STS who signs with the key. AWS refuses every signature that is wrong.
pub(crate) fn prove(ctx: &Context, secret: &str) -> Result<(), Failure> {
    // A key that is the root secret has the same shape as one that is to be.
    let keys = keys_in(secret)?;
    let budget = budget(ctx)?.min(PROPAGATES);
    let client = Client::new(&Root::load(ctx)?.regions().place(ctx)?, &keys, budget);
    Ok(client::run(client::accepted(&client)).map(drop)?)
}

/// Deletes the key that was replaced.
pub(crate) fn retire(ctx: &Context, old: &str, new: &str) -> Result<Option<String>, Failure> {
    let (old, new) = (keys_in(old)?, keys_in(new)?);
    let client = Client::new(&Root::load(ctx)?.regions().place(ctx)?, &new, budget(ctx)?);
    if old.access_key != new.access_key {
        client::run(client::delete_own_key(&client, &old.access_key))?;
    }
    to_json(&json!({ "access_key": new.access_key })).map(Some)
}

fn keys_in(secret: &str) -> Result<Keys, Failure> {
    let keys: Option<Keys> = from_json(secret).ok();
    keys.ok_or_else(|| failure::denied("AWS has not made the new key yet"))
}
