//! Commands in running text: what they name exists.

use std::collections::BTreeSet;

use harness::Cli;
use toml::{Table, Value};

use crate::blocks::{document, documents};

/// A piece of a document between backquotes, outside of its blocks.
struct Span {
    document: String,
    words: Vec<String>,
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} prints `{}`", self.document, self.words.join(" "))
    }
}

fn spans() -> Vec<Span> {
    let mut found = Vec::new();
    for name in documents() {
        let text = document(&name);
        let prose: Vec<&str> = text.split("```").step_by(2).collect();
        let quoted = prose.iter().flat_map(|p| p.lines()).flat_map(|line| line.split('`').skip(1).step_by(2));
        found.extend(
            quoted.map(|span| Span {
                document: name.clone(),
                words: span.split_whitespace().map(str::to_owned).collect(),
            }),
        );
    }
    found
}

#[test]
fn our_commands_have_the_words_and_flags_that_are_printed() {
    const GROUPS: [&str; 6] = ["engine", "inventory", "lease", "operator", "sandbox", "secrets"];
    let cli = Cli::bare();
    let mut seen = 0;
    for span in spans() {
        let ours = match span.words.split_first() {
            Some((program, rest)) if program == "cofferdam" || program == "vault" => rest,
            Some((group, rest)) if GROUPS.contains(&group.as_str()) && !rest.is_empty() => &span.words,
            _ => continue,
        };
        // What follows the command's own words is in capitals, or holds what no such word does.
        let is_name = |word: &&String| word.chars().all(|c| c.is_ascii_lowercase());
        let command: Vec<&str> = ours.iter().take_while(is_name).take(2).map(String::as_str).collect();
        if command.is_empty() {
            continue;
        }
        seen += 1;
        let said = cli.run(&[command.as_slice(), &["-h"]].concat());
        let help = said.out + &said.err;
        assert!(help.contains(&format!("cofferdam {}", command.join(" "))), "{span}, which is no command:\n{help}");
        for flag in ours.iter().filter(|word| word.starts_with('-')) {
            let flag = flag.split('=').next().unwrap_or_default();
            assert!(help.contains(flag), "{span}, and {flag} is no flag of it:\n{help}");
        }
    }
    assert!(seen >= 10, "only {seen} commands were found");
}

#[test]
fn what_cargo_is_told_is_there() {
    const OWN: [&str; 3] = ["build", "run", "test"];
    let cargo = document(".cargo/config.toml").parse::<Table>().expect("TOML");
    let aliases = cargo["alias"].as_table().expect("a table");
    let profiles = document("Cargo.toml").parse::<Table>().expect("TOML")["profile"].clone();
    let (mut packages, mut targets) = (BTreeSet::new(), BTreeSet::new());
    for manifest in manifests() {
        let Some(package) = manifest.get("package") else { continue };
        packages.insert(package["name"].as_str().expect("a name").to_owned());
        let tests = manifest.get("test").and_then(Value::as_array).into_iter().flatten();
        targets.extend(tests.map(|t| t["name"].as_str().expect("a name").to_owned()));
    }
    let mut seen = 0;
    for span in spans() {
        let mut words = span.words.iter().skip_while(|word| word.contains('=')).map(String::as_str);
        if words.next() != Some("cargo") {
            continue;
        }
        let Some(command) = words.next() else { continue };
        seen += 1;
        assert!(aliases.contains_key(command) || OWN.contains(&command), "{span}: cargo {command}");
        while let Some(word) = words.next() {
            // Of an option with a value that a reader is to fill in, only the option can be wrong.
            let value = |words: &mut dyn Iterator<Item = &str>| words.next().map(str::to_owned).unwrap_or_default();
            let is_given = |name: &str| !name.contains('<') && name.chars().any(char::is_lowercase);
            match word {
                "-p" | "--package" => {
                    let name = value(&mut words);
                    assert!(!is_given(&name) || packages.contains(&name), "{span}: no package {name}");
                }
                "--test" => {
                    let name = value(&mut words);
                    assert!(!is_given(&name) || targets.contains(&name), "{span}: no test {name}");
                }
                "--profile" => assert!(profiles.get(value(&mut words)).is_some(), "{span}: no such profile"),
                "--example" => {
                    let file = format!("examples/{}.rs", value(&mut words));
                    let is_there = packages_folders().iter().any(|folder| folder.join(&file).is_file());
                    assert!(is_there, "{span}: no {file}");
                }
                "--" => break,
                _ => {}
            }
        }
    }
    assert!(seen >= 10, "only {seen} commands were found");
}

fn packages_folders() -> Vec<std::path::PathBuf> {
    let members = document("Cargo.toml").parse::<Table>().expect("TOML")["workspace"]["members"].clone();
    let members = members.as_array().expect("a list").iter();
    members.map(|member| harness::checkout().join(member.as_str().expect("a folder"))).collect()
}

fn manifests() -> Vec<Table> {
    let read = |folder: &std::path::PathBuf| {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        text.parse::<Table>().expect("TOML")
    };
    packages_folders().iter().map(read).collect()
}
