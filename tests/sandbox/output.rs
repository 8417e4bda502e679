//! An engine that floods.

use serde_json::json;

use crate::arena::arena;

/// What one call may add to the server's log, generously.
const LOG_BYTES_MAX: usize = 1 << 20;

#[test]
fn what_it_prints_is_not_kept() {
    arena().mount("print", "output");
    let before = arena().log().len();
    arena().attack("print/attack/print", json!({}));
    let grown = arena().log().len() - before;
    assert!(grown < LOG_BYTES_MAX, "the log grew by {grown} bytes");
}

#[test]
fn what_it_logs_is_cut() {
    arena().mount("logger", "output");
    let before = arena().log().len();
    arena().attack("logger/attack/log", json!({}));
    let grown = arena().log().len() - before;
    assert!(grown < LOG_BYTES_MAX, "the log grew by {grown} bytes");
}

#[test]
fn it_forges_no_line_of_the_log() {
    arena().mount("forger", "output");
    arena().attack("forger/attack/forge", json!({}));
    let log = arena().log();
    assert!(log.contains("innocent"), "the twin: what it logs is there");
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01T00:00:00Z ERROR forged")), "a line was forged");
    assert!(!log.contains("\u{1b}[31m\n"), "a control sequence reached the log");
}

#[test]
fn an_answer_too_large_is_a_fault() {
    arena().mount("large", "output");
    arena().ends("trap", "large/attack/answer", json!({}));
}
