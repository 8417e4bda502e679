//! HTTP in front of the vault: the only crate that knows axum.
//!
//! A request becomes a [`cofferdam_model::Request`], goes to a [`Handler`], and its answer becomes Vault's envelope.
//! Nothing here knows what a path means; nothing behind [`Handler`] knows what a status line is.

mod body;
mod detach;
mod error;
mod leftover;
mod path;
mod query;
mod request;
mod response;
mod serve;

#[cfg(test)]
mod fuzz;

use std::future::Future;
use std::time::Duration;

use cofferdam_model::{Request, Response, Result};

pub use serve::{Service, service};

/// What answers requests: the vault, or a stand-in for it in tests.
pub trait Handler: Send + Sync + 'static {
    /// One request; everything below `/v1/` comes here.
    fn handle(&self, request: Request) -> impl Future<Output = Result<Response>> + Send;

    /// Told of every answer's status, also of those that were refused before they came to `handle`.
    fn answered(&self, status: u16) {
        let _ = status;
    }
}

/// What a listener lets through.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a body; more is 413. None: without limit.
    pub body: Option<usize>,
    /// Values in a JSON body (a list of ten numbers is eleven): what a small body can grow to in memory.
    pub json_values: usize,
    /// A request that takes longer is given up with 503.
    pub duration: Duration,
    /// Refuse bytes in paths that do not print.
    pub printable_paths: bool,
    /// Metrics are shown to clients without a token.
    pub open_metrics: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: Some(32 * 1024 * 1024),
            json_values: 200_000,
            duration: Duration::from_secs(90),
            printable_paths: true,
            open_metrics: false,
        }
    }
}
