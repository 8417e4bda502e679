//! Compiles the built-in engines to components, so that the binary can carry them.
//!
//! They go into a target directory of their own below the common one: two cargos that shared one would wait for each
//! other. Runs under `cargo check` and clippy too, because `include_bytes!` wants the files there as well.
#![expect(clippy::disallowed_methods, reason = "a build script works on the checkout")]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const TARGET: &str = "wasm32-wasip2";
const ENGINES: [&str; 3] = ["kv", "database", "aws"];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest.ancestors().nth(2).ok_or("the crate lies outside of its workspace")?;
    for watched in ["engines-wasm", "wit", "Cargo.lock", "Cargo.toml", ".cargo/config.toml", "rust-toolchain.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    println!("cargo::rerun-if-changed=build.rs");

    let guests = target_root(&out).join("guests");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root).args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]).arg(&guests);
    for engine in ENGINES {
        cargo.args(["--package", &format!("engine-{engine}")]);
    }
    // What was said for the host does not hold for the guests: flags in the environment would hide those of
    // `.cargo/config.toml`, and clippy's wrapper would check without compiling.
    for (name, _) in env::vars_os().filter(|(name, _)| is_for_the_host(name)) {
        cargo.env_remove(name);
    }
    let done = cargo.stdin(Stdio::null()).output().map_err(|e| format!("cargo does not start: {e}"))?;
    if !done.status.success() {
        return Err(explain(&String::from_utf8_lossy(&done.stderr)));
    }
    for engine in ENGINES {
        let made = guests.join(TARGET).join("release").join(format!("engine_{engine}.wasm"));
        fs::copy(&made, out.join(format!("{engine}.wasm"))).map_err(|e| format!("{}: {e}", made.display()))?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}"))
}

fn is_for_the_host(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    matches!(
        name.as_ref(),
        "RUSTFLAGS"
            | "CARGO_ENCODED_RUSTFLAGS"
            | "RUSTC_WRAPPER"
            | "RUSTC_WORKSPACE_WRAPPER"
            | "CLIPPY_ARGS"
            | "CARGO_BUILD_TARGET"
            | "CARGO_BUILD_RUSTFLAGS"
            | "CARGO_TARGET_DIR"
            | "CARGO_MAKEFLAGS"
            | "MAKEFLAGS"
    ) || name.starts_with("CARGO_PROFILE_")
        || name.starts_with("CARGO_FEATURE_")
        || name.starts_with("CARGO_CFG_")
}

/// The target directory that cargo marked as such, seen from a build script's output directory.
fn target_root(out: &Path) -> PathBuf {
    let marked = out.ancestors().filter(|dir| dir.join("CACHEDIR.TAG").is_file()).last();
    marked.unwrap_or(out).to_owned()
}

/// The compiler's words, and what to do where a tool is missing.
fn explain(stderr: &str) -> String {
    let mut message = String::from("the built-in engines do not compile to components:\n");
    if stderr.contains("target may not be installed") || stderr.contains("can't find crate for `std`") {
        message.push_str(&format!("the target is missing; run: rustup target add {TARGET}\n"));
    } else if !runs("clang") && (stderr.contains("clang") || stderr.contains("failed to find tool")) {
        message.push_str("clang is missing (parts of the TLS library are C); run: apt-get install clang\n");
    }
    let lines: Vec<&str> = stderr.lines().collect();
    for line in &lines[lines.len().saturating_sub(40)..] {
        message.push_str(line);
        message.push('\n');
    }
    message
}

fn runs(tool: &str) -> bool {
    Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}
