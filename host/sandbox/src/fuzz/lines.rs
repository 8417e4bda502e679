//! Reads what a guest says out of an input: a line for each text, number and choice, so that a corpus can be written by
//! hand. Sizes at the contract's limits, and beyond them, are one character.

use std::str::{FromStr, Split};

/// The lines of an input; after the last one come empty ones.
pub(super) struct Lines<'a>(Split<'a, char>);

impl<'a> Lines<'a> {
    pub(super) fn new(input: &'a str) -> Self {
        Self(input.split('\n'))
    }

    fn line(&mut self) -> &'a str {
        self.0.next().unwrap_or_default()
    }

    /// A number; zero where there is none.
    pub(super) fn number<T: FromStr + Default>(&mut self) -> T {
        self.line().parse().unwrap_or_default()
    }

    pub(super) fn flag(&mut self) -> bool {
        self.number::<u8>() != 0
    }

    /// One of these, by its number.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.number::<usize>() % all.len()]
    }

    /// Something, after a flag that says so.
    pub(super) fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| read(self))
    }

    /// A text, with `␤` for the end of a line. After `=` it is as long as the limit allows, after `+` longer.
    pub(super) fn text(&mut self, limit: usize) -> String {
        self.stretched(limit, ".")
    }

    /// The same, made longer by blanks, which leave JSON what it is.
    pub(super) fn json(&mut self, limit: usize) -> String {
        self.stretched(limit, " ")
    }

    fn stretched(&mut self, limit: usize, with: &str) -> String {
        let line = self.line();
        let (text, least) = match line.strip_prefix(['=', '+']) {
            Some(text) => (text, limit + usize::from(line.starts_with('+'))),
            None => (line, 0),
        };
        let text = text.replace('␤', "\n");
        let missing = least.saturating_sub(text.len());
        text + &with.repeat(missing)
    }

    /// A few items. After `=` as many as the limit allows, after `+` more, all the same.
    pub(super) fn list<T: Clone>(&mut self, limit: usize, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        match self.line() {
            "=" => vec![read(self); limit],
            "+" => vec![read(self); limit + 1],
            count => (0..count.parse().unwrap_or(0_usize) % 5).map(|_| read(self)).collect(),
        }
    }
}
