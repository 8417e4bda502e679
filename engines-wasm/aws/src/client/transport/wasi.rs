//! The host's HTTP and clocks.

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_wasm::wasi::WasiHttpClientBuilder;
pub(crate) use aws_smithy_wasm::wasi::WasiSleep as Sleep;
pub(crate) use wstd::runtime::block_on as run;

/// Sends through the host.
pub(crate) fn http() -> SharedHttpClient {
    WasiHttpClientBuilder::new().build()
}
