//! From the paths of clients to the keys of entries.

use engine_sdk::types::Failure;
use engine_sdk::{Context, failure};

/// Longest path of a secret: leaves room below the host's limit for what the engine puts around it.
const MAX_PATH: usize = 1_000;
/// The host's limits.
const MAX_DEPTH: usize = 64;
const MAX_VALUE: usize = 1 << 20;

/// Whether the path can name a secret. A path that ends in a slash names a folder.
pub(crate) fn is_secret(path: &str) -> bool {
    !path.is_empty() && !path.ends_with('/')
}

/// Refuses what the host's storage would refuse, with the client's words.
pub(crate) fn check(path: &str) -> Result<(), Failure> {
    if !is_secret(path) {
        return Err(failure::invalid("missing path"));
    }
    check_segments(path)
}

/// The prefix of a listing: the root, or a folder with its slash.
pub(crate) fn folder(path: &str) -> Result<&str, Failure> {
    match path.strip_suffix('/') {
        Some("") => Ok(""),
        None if path.is_empty() => Ok(""),
        Some(folder) => check_segments(folder).map(|()| path),
        None => Err(failure::invalid("a listed path ends in a slash")),
    }
}

fn check_segments(path: &str) -> Result<(), Failure> {
    if path.len() > MAX_PATH {
        return Err(failure::invalid(format!("the path is longer than {MAX_PATH} bytes")));
    }
    if path.contains('\0') || path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(failure::invalid("the path has an empty or relative segment"));
    }
    Ok(())
}

/// Refuses what could be written but not answered again: the host takes no deeper JSON from an engine.
pub(crate) fn check_depth(json: &str) -> Result<(), Failure> {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if deepest > MAX_DEPTH {
        return Err(failure::invalid(format!("the secret is nested more than {MAX_DEPTH} levels deep")));
    }
    Ok(())
}

/// Writes an entry, or says that it is too large.
pub(crate) fn put(ctx: &Context, key: &str, value: &[u8]) -> Result<(), Failure> {
    if value.len() > MAX_VALUE {
        return Err(failure::invalid(format!("the secret is larger than {MAX_VALUE} bytes")));
    }
    ctx.storage().put(key, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_storage_takes() {
        for path in ["a", "a/b c", "ä/…", "a/.b", "a/b..", &"x".repeat(MAX_PATH)] {
            assert!(check(path).is_ok(), "{path}");
        }
        for path in ["", "/", "a/", "a//b", "/a", "a/./b", "..", "a\0b", &"x".repeat(MAX_PATH + 1)] {
            assert!(check(path).is_err(), "{path}");
        }
    }

    #[test]
    fn counts_levels_outside_of_texts() {
        let nested = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        assert!(check_depth(&nested(MAX_DEPTH)).is_ok());
        assert!(check_depth(&nested(MAX_DEPTH + 1)).is_err());
        assert!(check_depth(&format!(r#"{{"a":"\"{}","b":[]}}"#, "[".repeat(100))).is_ok());
        assert!(check_depth(&format!("[{}]", "[],".repeat(100))).is_ok());
    }

    #[test]
    fn folders_are_the_root_or_end_in_a_slash() {
        for (path, prefix) in [("", Some("")), ("/", Some("")), ("a/", Some("a/")), ("a//", None), ("a", None)] {
            assert_eq!(folder(path).ok(), prefix, "{path}");
        }
    }
}
