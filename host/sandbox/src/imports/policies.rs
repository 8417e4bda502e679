//! `policies`: rules that operators keep outside of the mount.

use std::sync::Arc;

use crate::bindings::cofferdam::engine::policies::Host;
use crate::state::State;

/// Bytes of a policy's name.
const MAX_NAME: usize = 512;

impl Host for State {
    async fn generate_password(&mut self, policy: Option<String>) -> wasmtime::Result<Result<String, String>> {
        let active = self.active()?;
        if policy.as_ref().is_some_and(|name| name.len() > MAX_NAME) {
            return Err(active.refuse("policies: a name longer than 512 bytes"));
        }
        let services = Arc::clone(&active.call.services);
        Ok(services.generate_password(policy.as_deref()).await.map(|password| password.expose().to_owned()))
    }
}
