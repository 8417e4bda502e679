//! A database that hangs under many callers, and what its neighbours notice of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::{DatabaseMount, Postgres, Server};

use crate::load::{Load, get};
use crate::secrets::{CLIENTS, WINDOW, address, with_secret};
use crate::table::{Line, Target, pair};

const CALLERS: usize = 16;

pub(crate) fn lines(show: &mut dyn FnMut(Line)) {
    let cluster = Postgres::start();
    let server = Server::stored();
    with_secret(&server);
    let mount = DatabaseMount::new(&server.api(), "database", &cluster);
    let request = get("secret/data/bench/read", server.root());
    let read = Load { address: address(&server), clients: CLIENTS, request };
    let hung = || {
        let _hang = cluster.hang();
        let over = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (api, path, over) = (mount.api.clone(), format!("{}/creds/app", mount.path), Arc::clone(&over));
                std::thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        // Every answer is right: it hangs, and then it fails.
                        let _ = api.try_send("GET", &path, None);
                    }
                })
            })
            .collect();
        let rate = read.run(WINDOW).rate();
        over.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.join().expect("a caller ends");
        }
        rate
    };
    let rates = pair(hung, || read.run(WINDOW).rate());
    show(rates.line("KV read beside a hung database, 16 callers", "without them", Target::AtLeast(0.9)));
}
