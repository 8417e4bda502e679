//! The hostile engines, compiled once, in a folder that a development server reads engines from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::artifacts::{checkout, target_folder};

/// A folder with a component and a sandbox policy for each hostile engine.
pub fn hostile_engines() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = target_folder().parent().expect("the profile's folder is in the target folder").join("hostile");
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet", "--release", "--examples", "--target", "wasm32-wasip2", "--target-dir"])
            .arg(&target)
            .current_dir(checkout().join("tests/hostile"))
            .env_remove("RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the hostile engines do not build");
        gather(&target.join("wasm32-wasip2/release/examples"), &target.join("engines"))
    })
}

fn gather(components: &Path, folder: &Path) -> PathBuf {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder for the engines");
    for policy in fs::read_dir(checkout().join("tests/hostile/policies")).expect("the policies are there") {
        let policy = policy.expect("a policy").path();
        let name = policy.file_stem().and_then(|n| n.to_str()).expect("a policy's name").to_owned();
        fs::copy(&policy, folder.join(format!("{name}.toml"))).expect("a policy is copied");
        let component = components.join(format!("{name}.wasm"));
        fs::copy(&component, folder.join(format!("{name}.wasm")))
            .unwrap_or_else(|e| panic!("{}: {e}", component.display()));
    }
    folder.to_path_buf()
}
