//! What a compartment costs: reads of the KV engine, version 2, on a store in memory, nothing else.
//!
//! `cargo run --release -p cofferdam-sandbox --example call -- <kv.wasm> [callers]` prints microseconds of one core for one
//! call, with one caller or many at once.
#![expect(clippy::print_stdout, reason = "its output is what this program is for")]
#![expect(clippy::disallowed_methods, reason = "a tool of the benches reads a file of theirs")]

#[path = "../tests/engines/memory.rs"]
mod memory;

use std::sync::Arc;
use std::time::Instant;

use cofferdam_model::engine::{Catalog as _, EngineRequest};
use cofferdam_model::request::Operation;
use cofferdam_sandbox::{Builtin, BuiltinCatalog, Sandbox, SandboxConfig};

use memory::{Memory, call};

const VERSION_2: &[(&str, &str)] = &[("version", "2")];
const CALLS: u32 = 20_000;
const ROUNDS: usize = 5;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let component = std::fs::read(arguments.next().ok_or("which component?")?)?.leak();
    let callers = arguments.next().map_or(Ok(1), |n| n.parse::<u32>())?;
    let config =
        SandboxConfig { pool_size: 64, cache: None, shut: Vec::new(), allow_loopback: true, authorities: Vec::new() };
    let kv = Builtin { kind: "kv", component, policy: include_str!("../../../policies/kv.toml") };
    let catalog = BuiltinCatalog::new(Sandbox::new(config)?, vec![kv])?;
    let engine = catalog.engine("kv").await?.ok_or("no engine")?;
    let table = engine.describe("m/", &[("version".to_owned(), "2".to_owned())]).await?;
    let (route, params) = table.find("data/a/b").ok_or("no route")?;
    let request = move |operation, fields: &str| EngineRequest {
        operation,
        path: "data/a/b".to_owned(),
        route: route.pattern.as_str().to_owned(),
        params: params.clone(),
        fields: fields.to_owned(),
    };
    let view = Arc::new(Memory::default());
    let written =
        engine.handle(call(&view, VERSION_2, None), request(Operation::Update, r#"{"data":{"k":"v"}}"#), None).await;
    view.commit(written.map_err(|e| format!("{e:?}"))?.changes);
    let read = request(Operation::Read, "{}");
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(usize::try_from(callers)?);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let running: Vec<_> = (0..callers)
            .map(|_| {
                let (engine, view, read) = (Arc::clone(&engine), Arc::clone(&view), read.clone());
                tokio::spawn(async move {
                    for _ in 0..CALLS / callers {
                        if let Err(e) = engine.handle(call(&view, VERSION_2, None), read.clone(), None).await {
                            return Err(format!("{e:?}"));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for caller in running {
            caller.await??;
        }
        let seconds = start.elapsed().as_secs_f64() * f64::from(u32::try_from(cores)?);
        println!("{:.1}", seconds * 1e6 / f64::from(CALLS));
    }
    Ok(())
}
