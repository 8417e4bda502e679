//! Name look-ups. Only the gate asks, and only for granted names.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

/// How long one look-up may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many addresses of a name are used.
const MAX_ADDRESSES: usize = 16;

pub(crate) type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Turns a name into addresses.
pub(crate) trait Resolver: Send + Sync {
    fn resolve(&self, name: String) -> Found;
}

/// The operating system's resolver, so that `/etc/hosts` and search rules hold as for everything else on the machine.
pub(crate) struct System;

impl Resolver for System {
    fn resolve(&self, name: String) -> Found {
        Box::pin(async move {
            let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await??;
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in found.map(|a| a.ip().to_canonical()) {
                if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
                    addresses.push(address);
                }
            }
            Ok(addresses)
        })
    }
}
