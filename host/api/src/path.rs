//! Paths: which are served, which are refused, and what they decode to.

/// What to do with a request for this path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// Serve it: decoded, below `/v1/`.
    Serve(String),
    /// Not in its shortest form; this is it (still encoded).
    Redirect(String),
    /// Outside of `/v1/`.
    Outside,
    /// Climbs or repeats slashes behind percent signs.
    Relative,
    /// Is no text, or has bytes that do not print.
    Unprintable,
}

/// Reads the path of a request line.
pub(crate) fn read(raw: &str, printable_only: bool) -> Path {
    if !raw.starts_with('/') {
        return Path::Outside;
    }
    if !is_clean(&raw[1..]) {
        return Path::Redirect(clean(raw));
    }
    let Some(below) = raw.strip_prefix("/v1/") else { return Path::Outside };
    if !below.contains('%') {
        return if printable_only && !below.chars().all(prints) {
            Path::Unprintable
        } else {
            Path::Serve(below.to_owned())
        };
    }
    match decode(below) {
        Some(text) if printable_only && !text.chars().all(prints) => Path::Unprintable,
        Some(text) if !is_clean(&text) => Path::Relative,
        Some(text) => Path::Serve(text),
        None => Path::Unprintable,
    }
}

/// Without `.`, `..` and empty segments; one slash at the end is allowed.
fn is_clean(path: &str) -> bool {
    if path.is_empty() {
        return true;
    }
    path.strip_suffix('/').unwrap_or(path).split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// The shortest path that means the same. Starts with exactly one slash, so that it never names another host.
fn clean(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    let folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    if out.is_empty() || folder {
        out.push('/');
    }
    out
}

/// Percent-decodes; none where an escape is broken or the bytes are not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (hex(bytes.next()?)?, hex(bytes.next()?)?);
            out.push(high << 4 | low);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// Whether a character shows something: no controls, no blanks but the space, nothing invisible, no private use.
fn prints(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    !c.is_control() && !c.is_whitespace() && !is_invisible(c)
}

/// Unicode's format characters, the private areas and the non-characters.
fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0x00AD | 0x0600..=0x0605 | 0x061C | 0x06DD | 0x070F | 0x0890..=0x0891 | 0x08E2 | 0x180E
        | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xFEFF
        | 0xFFF0..=0xFFFB | 0xFFFE..=0xFFFF | 0x110BD | 0x110CD | 0x13430..=0x1343F | 0x1BCA0..=0x1BCA3
        | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF | 0xF0000..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(path: &str) -> Path {
        Path::Serve(path.to_owned())
    }

    fn redirect(path: &str) -> Path {
        Path::Redirect(path.to_owned())
    }

    #[test]
    fn decodes_what_it_serves() {
        for (raw, want) in [
            ("/v1/sys/mounts", "sys/mounts"),
            ("/v1/secret/a/", "secret/a/"),
            ("/v1/", ""),
            ("/v1/secret/sp%20ace", "secret/sp ace"),
            ("/v1/secret/%C3%A9t%C3%A9", "secret/été"),
            ("/v1/secret/a%2Fb", "secret/a/b"),
            ("/v1/secret/a+b", "secret/a+b"),
            ("/v1/secret/a..b/.c", "secret/a..b/.c"),
        ] {
            assert_eq!(read(raw, true), serve(want), "{raw}");
        }
    }

    #[test]
    fn never_serves_a_path_under_another_name() {
        for (raw, want) in [
            ("/v1/secret//a", redirect("/v1/secret/a")),
            ("//evil.example/v1/x", redirect("/evil.example/v1/x")),
            ("/v1/secret/../sys/mounts", redirect("/v1/sys/mounts")),
            ("/v1/secret/./a/", redirect("/v1/secret/a/")),
            ("/v1/../../..", redirect("/")),
            ("/v1/a//", redirect("/v1/a/")),
            ("/v1/secret/%2e%2e/sys/mounts", Path::Relative),
            ("/v1/secret/.%2E/sys", Path::Relative),
            ("/v1/secret/%2e", Path::Relative),
            ("/v1/secret/a%2F%2Fb", Path::Relative),
            ("/v1/secret/a%2F..%2Fb", Path::Relative),
            ("/v1/%2Fsys", Path::Relative),
            ("/v1", Path::Outside),
            ("/v1x/sys", Path::Outside),
            ("/", Path::Outside),
            ("/ui/", Path::Outside),
            ("*", Path::Outside),
        ] {
            assert_eq!(read(raw, true), want, "{raw}");
        }
    }

    #[test]
    fn refuses_what_does_not_print() {
        for raw in [
            "/v1/a%07",
            "/v1/a%00",
            "/v1/a%7f",
            "/v1/a%0a",
            "/v1/a%c2%a0",
            "/v1/a%e2%80%ae",
            "/v1/a%ff",
            "/v1/a%4",
            "/v1/a%zz",
            "/v1/a%",
        ] {
            assert_eq!(read(raw, true), Path::Unprintable, "{raw}");
        }
        assert_eq!(read("/v1/a%07", false), serve("a\u{7}"));
        assert_eq!(read("/v1/a%ff", false), Path::Unprintable);
    }
}
