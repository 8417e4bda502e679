//! What replaces the stock functions of `wasi:http`: a place that is none was tried all the same.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::HostOutgoingRequest as _;
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;

use crate::net::gate::printable;
use crate::state::State;

/// The version under which the stock implementation is linked; others match it as WASI's rules say.
const TYPES: &str = "wasi:http/types@0.2.12";

/// Replaces functions of the stock implementation, which must be linked already.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, State>,
         (request, authority): (Resource<HostOutgoingRequest>, Option<String>)| {
            let state = store.data_mut();
            let to = authority.as_deref().map(printable).unwrap_or_default();
            let set = state.http().set_authority(request, authority)?;
            if set.is_err() {
                state.gate.deny(format!("request {to}"), "it names no plain host and port");
            }
            Ok((set,))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}
