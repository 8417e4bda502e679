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
    // target/<profile>/deps/<test>
    test.ancestors().nth(2).expect("a test lies below the target folder").to_path_buf()
}

/// The server's binary: the one that COFFERDAM_BIN names, else built once by this process.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("COFFERDAM_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let folder = target_folder();
    let target = folder.parent().expect("the profile's folder is in the target folder");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--package", "cofferdam-server", "--target-dir"])
        .arg(target)
        .current_dir(checkout());
    if folder.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the server does not build");
    folder.join("cofferdam")
}
