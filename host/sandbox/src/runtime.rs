//! The runtime that all components share: what it can do, how much of it there is, and its clock.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures};

use crate::SandboxError;
use crate::instance::Kept;
use crate::limits::{CORE_INSTANCES, TABLE_ELEMENTS, TABLES};
use crate::net::gate::Border;
use crate::permits::DESCRIBERS;

/// How often running guests give way.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The largest linear memory that any policy may allow.
pub(crate) const MAX_MEMORY: usize = 512 << 20;

/// Memory that an instance's slot keeps between calls instead of giving it back to the system.
const KEEP_RESIDENT: usize = 2 << 20;

/// What no engine needs cannot have bugs here. A component that uses one of these does not load.
const OFF: WasmFeatures = WasmFeatures::MEMORY64
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::STACK_SWITCHING)
    .union(WasmFeatures::EXCEPTIONS)
    .union(WasmFeatures::LEGACY_EXCEPTIONS)
    .union(WasmFeatures::THREADS)
    .union(WasmFeatures::SHARED_EVERYTHING_THREADS)
    .union(WasmFeatures::FUNCTION_REFERENCES)
    .union(WasmFeatures::GC)
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::CM_ASYNC)
    .union(WasmFeatures::CM_ASYNC_STACKFUL)
    .union(WasmFeatures::CM_MORE_ASYNC_BUILTINS)
    .union(WasmFeatures::CM_THREADING)
    .union(WasmFeatures::CM_ERROR_CONTEXT)
    .union(WasmFeatures::CM_GC)
    .union(WasmFeatures::CM64);

/// Builds the engine for so many instances at once.
pub(crate) fn engine(pool_size: u32) -> Result<Engine, SandboxError> {
    let attempt = |scan| Engine::new(&config(pool_size, scan));
    // Scanning page tables makes a reused instance three times cheaper, on kernels that can (6.7).
    attempt(Enabled::Yes).or_else(|_| attempt(Enabled::No)).map_err(|e| SandboxError::Runtime(format!("{e:#}")))
}

/// All that compiled code depends on.
fn settings() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true).wasm_component_model(true).wasm_features(OFF, false);
    config
}

fn config(pool_size: u32, scan: Enabled) -> Config {
    // A pool of this size holds exactly as many instances as there are permits, whatever the components look like.
    let instances = pool_size.max(2).saturating_add(DESCRIBERS);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(TABLES))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(1)
        .max_memories_per_module(1)
        .max_tables_per_component(TABLES)
        .max_tables_per_module(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .max_unused_warm_slots(instances)
        .pagemap_scan(scan);
    let mut config = settings();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        // No instruction of a component reads of its stack what it did not write there. Wiping it costs every call a
        // shoot-down on all cores: two cores would do the work of one.
        .async_stack_zeroing(false)
        .parallel_compilation(true);
    config
}

/// Moves the runtime's clock on until the engine is gone. Once a second it also ends instances and connections that
/// waited too long for a next call.
pub(crate) fn start_clock(engine: &Engine, kept: &Arc<Kept>, border: &Arc<Border>) -> Result<(), SandboxError> {
    const SWEEP: u32 = 100;
    let engine = engine.weak();
    let kept = Arc::downgrade(kept);
    let border = Arc::downgrade(border);
    let mut ticks = 0_u32;
    std::thread::Builder::new()
        .name("sandbox-clock".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                ticks = ticks.wrapping_add(1);
                if ticks.is_multiple_of(SWEEP) {
                    if let Some(kept) = kept.upgrade() {
                        drop(kept.expire());
                    }
                    if let Some(border) = border.upgrade() {
                        border.pool.expire();
                    }
                }
                std::thread::sleep(TICK);
            }
        })
        .map(|_| ())
        .map_err(|e| SandboxError::Runtime(format!("its clock: {e}")))
}

#[cfg(test)]
mod tests;
