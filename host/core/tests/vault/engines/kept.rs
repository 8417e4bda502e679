//! Keys of an account that was there before us. The backend chooses them and shows each once.

use std::collections::BTreeSet;

use cofferdam_model::SecretText;
use cofferdam_model::engine::{Call, CallError, Cause, Done, Keeping, Outcome};
use cofferdam_model::request::Operation::{self, Delete, Read};
use cofferdam_model::view::Changes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::reply;
use crate::model::{Model, failure, secret};

/// A key, or what one is on its way to.
#[derive(Deserialize, Serialize)]
struct Secret {
    before: Option<BTreeSet<String>>,
    key: Option<String>,
}

pub(super) fn is_slot(slot: &str) -> bool {
    slot.starts_with("kept/")
}

pub(super) async fn handle(
    call: &Call,
    operation: Operation,
    name: &str,
    fields: &Value,
) -> Result<Done<Outcome>, CallError> {
    let slot = format!("kept/{name}");
    if operation == Read {
        let shown = call.services.kept("main", &slot).await?.map(|kept| {
            let secret: Secret = serde_json::from_str(kept.secret.expose()).unwrap();
            json!({ "key": secret.key, "rotated_at": kept.rotated_at, "next_at": kept.next_at })
        });
        return Ok(reply(shown.as_ref(), Changes::default()));
    }
    let every = (operation != Delete).then(|| fields["every"].as_str().unwrap().parse().unwrap());
    Ok(Done { value: Outcome::Keep(Keeping { slot, every, data: None }), changes: Changes::default() })
}

pub(super) fn propose() -> SecretText {
    text(&Secret { before: None, key: None })
}

/// The account behind a slot.
pub(super) struct Account<'a> {
    model: &'a Model,
    address: String,
    slot: &'a str,
}

impl<'a> Account<'a> {
    pub(super) fn new(model: &'a Model, address: String, slot: &'a str) -> Self {
        Self { model, address, slot }
    }

    fn keys<T>(&self, look: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        self.model.with(&self.address, |s| look(s.keys.entry(self.slot.to_owned()).or_default()))
    }

    pub(super) async fn apply(
        &self,
        current: &SecretText,
        candidate: &SecretText,
    ) -> Result<Option<SecretText>, CallError> {
        self.model.pass("kept apply").await?;
        let (current, mut candidate): (Option<Secret>, Secret) = (read(current), read(candidate));
        let Some(before) = &candidate.before else {
            candidate.before = Some(self.keys(|keys| keys.clone()));
            return Ok(Some(text(&candidate)));
        };
        if candidate.key.is_some() {
            return Ok(None);
        }
        assert!(current.is_none_or(|current| before.contains(&current.key.unwrap())));
        let made = self.model.with(&self.address, |s| {
            s.keys_made += 1;
            format!("key-{:04}", s.keys_made)
        });
        self.keys(|keys| {
            keys.retain(|key| before.contains(key));
            keys.insert(made.clone());
        });
        self.model.pass("kept made").await?;
        candidate.key = Some(made);
        Ok(Some(text(&candidate)))
    }

    pub(super) async fn prove(&self, secret: &SecretText) -> Result<(), CallError> {
        self.model.pass("kept prove").await?;
        let key = read::<Secret>(secret).key;
        if key.is_some_and(|key| self.keys(|keys| keys.contains(&key))) {
            return Ok(());
        }
        Err(failure(Cause::Denied, "no such key"))
    }

    pub(super) async fn retire(&self, old: &SecretText, new: &SecretText) -> Result<Option<String>, CallError> {
        self.model.pass("kept retire").await?;
        let (old, new): (Option<Secret>, Option<Secret>) = (read(old), read(new));
        self.keys(|keys| match (old, new) {
            (Some(Secret { before: Some(before), .. }), None) => keys.retain(|key| before.contains(key)),
            (Some(Secret { key: Some(old), .. }), Some(_)) => drop(keys.remove(&old)),
            _ => {}
        });
        Ok(None)
    }
}

fn read<T: serde::de::DeserializeOwned>(secret: &SecretText) -> T {
    serde_json::from_str(secret.expose()).unwrap()
}

fn text(of: &Secret) -> SecretText {
    secret(&serde_json::to_string(of).unwrap())
}
