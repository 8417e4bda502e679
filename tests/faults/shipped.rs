//! What is shipped has no failpoints.

use std::fs;
use std::path::Path;

use harness::{armed_binary, binary};

fn mentions(binary: &Path, text: &str) -> bool {
    fs::read(binary).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_shipped_server_has_no_failpoints() {
    for name in ["COFFERDAM_FAILPOINTS", "issue.intended", "store.unsynced", "revoke.removed"] {
        // The twin: where there are failpoints, this finds them.
        assert!(mentions(armed_binary(), name), "{name} has gone: then this test shows nothing");
        assert!(!mentions(binary(), name), "{name} is in the server that is shipped");
    }
}
