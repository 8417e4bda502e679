//! `caller`: who asks, as far as an engine may know.

use crate::bindings::cofferdam::engine::caller::{Host, Identity};
use crate::state::State;

impl Host for State {
    async fn who(&mut self) -> wasmtime::Result<Option<Identity>> {
        let caller = self.active()?.call.caller.as_ref();
        Ok(caller.map(|c| Identity { fingerprint: c.fingerprint.clone(), display_name: c.display_name.clone() }))
    }
}
