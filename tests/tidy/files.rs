//! The files of the checkout, without what builds leave behind.

use std::fs;
use std::path::{Path, PathBuf};

use harness::checkout;

/// A file of the project.
pub(crate) struct Source {
    /// Its path below the checkout, with slashes.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) text: String,
}

impl Source {
    /// Whether it is a file of Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.name.ends_with(".rs")
    }
}

/// All text files, sorted by name.
pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    visit(checkout(), &mut found);
    let mut sources: Vec<Source> = found
        .into_iter()
        .filter_map(|path| {
            let name = path.strip_prefix(checkout()).ok()?.to_str()?.to_owned();
            Some(Source { name, text: String::from_utf8(fs::read(&path).ok()?).ok()? })
        })
        .collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(sources.iter().any(|s| s.name == "tests/tidy/files.rs"), "the checkout is where it was at build time");
    sources
}

/// The manifests of all crates.
pub(crate) fn manifests() -> Vec<Source> {
    sources().into_iter().filter(|s| s.name.ends_with("/Cargo.toml")).collect()
}

fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the checkout") {
        let entry = entry.expect("an entry of the checkout");
        let name = entry.file_name();
        let kind = entry.file_type().expect("a kind of file");
        // A file of that name stands in a checkout that shares another one's repository.
        if name == ".git" {
            continue;
        }
        if kind.is_dir() && !entry.path().join("CACHEDIR.TAG").is_file() {
            visit(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}
