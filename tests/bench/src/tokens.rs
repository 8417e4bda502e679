//! Tokens: looking one up, and making one.

use std::rc::Rc;

use harness::Server;

use crate::load::{Load, get, post};
use crate::parts::{Static, Store};
use crate::secrets::{CLIENTS, WINDOW, address};
use crate::table::{Line, Target, pair};

pub(crate) fn lines(show: &mut dyn FnMut(Line)) {
    let server = Server::stored();
    let at = address(&server);
    let body = server.api().get("auth/token/lookup-self").ok().to_string();
    let fixed = Static::start(&body);
    let look = Load { address: at, clients: CLIENTS, request: get("auth/token/lookup-self", server.root()) };
    let same = Load { address: fixed.address, clients: CLIENTS, request: Rc::clone(&look.request) };
    let rates = pair(|| look.run(WINDOW).rate(), || same.run(WINDOW).rate());
    show(rates.line("token look-up, 32 clients", "a static answer", Target::AtLeast(0.5)));

    let root = server.root().to_owned();
    let request = move |_: usize, _: u64, out: &mut Vec<u8>| {
        post("auth/token/create", &root, r#"{"policies":["default"],"ttl":"1h"}"#, out);
    };
    let make = Load { address: at, clients: CLIENTS, request: Rc::new(request) };
    let mut store = Store::start();
    let rates = pair(|| make.run(WINDOW).rate(), || store.rate("token", CLIENTS, WINDOW));
    show(rates.line("token create, synced, 32 clients", "the store alone, same rows", Target::AtLeast(0.6)));
}
