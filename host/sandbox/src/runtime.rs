//! The runtime that all components share: what it can do, how much of it there is, and its clock.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::SandboxError;
use crate::instance::Kept;
use crate::limits::{CORE_INSTANCES, TABLE_ELEMENTS, TABLES};
use crate::permits::DESCRIBERS;

/// How often running guests give way.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The largest linear memory that any policy may allow.
pub(crate) const MAX_MEMORY: usize = 512 << 20;

/// Memory that an instance's slot keeps between calls instead of giving it back to the system.
const KEEP_RESIDENT: usize = 2 << 20;

/// Builds the engine for so many instances at once.
pub(crate) fn engine(pool_size: u32) -> Result<Engine, SandboxError> {
    let attempt = |scan| Engine::new(&config(pool_size, scan));
    // Scanning page tables makes a reused instance three times cheaper, on kernels that can (6.7).
    attempt(Enabled::Yes).or_else(|_| attempt(Enabled::No)).map_err(|e| SandboxError::Runtime(format!("{e:#}")))
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
        .async_stack_keep_resident(128 << 10)
        .max_unused_warm_slots(instances)
        .pagemap_scan(scan);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .async_stack_zeroing(true)
        .parallel_compilation(true)
        .wasm_component_model(true)
        // What no engine needs cannot have bugs here.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
    config
}

/// Moves the runtime's clock on until the engine is gone. Once a second it also ends instances that waited too long for
/// a next call.
pub(crate) fn start_clock(engine: &Engine, kept: &Arc<Kept>) -> Result<(), SandboxError> {
    const SWEEP: u32 = 100;
    let engine = engine.weak();
    let kept = Arc::downgrade(kept);
    let mut ticks = 0_u32;
    std::thread::Builder::new()
        .name("sandbox-clock".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                ticks = ticks.wrapping_add(1);
                if ticks.is_multiple_of(SWEEP)
                    && let Some(kept) = kept.upgrade()
                {
                    drop(kept.expire());
                }
                std::thread::sleep(TICK);
            }
        })
        .map(|_| ())
        .map_err(|e| SandboxError::Runtime(format!("its clock: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_with_few_and_with_many_instances() -> Result<(), SandboxError> {
        for size in [0, 1, 64] {
            engine(size)?;
        }
        Ok(())
    }
}
