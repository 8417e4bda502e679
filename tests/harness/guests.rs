//! The hostile engines, compiled once, in a folder that a development server reads engines from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::artifacts::{checkout, target_root};

/// Engines that have a hostile twin.
const TWINS: &[&str] = &["aws"];

/// A folder with a component and a sandbox policy for each hostile engine.
pub fn hostile_engines() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = target_root().join("hostile");
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
    let take = |name: &str| {
        let component = components.join(format!("{name}.wasm"));
        fs::copy(&component, folder.join(format!("{name}.wasm")))
            .unwrap_or_else(|e| panic!("{}: {e}", component.display()));
    };
    for policy in fs::read_dir(checkout().join("tests/hostile/policies")).expect("the policies are there") {
        let policy = policy.expect("a policy").path();
        let name = policy.file_stem().and_then(|n| n.to_str()).expect("a policy's name").to_owned();
        fs::copy(&policy, folder.join(format!("{name}.toml"))).expect("a policy is copied");
        take(&name);
    }
    // A twin has the policy of the engine that it would like to be.
    for engine in TWINS {
        let (policy, twin) = (checkout().join(format!("policies/{engine}.toml")), format!("{engine}_twin"));
        let policy = fs::read_to_string(policy).expect("the engine's policy");
        let of_twin = policy.replacen(&format!("engine = \"{engine}\""), &format!("engine = \"{twin}\""), 1);
        fs::write(folder.join(format!("{twin}.toml")), of_twin).expect("a policy is written");
        take(&twin);
    }
    folder.to_path_buf()
}
