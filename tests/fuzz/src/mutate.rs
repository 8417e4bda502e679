//! Makes inputs out of others.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Longer inputs find little more, and slowly.
const MAX_BYTES: usize = 4_096;
/// What every parser may trip over.
const AWKWARD: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\"",
    b"'",
    b"\\",
    b"/",
    b"%",
    b"\x7f",
    b"\x1b",
    b"\xff",
    b"\xc3\xa9",
    b"\xe2\x80\xae",
    b"\xc2\xa0",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x94\x91",
    b"0",
    b"-1",
    b"18446744073709551616",
];

/// Inputs and words to make others of.
pub(crate) struct Mutator {
    corpus: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    pub(crate) fn new(corpus: Vec<Vec<u8>>, words: Vec<Vec<u8>>) -> Self {
        Self { corpus, words }
    }

    /// One input: a known one with some changes, or words in a row.
    pub(crate) fn make(&self, random: &mut StdRng) -> Vec<u8> {
        let mut input = match self.corpus.choose(random) {
            Some(known) if random.random_ratio(9, 10) => known.clone(),
            _ => Vec::new(),
        };
        // Few changes mostly, so that much stays valid.
        let changes = 1 + random.random_range(0..8) * random.random_range(0..2);
        for _ in 0..changes {
            self.change(&mut input, random);
            input.truncate(MAX_BYTES);
        }
        input
    }

    fn change(&self, input: &mut Vec<u8>, random: &mut StdRng) {
        let (start, end) = range(input.len(), random);
        match random.random_range(0..8) {
            0 => drop(input.drain(start..end)),
            1 => {
                // A part again and again: depth, and the same name twice.
                let part = input[start..end].to_vec();
                let times = [1, 1, 2, 70, 200][random.random_range(0..5)];
                insert(input, end, &part.repeat(times));
            }
            2 => {
                if let Some(byte) = input.get_mut(start) {
                    *byte = random.random();
                }
            }
            3 => {
                if let Some(other) = self.corpus.choose(random) {
                    let (from, to) = range(other.len(), random);
                    insert(input, start, &other[from..to]);
                }
            }
            4 => input.truncate(end),
            5 => insert(input, start, AWKWARD.choose(random).copied().unwrap_or_default()),
            _ => {
                let words = if random.random() { self.words.as_slice() } else { self.corpus.as_slice() };
                if let Some(word) = words.choose(random) {
                    insert(input, start, word);
                }
            }
        }
    }
}

fn range(len: usize, random: &mut StdRng) -> (usize, usize) {
    let (a, b) = (random.random_range(0..=len), random.random_range(0..=len));
    // Short parts are the likelier ones.
    let (start, end) = (a.min(b), a.max(b));
    if random.random() { (start, end) } else { (start, end.min(start + 8)) }
}

fn insert(input: &mut Vec<u8>, at: usize, part: &[u8]) {
    input.splice(at..at, part.iter().copied());
}
