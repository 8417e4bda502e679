//! Texts: paths as the commands clean them, and paragraphs wrapped evenly.

/// The width of help and warnings.
pub(crate) const WIDTH: usize = 78;

/// Without blanks and slashes at both ends.
pub(crate) fn trim_path(path: &str) -> &str {
    path.trim().trim_matches('/')
}

/// With a slash at the end.
pub(crate) fn with_slash(path: &str) -> String {
    let path = path.trim();
    if path.is_empty() || path.ends_with('/') { path.to_owned() } else { format!("{path}/") }
}

/// Wraps to the usual width.
pub(crate) fn wrap(text: &str) -> String {
    wrap_indented(text, 0)
}

/// Wraps so that each line, with `indent` blanks before it, fits the usual width.
pub(crate) fn wrap_indented(text: &str, indent: usize) -> String {
    let blanks = " ".repeat(indent);
    lines(text, WIDTH.saturating_sub(indent)).iter().map(|l| format!("{blanks}{l}")).collect::<Vec<_>>().join("\n")
}

/// Breaks a paragraph where the lines (but the last) come out most even: the sum of the squares of what is left free
/// at their ends is least. A word that is longer than a line stays whole.
fn lines(text: &str, limit: usize) -> Vec<String> {
    const TOO_LONG: u64 = 100_000;
    let words: Vec<&str> = text.trim().split([' ', '\n']).collect();
    // Widths in bytes, like the tools whose output we match.
    let width = |from: usize, to: usize| words[from..to].iter().map(|w| w.len()).sum::<usize>() + (to - from - 1);
    // For each word: the least cost of the lines from there to the end, and where the next line begins.
    let mut best: Vec<(u64, usize)> = vec![(0, words.len()); words.len()];
    for from in (0..words.len()).rev() {
        if width(from, words.len()) <= limit {
            continue;
        }
        best[from] = (u64::MAX, words.len());
        for to in from + 1..words.len() {
            let line = width(from, to);
            let free = limit.abs_diff(line) as u64;
            let cost = free * free + best[to].0 + if line > limit { TOO_LONG } else { 0 };
            if cost < best[from].0 {
                best[from] = (cost, to);
            }
        }
    }
    let mut result = Vec::new();
    let mut from = 0;
    while from < words.len() {
        let to = best[from].1;
        result.push(words[from..to].join(" "));
        from = to;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_paths() {
        assert_eq!(trim_path(" //a/b// "), "a/b");
        assert_eq!((with_slash("a"), with_slash("a/"), with_slash("")), ("a/".into(), "a/".into(), String::new()));
    }

    #[test]
    fn short_texts_stay_and_long_ones_break_evenly() {
        assert_eq!(wrap_indented("* Policy \"x\" does not exist", 2), "  * Policy \"x\" does not exist");
        assert_eq!(lines("aaa bb cc ddddd", 6), ["aaa", "bb cc", "ddddd"]);
        assert_eq!(lines("muchtoolongword a", 5), ["muchtoolongword", "a"]);
        let text = "word ".repeat(60);
        assert!(wrap(&text).lines().all(|l| l.len() <= WIDTH) && wrap(&text).lines().count() == 4);
    }
}
