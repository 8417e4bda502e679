//! `slots`: the root secret of the backend that the call names, and of no other.

use std::sync::Arc;

use cofferdam_model::SecretText;

use crate::bindings::cofferdam::engine::slots::{Host, KeptSecret};
use crate::convert;
use crate::state::{Keeps, State};

/// Bytes of a slot's secret.
const MAX_SECRET: usize = 64 << 10;

impl Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let active = self.active()?;
        if let Some((_, put)) = active.slots.iter().find(|(n, _)| *n == name) {
            return Ok(Some(put.expose().to_owned()));
        }
        let backend = active.call.backend.as_ref().filter(|b| b.name == name);
        Ok(backend.and_then(|b| b.secret.as_ref()).map(|secret| secret.expose().to_owned()))
    }

    async fn put(&mut self, name: String, secret: String) -> wasmtime::Result<()> {
        let active = self.active()?;
        if active.call.backend.as_ref().is_none_or(|b| b.name != name) {
            return Err(active.refuse("slots: put to a slot that is not of this call's backend"));
        }
        if active.keeps != Keeps::StorageAndSlots {
            return Err(active.refuse("slots: put in a call that is no request"));
        }
        let secret = SecretText::new(secret);
        if let Err(reason) = convert::check_json(secret.expose(), MAX_SECRET, convert::Shape::Any) {
            return Err(active.refuse(format!("slots: put: {reason}")));
        }
        active.hide(secret.clone());
        active.slots.retain(|(n, _)| *n != name);
        active.slots.push((name, secret));
        Ok(())
    }

    async fn kept(&mut self, name: String) -> wasmtime::Result<Option<KeptSecret>> {
        let active = self.active()?;
        if name.len() > convert::MAX_ID {
            return Err(active.refuse("slots: a name longer than 512 bytes"));
        }
        let Some(backend) = active.call.backend.as_ref().map(|b| b.name.clone()) else { return Ok(None) };
        let services = Arc::clone(&active.call.services);
        let found = match services.kept(&backend, &name).await {
            Ok(found) => found,
            Err(error) => return Err(active.fail(error)),
        };
        Ok(found.map(|kept| {
            active.hide(kept.secret.clone());
            let secret = kept.secret.expose().to_owned();
            KeptSecret { secret, rotated_at: kept.rotated_at, next_at: kept.next_at }
        }))
    }
}

#[cfg(test)]
mod tests;
