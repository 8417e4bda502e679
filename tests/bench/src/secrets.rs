//! Reading and writing secrets: the KV engine, version 2, with a fresh instance for every call; and what is gained where
//! the host may remember answers.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use harness::{Server, checkout};
use serde_json::json;

use crate::load::{Load, get, post};
use crate::parts::{Static, Store, component};
use crate::process::resident;
use crate::table::{Line, Target, pair};

pub(crate) const WINDOW: Duration = Duration::from_millis(1_000);
pub(crate) const CLIENTS: usize = 32;

/// Where a server listens.
pub(crate) fn address(server: &Server) -> std::net::SocketAddr {
    server.url().trim_start_matches("http://").parse().expect("an address")
}

/// A KV mount at `secret/` with a secret in it. Every read is a call: nothing is remembered there.
pub(crate) fn with_secret(server: &Server) {
    mount(server, "secret", true);
}

fn mount(server: &Server, path: &str, forgetful: bool) {
    let api = server.api();
    let config = json!({ "force_no_cache": forgetful });
    api.post(&format!("sys/mounts/{path}"), json!({ "type": "kv", "options": { "version": "2" }, "config": config }))
        .ok();
    let data = json!({ "data": { "username": "app", "password": "correct horse battery staple" } });
    api.post(&format!("{path}/data/bench/read"), data).ok();
}

pub(crate) fn lines(show: &mut dyn FnMut(Line)) {
    let server = Server::stored();
    with_secret(&server);
    let at = address(&server);
    let body = server.api().get("secret/data/bench/read").ok().to_string();
    let fixed = Static::start(&body);

    let read = Load { address: at, clients: CLIENTS, request: get("secret/data/bench/read", server.root()) };
    let same = Load { address: fixed.address, clients: CLIENTS, request: Rc::clone(&read.request) };
    let rates = pair(|| read.run(WINDOW).rate(), || same.run(WINDOW).rate());
    show(rates.line("KV v2 read, 32 clients, a call each", "a static answer", Target::AtLeast(0.40)));
    for (what, component) in [
        ("an instance of KV for each, and no call", component("kv")),
        ("an instance of a page of memory for each", checkout().join("tests/bench/least.wat")),
    ] {
        let instances = Static::with_instances(&body, &component);
        let bare = Load { address: instances.address, clients: CLIENTS, request: Rc::clone(&read.request) };
        let rates = pair(|| bare.run(WINDOW).rate(), || same.run(WINDOW).rate());
        show(rates.line(what, "a static answer", Target::None));
    }
    mount(&server, "again", false);
    let again = Load { address: at, clients: CLIENTS, request: get("again/data/bench/read", server.root()) };
    let rates = pair(|| again.run(WINDOW).rate(), || same.run(WINDOW).rate());
    show(rates.line("the same, one secret again and again", "a static answer", Target::AtLeast(0.40)));

    let root = server.root().to_owned();
    let rounds = Cell::new(0);
    let write = || {
        rounds.set(rounds.get() + 1);
        let (root, round) = (root.clone(), rounds.get());
        let request = move |client: usize, number: u64, out: &mut Vec<u8>| {
            let path = format!("secret/data/bench/{round}/{client}/{number}");
            post(&path, &root, r#"{"data":{"username":"app","password":"correct horse battery staple"}}"#, out);
        };
        Load { address: at, clients: CLIENTS, request: Rc::new(request) }.run(WINDOW).rate()
    };
    let mut store = Store::start();
    let rates = pair(write, || store.rate("secret", CLIENTS, WINDOW));
    show(rates.line("KV v2 write, synced, 32 clients", "the store alone, same rows", Target::AtLeast(0.5)));
    let rates = pair(write, || store.rate("secret", 1, WINDOW));
    show(rates.line("the same", "single synced commits", Target::AtLeast(1.5)));

    show(Line {
        what: "memory after these, MiB",
        detail: "resident".to_owned(),
        figure: resident(server.id()),
        target: Target::AtMost(120.0),
    });
}
