//! Lists the hostile engines, so that one without its tests does not compile.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a build fails by panicking, and this reads the checkout"
)]

use std::path::Path;
use std::{env, fs};

fn main() {
    let examples = Path::new("hostile/examples");
    println!("cargo::rerun-if-changed={}", examples.display());
    let mut names: Vec<String> = fs::read_dir(examples)
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    let uses: String = names.iter().map(|name| format!("use crate::{name} as _;\n")).collect();
    let list = format!("/// The hostile engines.\npub(crate) const GUESTS: &[&str] = &{names:?};\n{uses}");
    fs::write(Path::new(&env::var_os("OUT_DIR").unwrap()).join("guests.rs"), list).unwrap();
}
