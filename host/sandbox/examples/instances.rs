//! The floor under every call of an engine: a static answer, and for each of them an instance of a component that
//! nothing is asked of.
//!
//! `instances <file> <component>` reads the body from a file and the component (binary or text) from another, listens on
//! a free port of 127.0.0.1 and prints the address.
//! The server and the answer are those of `host/api/examples/static.rs`, the runtime is set up as the sandbox does it.
//! Whatever the component imports traps, and there are no limits, no deadlines, no permits and no books.
#![expect(clippy::print_stdout, reason = "whoever starts it reads the address")]
#![expect(clippy::disallowed_methods, reason = "a tool of the benches reads files of theirs")]

#[path = "../../api/examples/parts/yardstick.rs"]
mod yardstick;

use axum::Router;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Instances at once, at most.
const POOL: u32 = 64;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, component] = arguments.as_slice() else { return Err("which answer, and which component?".into()) };
    let pre = prepare(&std::fs::read(component)?)?;
    let answer = yardstick::answer(file)?;
    let app = Router::new().fallback(move || {
        let (pre, answer) = (pre.clone(), answer.clone());
        async move {
            let mut store = Store::new(pre.engine(), ());
            // No clock ticks here.
            store.set_epoch_deadline(1);
            pre.instantiate_async(&mut store).await.map(|_| answer).map_err(|error| error.to_string())
        }
    });
    Ok(yardstick::serve(app).await?)
}

fn prepare(component: &[u8]) -> Result<InstancePre<()>> {
    let engine = Engine::new(&config(Enabled::Yes)).or_else(|_| Engine::new(&config(Enabled::No)))?;
    let component = Component::from_binary(&engine, &wat::parse_bytes(component)?)?;
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&component)?;
    Ok(linker.instantiate_pre(&component)?)
}

/// As `host/sandbox/src/runtime.rs` has it.
fn config(scan: Enabled) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL)
        .total_core_instances(POOL * 16)
        .total_memories(POOL)
        .total_tables(POOL * 4)
        .total_stacks(POOL)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(64 << 10)
        .max_unused_warm_slots(POOL)
        .pagemap_scan(scan);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .wasm_component_model(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .async_stack_zeroing(false);
    config
}
