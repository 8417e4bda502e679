//! What the host offers to engines, one file for each interface of the contract.

mod call;
mod caller;
mod log;
mod policies;
mod slots;
pub(crate) mod storage;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::cofferdam::engine as contract;
use crate::state::State;

/// Links the contract's interfaces. Whether a component may import them is checked before.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    crate::bindings::StockedIssuer::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

/// The contract's nouns have no functions.
impl contract::types::Host for State {}
