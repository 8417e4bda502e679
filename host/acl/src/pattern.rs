//! Path patterns: exact, with a trailing `*`, with `+` segments; and which of two is more specific.

use std::cmp::Reverse;

/// A path pattern, sorted into one of the three ways to look it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Without wildcards.
    Exact(String),
    /// Everything that begins so: what stood before the `*`.
    Prefix(String),
    /// With at least one `+`.
    Segments(Segments),
}

impl Pattern {
    /// Reads a pattern without a leading slash.
    pub(crate) fn parse(text: &str) -> Self {
        let stem = text.strip_suffix('*');
        if text.split('/').any(|part| part == "+") {
            return Self::Segments(Segments::new(stem.unwrap_or(text), stem.is_some()));
        }
        match stem {
            Some(stem) => Self::Prefix(stem.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }
}

/// A pattern with `+` in it, each of which stands for one whole segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    /// Without the trailing `*`.
    stem: String,
    /// Whether a `*` followed.
    open: bool,
}

impl Segments {
    fn new(stem: &str, open: bool) -> Self {
        Self { stem: stem.to_owned(), open }
    }

    /// Without the trailing `*`.
    pub(crate) fn stem(&self) -> &str {
        &self.stem
    }

    /// Whether the path is one of those meant.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut want = self.stem.split('/').peekable();
        let mut have = path.split('/');
        while let Some(part) = want.next() {
            let Some(segment) = have.next() else { return false };
            let last_of_open = self.open && want.peek().is_none();
            if part != "+" && part != segment && !(last_of_open && segment.starts_with(part)) {
                return false;
            }
        }
        self.open || have.next().is_none()
    }

    /// Whether some path that begins with the folder could be one of those meant.
    pub(crate) fn reaches(&self, folder: &str) -> bool {
        let mut want = self.stem.split('/').peekable();
        for segment in folder.trim_end_matches('/').split('/') {
            let Some(part) = want.next() else { return self.open };
            let last_of_open = self.open && want.peek().is_none();
            if part != "+" && part != segment && !(last_of_open && segment.starts_with(part)) {
                return false;
            }
        }
        true
    }

    pub(crate) fn rank(&self) -> Rank<'_> {
        let mut first = 0;
        for part in self.stem.split('/') {
            if part == "+" {
                break;
            }
            first += part.len() + 1;
        }
        let wildcards = self.stem.split('/').filter(|part| *part == "+").count();
        Rank { first, closed: !self.open, few: Reverse(wildcards), len: self.stem.len(), stem: &self.stem }
    }
}

/// How specific a pattern with a wildcard is. The greatest one that matches decides alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank<'a> {
    /// Where the first wildcard stands.
    first: usize,
    /// It does not end in a `*`.
    closed: bool,
    /// How many `+` it has: fewer are better.
    few: Reverse<usize>,
    len: usize,
    stem: &'a str,
}

impl<'a> Rank<'a> {
    /// Of a pattern whose only wildcard is the `*` after the stem.
    pub(crate) fn of_prefix(stem: &'a str) -> Self {
        Self { first: stem.len(), closed: false, few: Reverse(0), len: stem.len(), stem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(text: &str) -> Segments {
        match Pattern::parse(text) {
            Pattern::Segments(segments) => segments,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn sorts_patterns_into_their_kinds() {
        assert_eq!(Pattern::parse("a/b"), Pattern::Exact("a/b".into()));
        assert_eq!(Pattern::parse("a/*/b"), Pattern::Exact("a/*/b".into()));
        assert_eq!(Pattern::parse("a+b/+c"), Pattern::Exact("a+b/+c".into()));
        assert_eq!(Pattern::parse("a/b*"), Pattern::Prefix("a/b".into()));
        assert_eq!(Pattern::parse("*"), Pattern::Prefix(String::new()));
        assert_eq!(Pattern::parse("a/**"), Pattern::Prefix("a/*".into()));
        for text in ["+", "+/a", "a/+", "a/+/b"] {
            assert_eq!(segments(text), Segments::new(text, false));
        }
        assert_eq!(segments("a/+/b*"), Segments::new("a/+/b", true));
    }

    #[test]
    fn plus_is_one_whole_segment() {
        for (pattern, path, want) in [
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/b/d", false),
            ("a/+/c", "a/b/b/c", false),
            ("a/+/c", "a/b/c/d", false),
            ("a/+", "a/b", true),
            ("a/+", "a/", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("+", "a", true),
            ("+", "a/b", false),
            ("a/+/c*", "a/b/c", true),
            ("a/+/c*", "a/b/cd/e", true),
            ("a/+/c*", "a/b/d", false),
            ("a/+/*", "a/b/", true),
            ("a/+/*", "a/b/c/d", true),
            ("a/+/*", "a/b", false),
        ] {
            assert_eq!(segments(pattern).matches(path), want, "{pattern} {path}");
        }
    }

    #[test]
    fn the_more_specific_wins() {
        // Each one outranks all that follow.
        let order = ["a/b/c/+", "a/b/+/d/e", "a/b/+/d", "a/b/+/c", "a/b/+/+", "a/b/+/d*", "a/+/b/c", "+/b/c/d/e/f"];
        for (i, better) in order.iter().enumerate() {
            for worse in &order[i + 1..] {
                assert!(segments(better).rank() > segments(worse).rank(), "{better} {worse}");
            }
        }
        assert!(Rank::of_prefix("a/b/") > segments("a/+/c").rank());
        assert!(segments("a/b/+").rank() > Rank::of_prefix("a/b/"));
        assert!(segments("a/b/+").rank() > Rank::of_prefix("a/b"));
    }

    #[test]
    fn reaches_into_folders() {
        for (pattern, folder, want) in [
            ("+/data/x", "secret/", true),
            ("secret/+/x", "secret/", true),
            ("other/+", "secret/", false),
            ("sec*", "secret/", true),
            ("+", "a/b/", false),
            ("+/*", "a/b/", true),
            ("+/c*", "a/b/", false),
            ("a/+/c", "a/b/", true),
        ] {
            let got = match Pattern::parse(pattern) {
                Pattern::Segments(segments) => segments.reaches(folder),
                Pattern::Prefix(stem) => folder.starts_with(&stem),
                Pattern::Exact(_) => false,
            };
            assert_eq!(got, want, "{pattern} {folder}");
        }
    }
}
