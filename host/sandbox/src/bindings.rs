//! The contract as Rust: generated from `wit/`. The world `stocked-issuer` holds all of it; what a component really exports is
//! looked up at load.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "stocked-issuer",
    imports: { default: async | trappable },
    exports: { default: async },
});
