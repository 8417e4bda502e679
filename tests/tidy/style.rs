//! How files look.

use crate::files::{Source, sources};

/// A file that is longer holds more than one idea.
const LINES_MAX: usize = 500;

/// Where the standard library's files are named all the same. The list may only shrink.
const STANDARD_FILES: &[&str] = &[
    // Only the standard library's handle can be locked; it comes out of a directory that was opened before.
    "host/storage/src/sqlite/place.rs",
];

#[test]
fn files_are_short() {
    for source in code() {
        let lines = source.text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines; {LINES_MAX} is the most", source.name);
    }
}

#[test]
fn files_say_what_they_are_for() {
    for source in code().filter(Source::is_rust) {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 8, "{} does not begin with what it is for", source.name);
    }
}

#[test]
fn modules_lie_beside_their_folders() {
    for source in code() {
        assert!(!source.name.ends_with("/mod.rs"), "{}: name it after its folder, beside it", source.name);
    }
}

#[test]
fn the_host_opens_files_through_directories_it_was_given() {
    let host = code().filter(|s| {
        s.is_rust() && s.name.starts_with("host/") && s.name.contains("/src/") && !s.name.contains("tests")
    });
    for source in host.filter(|s| !STANDARD_FILES.contains(&s.name.as_str())) {
        for (number, line) in source.text.lines().enumerate() {
            let line = line.replace("cap_std::fs", "");
            let found = line.contains("std::fs") || line.contains("tokio::fs");
            assert!(!found, "{}:{}: use a cap_std directory", source.name, number + 1);
        }
    }
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here so that this file does not hold them.
    let words = [["TO", "DO"], ["FIX", "ME"], ["X", "XX "], ["todo", "!("], ["unimplemented", "!("]];
    forbid(words.map(|w| w.concat()).as_slice(), code());
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let words = [["/wo", "rk/"], ["/ro", "ot/."], ["/ho", "me/u"]];
    let places_in_a_recorded_conversation = |s: &Source| !s.name.starts_with("tests/conformance/");
    forbid(words.map(|w| w.concat()).as_slice(), sources().into_iter().filter(places_in_a_recorded_conversation));
}

#[test]
fn no_merge_is_half_done() {
    let markers = ['<', '>'].map(|sign| format!("{} ", sign.to_string().repeat(7)));
    forbid(&markers, sources().into_iter());
}

#[test]
fn no_line_ends_in_blanks() {
    for source in code() {
        for (number, line) in source.text.lines().enumerate() {
            assert!(line.trim_end() == line, "{}:{}: blanks at the end", source.name, number + 1);
        }
    }
}

fn forbid(words: &[String], sources: impl Iterator<Item = Source>) {
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|w| line.contains(w.as_str())) {
                panic!("{}:{}: {word} has no place here", source.name, number + 1);
            }
        }
    }
}

fn code() -> impl Iterator<Item = Source> {
    const KINDS: [&str; 4] = [".rs", ".wit", ".toml", ".sql"];
    sources().into_iter().filter(|s| KINDS.iter().any(|kind| s.name.ends_with(kind)))
}

#[test]
fn every_item_of_the_contract_is_documented() {
    const ITEMS: [&str; 7] = ["enum", "flags", "interface", "record", "type", "variant", "world"];
    let mut seen = 0;
    for source in sources().iter().filter(|s| s.name.starts_with("wit/") && s.name.ends_with(".wit")) {
        let mut before = "";
        for (number, line) in source.text.lines().enumerate() {
            let line = line.trim();
            let is_item = line.split(' ').next().is_some_and(|word| ITEMS.contains(&word)) || line.contains(": func(");
            if is_item {
                seen += 1;
                assert!(before.starts_with("/// "), "{}:{}: {line} is not documented", source.name, number + 1);
            }
            before = line;
        }
    }
    assert!(seen > 50, "only {seen} items were found");
}
