//! Runs fuzz targets: replays a target's corpus, then tries mutations of it.
//!
//! A target is a function of bytes that panics where an invariant does not hold. It lies in the crate whose code it
//! looks at (`src/fuzz.rs`), and is an ordinary test there. `COFFERDAM_FUZZ_CASES` makes it a long run.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a library of tests: it fails by panicking, and reads the corpora of the checkout"
)]

mod mutate;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use mutate::Mutator;

/// Every run tries these cases.
const SEED: u64 = 1;
/// Cases of each seed; `COFFERDAM_FUZZ_CASES` says otherwise.
const CASES: u64 = 2_000;

/// Replays the corpus of the target, and tries mutations of it: those of a fixed seed, and those of a new one, which is
/// printed where a case fails. `COFFERDAM_FUZZ_SEED` repeats it.
///
/// # Panics
/// Where the target does.
pub fn run(target: &str, check: fn(&[u8])) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "{target}: no corpus");
    for (name, input) in &corpus {
        attempt(check, input, || format!("{target}: corpus/{target}/{name}"));
    }
    let inputs: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).collect();
    let mutator = Mutator::new(inputs, words(target));
    let cases = number("COFFERDAM_FUZZ_CASES").unwrap_or(CASES);
    let fresh = number("COFFERDAM_FUZZ_SEED").unwrap_or_else(|| rand::rng().random());
    for seed in [SEED, fresh] {
        let mut random = StdRng::seed_from_u64(seed);
        for case in 0..cases {
            let input = mutator.make(&mut random);
            attempt(check, &input, || format!("{target}: COFFERDAM_FUZZ_SEED={seed}, case {case}"));
        }
    }
}

/// One case; what fails is shown such that it can be put into the corpus.
fn attempt(check: fn(&[u8]), input: &[u8], what: impl FnOnce() -> String) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(input))) {
        eprintln!("{} fails, with the input\nb\"{}\"", what(), input.escape_ascii());
        resume_unwind(panic);
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of a target with their names, sorted.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder().join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut corpus: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect();
    corpus.sort();
    corpus
}

/// The words of the target's language: `corpus/TARGET.dict`, as libFuzzer reads it.
fn words(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(folder().join(format!("{target}.dict"))).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"')).map(unescape).collect()
}

/// `\\`, `\"` and `\xAB`.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'x') => {
                    let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                    out.push(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap());
                }
                other => out.extend(other),
            },
            _ => out.push(byte),
        }
    }
    out
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}
