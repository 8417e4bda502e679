//! Where things are: the checkout, the build's folder, the binary under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The top of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in a checkout")
}

/// The folder of this build's products (`target/debug`).
pub fn target_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test has an executable");
    // target/<profile>/deps/<test>, or target/<profile>/<program>
    let folder = test.parent().expect("a test lies below the target folder");
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    profile.expect("a profile has a folder").to_path_buf()
}

/// What cargo calls the profile of this build.
pub fn profile() -> String {
    match target_folder().file_name().and_then(|name| name.to_str()).expect("a profile has a folder's name") {
        "debug" => "dev".to_owned(),
        name => name.to_owned(),
    }
}

/// The server's binary: the one that COFFERDAM_BIN names, else built once by this process.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("COFFERDAM_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(&target_root(), &[]),
    })
}

/// The server with failpoints: the one that COFFERDAM_ARMED_BIN names, else built once by this process, into a folder of
/// its own: nobody takes it for the other one.
pub fn armed_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("COFFERDAM_ARMED_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(&target_root().join("armed"), &["--features", "cofferdam-server/failpoints"]),
    })
}

/// The folder of all builds (`target`).
pub fn target_root() -> PathBuf {
    target_folder().parent().expect("the profile's folder is in the target folder").to_path_buf()
}

fn build(target: &Path, more: &[&str]) -> PathBuf {
    // Whoever names a binary has built the whole workspace; a server alone would get dependencies with fewer features,
    // and all of them would be compiled once more.
    let packages: &[&str] =
        if std::env::var_os("COFFERDAM_BIN").is_some() { &["--workspace"] } else { &["--package", "cofferdam-server"] };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--bin", "cofferdam", "--profile", &profile()])
        .args(packages)
        .args(more)
        .arg("--target-dir")
        .arg(target)
        // Dependencies are the same for all of them.
        .env("CARGO_BUILD_BUILD_DIR", target_root())
        .current_dir(checkout());
    // What cargo says to a test about its package is no concern of a build; build scripts that look at it would run
    // anew each time, and what depends on them would be compiled anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "OUT_DIR" {
            cargo.env_remove(&name);
        }
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the server does not build");
    let folder = target_folder();
    target.join(folder.file_name().expect("a profile has a folder's name")).join("cofferdam")
}
