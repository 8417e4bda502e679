//! `call`: the mount, the backend and the time that is left.

use tokio::time::Instant;

use crate::bindings::cofferdam::engine::call::{Endpoint, Host, MountInfo, TargetInfo};
use crate::state::State;

impl Host for State {
    async fn mount(&mut self) -> wasmtime::Result<MountInfo> {
        let mount = &self.within()?.call.mount;
        Ok(MountInfo {
            path: mount.path.clone(),
            accessor: mount.accessor.clone(),
            default_ttl: mount.default_ttl,
            max_ttl: mount.max_ttl,
            options: mount.options.clone(),
        })
    }

    async fn target(&mut self) -> wasmtime::Result<Option<TargetInfo>> {
        let target = self.active()?.call.backend.as_ref().and_then(|b| b.target.as_ref());
        Ok(target.map(|t| TargetInfo {
            generation: t.generation,
            host: t.host.clone(),
            port: t.port,
            location: t.location.clone(),
            endpoints: t
                .endpoints
                .iter()
                .map(|e| Endpoint { field: e.field.clone(), url: e.location.clone() })
                .collect(),
        }))
    }

    async fn remaining_millis(&mut self) -> wasmtime::Result<u64> {
        let left = self.active()?.deadline.saturating_duration_since(Instant::now());
        Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }
}
