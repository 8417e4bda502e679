//! Installs what is missing: the compiler's parts through rustup, the rest through apt.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Outcome, show, succeeds, take};
use crate::{postgres, talk};

/// The compiler's parts and the programs that both commands need.
pub(crate) fn prepare() -> Outcome<()> {
    toolchain()?;
    let mut packages = Vec::new();
    if !found("cc") {
        packages.push("gcc");
        packages.push("libc6-dev");
    }
    if !found("clang") {
        // ring compiles C for WebAssembly with it.
        packages.push("clang");
    }
    if postgres::bin().is_none() {
        packages.push("postgresql");
    }
    if !found("setpriv") {
        packages.push("util-linux");
    }
    if !found("strace") {
        // A test watches what the server syncs.
        packages.push("strace");
    }
    if !succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        // The tests' cloud is a Python program.
        packages.push("python3-venv");
    }
    if packages.is_empty() { Ok(()) } else { install(&packages) }
}

/// Whether a program is on the path.
pub(crate) fn found(program: &str) -> bool {
    locate(program).is_some()
}

/// Where a program is on the path.
pub(crate) fn locate(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    take(Command::new("id").arg("-u")).is_ok_and(|o| o.stdout.starts_with(b"0\n"))
}

/// The top of the checkout.
pub(crate) fn checkout() -> Outcome<PathBuf> {
    // As cargo says now: a target folder that several checkouts share may hold a program that another one built.
    let now = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = now.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.ancestors().nth(2).map(Path::to_path_buf).ok_or_else(|| "no checkout above this program".to_owned())
}

fn toolchain() -> Outcome<()> {
    if !found("rustup") {
        // A compiler from elsewhere: cargo itself will say what it lacks.
        talk::note("rustup is not here: rustfmt, clippy and the target wasm32-wasip2 are expected to be installed");
        return Ok(());
    }
    let installed = |what: &[&str], name: &str| {
        take(Command::new("rustup").args(what).arg("--installed"))
            .is_ok_and(|o| String::from_utf8_lossy(&o.stdout).lines().any(|l| l.starts_with(name)))
    };
    if !installed(&["target", "list"], "wasm32-wasip2") {
        talk::stage("adding the target wasm32-wasip2");
        show(Command::new("rustup").args(["target", "add", "wasm32-wasip2"]))?;
    }
    for component in ["clippy", "rustfmt"] {
        if !installed(&["component", "list"], component) {
            talk::stage(&format!("adding {component}"));
            show(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn install(packages: &[&str]) -> Outcome<()> {
    let list = packages.join(" ");
    talk::stage(&format!("installing {list}"));
    if !found("apt-get") {
        return Err(format!("these are missing, and this is no Debian: please install {list}"));
    }
    let apt = |arguments: &[&str]| {
        let mut command = if is_root() {
            Command::new("apt-get")
        } else {
            let mut sudo = Command::new("sudo");
            sudo.args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
            sudo
        };
        command.args(["-q", "-o", "Dpkg::Use-Pty=0"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    if !is_root() && !succeeds(Command::new("sudo").arg("-V")) {
        return Err(format!("these are missing, and there is no sudo: please install {list}"));
    }
    show(&mut apt(&["update"]))?;
    let mut command = apt(&["install", "-y", "--no-install-recommends"]);
    show(command.args(packages))
}
