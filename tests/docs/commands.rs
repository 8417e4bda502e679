//! What the documents name exists: the two commands as aliases, the files that readers are sent to.

use crate::blocks::{blocks, checkout, document};

#[test]
fn the_two_commands_are_real() {
    let readme = document("README.md");
    let commands = blocks(&readme, "sh", Some("## Two commands"));
    assert_eq!(commands, ["cargo demo\n", "cargo verify\n"]);
    let aliases = document(".cargo/config.toml").parse::<toml::Table>().expect("TOML");
    for command in commands {
        let alias = command.trim().trim_start_matches("cargo ");
        assert!(aliases["alias"].get(alias).is_some(), "cargo {alias}");
    }
    assert!(document(".ci/run").contains("cargo verify"), "CI runs the README's command");
}

#[test]
fn readers_are_sent_to_files_that_are_there() {
    for name in ["README.md", "host/README.md", "wit/README.md", "policies/README.md", "engines-wasm/README.md"] {
        let text = document(name);
        for word in text.split('`').filter(|w| w.ends_with(".md") && !w.contains(char::is_whitespace)) {
            // From the checkout, or from where the document lies.
            let beside = checkout().join(name).with_file_name(word);
            assert!(checkout().join(word).exists() || beside.exists(), "{name} names {word}");
        }
    }
}
