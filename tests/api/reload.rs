//! What a running server reads again at SIGHUP.

use std::fs::{OpenOptions, read_to_string, write};
use std::io::Write as _;

use harness::{Server, wait_until};
use rustix::process::Signal;

/// What is said at the end, to those who want to know everything.
const DETAIL: &str = "no request is under way";

#[test]
fn the_level_of_the_log_follows_the_configuration() {
    let mut server = Server::stored();
    let config = server.folder().join("server.hcl");
    let first = read_to_string(&config).unwrap();
    let says = |server: &Server, text: &str| wait_until(text, || server.log().contains(text).then_some(()));

    server.stop();
    assert!(!server.log().contains(DETAIL), "the usual level");

    server.start_again();
    OpenOptions::new().append(true).open(&config).unwrap().write_all(b"log_level = \"debug\"\n").unwrap();
    server.signal(Signal::HUP);
    says(&server, "reloading");
    // What does not read changes nothing.
    write(&config, format!("{first}log_level = \"loud\"\n")).unwrap();
    server.signal(Signal::HUP);
    says(&server, "the log's level stays as it was: log_level \"loud\"");
    write(&config, format!("{first}log_level = \n")).unwrap();
    server.signal(Signal::HUP);
    says(&server, "server.hcl: line 9: expected a value");
    server.stop();
    assert!(server.log().contains(DETAIL), "{}", server.log());
}
