//! `log`: the server's log, redacted and limited in volume.

use crate::bindings::cofferdam::engine::log::{Host, Level};
use crate::state::State;

/// Bytes of one line.
const MAX_LINE: usize = 2048;

impl Host for State {
    async fn emit(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let active = self.active()?;
        if active.log_left == 0 {
            return Ok(());
        }
        let line = active.redactor().line(&message, MAX_LINE);
        // An empty line costs something too.
        active.log_left = active.log_left.saturating_sub(line.len().max(16));
        let last = active.log_left == 0;
        let engine = active.policy.engine.as_str();
        let (mount, request_id) = (active.call.mount.path.as_str(), active.call.request_id.as_str());
        match level {
            Level::Debug => tracing::debug!(engine, mount, request_id, "{line}"),
            Level::Info => tracing::info!(engine, mount, request_id, "{line}"),
            Level::Warn => tracing::warn!(engine, mount, request_id, "{line}"),
            Level::Error => tracing::error!(engine, mount, request_id, "{line}"),
        }
        if last {
            tracing::warn!(engine, mount, request_id, "the call has used up its log; the rest is dropped");
        }
        Ok(())
    }
}
