//! Who compiles a component: this process, or for components that did not come with the server another one.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::runtime;

/// Compiles components in a process of its own, with limits: a compiler that a component exhausts, or breaks, takes
/// nothing else with it.
pub trait Compiler: Send + Sync {
    /// What [`compile`] answers in that process. Blocking.
    ///
    /// # Errors
    /// Why there is nothing, for the operator.
    fn compile(&self, component: &[u8]) -> Result<Vec<u8>, String>;
}

/// The whole work of that process: native code for a server of the same build on the same machine.
///
/// # Errors
/// What is wrong with the component, or no room for the runtime.
pub fn compile(component: &[u8]) -> Result<Vec<u8>, String> {
    let engine = runtime::engine(2).map_err(|e| e.to_string())?;
    engine.precompile_component(component).map_err(|e| format!("{e:#}"))
}

/// The compiled component.
pub(crate) fn component(engine: &Engine, bytes: &[u8], compiler: Option<&dyn Compiler>) -> Result<Component, String> {
    let Some(compiler) = compiler else {
        return Component::from_binary(engine, bytes).map_err(|e| format!("{e:#}"));
    };
    let code = compiler.compile(bytes)?;
    // SAFETY: the bytes come from `Engine::precompile_component` of an engine with the same settings, in a process that
    // the server itself started from its own program, over a pipe between the two of them.
    #[expect(unsafe_code, reason = "code that another process compiled cannot be loaded otherwise")]
    let loaded = unsafe { Component::deserialize(engine, &code) };
    loaded.map_err(|e| format!("{e:#}"))
}
