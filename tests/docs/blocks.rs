//! The code blocks of a document.

use std::fs;
use std::path::{Path, PathBuf};

/// The checkout.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout").to_path_buf()
}

/// The text of a document.
pub(crate) fn document(name: &str) -> String {
    fs::read_to_string(checkout().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// All documents of the checkout, by their names below it.
pub(crate) fn documents() -> Vec<String> {
    const FOLDERS: [&str; 7] = ["", "engines-wasm/", "host/", "policies/", "tests/", "tests/hostile/", "wit/"];
    FOLDERS.iter().map(|folder| format!("{folder}README.md")).collect()
}

/// The blocks of this language below a heading, up to the next heading of the same level; of the whole text without one.
pub(crate) fn blocks(text: &str, language: &str, heading: Option<&str>) -> Vec<String> {
    let mut inside = heading.is_none();
    let mut block: Option<String> = None;
    let mut found = Vec::new();
    for line in text.lines() {
        match &mut block {
            Some(lines) if line.trim_start() == "```" => found.push(std::mem::take(lines)),
            Some(lines) => {
                lines.push_str(line);
                lines.push('\n');
                continue;
            }
            None if line.starts_with("## ") => {
                inside = heading.is_none_or(|h| line == h);
                continue;
            }
            None if inside && line.strip_prefix("```") == Some(language) => {
                block = Some(String::new());
                continue;
            }
            None => continue,
        }
        block = None;
    }
    found
}
