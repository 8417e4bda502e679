//! Components built from source, and a sandbox around one of them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use cofferdam_sandbox::{Builtin, BuiltinCatalog, Sandbox, SandboxConfig, SandboxError};

pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Builds an engine of this repository, in the guests' own target directory.
#[expect(clippy::disallowed_methods, reason = "a test's helper outside of the server")]
pub(crate) fn component(package: &str) -> Result<&'static [u8], Box<dyn std::error::Error>> {
    // target/debug/deps/this-test
    let exe = std::env::current_exe()?;
    let target: PathBuf = exe.ancestors().nth(3).ok_or("no target directory")?.join("guests");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip2", "--package", package])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .status()?;
    if !built.success() {
        return Err(format!("{package} does not build").into());
    }
    let file = target.join("wasm32-wasip2/release").join(format!("{}.wasm", package.replace('-', "_")));
    Ok(std::fs::read(file)?.leak())
}

/// A sandbox with one engine.
pub(crate) fn catalog(
    kind: &'static str,
    component: &'static [u8],
    policy: &'static str,
) -> Result<(Arc<Sandbox>, BuiltinCatalog), SandboxError> {
    let config =
        SandboxConfig { pool_size: 16, cache: None, shut: Vec::new(), allow_loopback: true, authorities: Vec::new() };
    let sandbox = Sandbox::new(config)?;
    let catalog = BuiltinCatalog::new(Arc::clone(&sandbox), vec![Builtin { kind, component, policy }])?;
    Ok((sandbox, catalog))
}
