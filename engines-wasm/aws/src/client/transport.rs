//! How requests leave: through the host's HTTP in a component, and without TLS over a plain socket in native tests.

use std::time::Duration;

use aws_smithy_async::rt::sleep::AsyncSleep;

#[cfg(not(target_arch = "wasm32"))]
#[path = "transport/native.rs"]
mod way;
#[cfg(target_arch = "wasm32")]
#[path = "transport/wasi.rs"]
mod way;

pub(crate) use way::{Sleep, http, run};

/// Waits.
pub(crate) async fn sleep(pause: Duration) {
    Sleep.sleep(pause).await;
}
