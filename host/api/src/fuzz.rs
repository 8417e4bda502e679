//! Fuzz targets: what clients send.

use serde_json::Value;

use crate::body;
use crate::path::{self, Path};

/// What is served is in its shortest form, and stays what it is; a redirect leads to a path that is not redirected.
fn paths(input: &[u8]) {
    let raw = String::from_utf8_lossy(input);
    for printable_only in [false, true] {
        match path::read(&raw, printable_only) {
            Path::Serve(served) => {
                let whole = served.strip_suffix('/').unwrap_or(&served);
                assert!(
                    served.is_empty() || !whole.split('/').any(|s| matches!(s, "" | "." | "..")),
                    "{raw:?} → {served:?}"
                );
                if !served.contains('%') {
                    assert_eq!(path::read(&format!("/v1/{served}"), printable_only), Path::Serve(served), "{raw:?}");
                }
            }
            Path::Redirect(to) => {
                assert!(to.starts_with('/') && !to.starts_with("//"), "{raw:?} → {to:?}");
                assert!(!matches!(path::read(&to, printable_only), Path::Redirect(_)), "{raw:?} → {to:?}");
            }
            Path::Outside | Path::Relative | Path::Unprintable => {}
        }
    }
}

/// A body is what a JSON reader without limits makes of it, or is refused.
fn bodies(input: &[u8]) {
    const MOST: usize = 1_000;
    match body::json(input, MOST) {
        Ok(read) => {
            let wanted: Value = serde_json::from_slice(input).expect("what was read is JSON");
            assert!(wanted.is_null() && read.is_empty() || wanted == Value::Object(read));
            assert!(count(&wanted) <= MOST);
        }
        Err(error) => assert!(error.messages.iter().all(|m| !m.contains(|c: char| c.is_control())), "{error:?}"),
    }
    if let Ok(form) = body::form(input, MOST) {
        assert!(form.len() <= MOST && form.values().all(Value::is_string));
    }
}

/// The values of a JSON text; repeated names count once here, so this is a lower bound.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

#[test]
fn paths_hold() {
    cofferdam_fuzz::run("path", paths);
}

#[test]
fn bodies_hold() {
    cofferdam_fuzz::run("json", bodies);
}
