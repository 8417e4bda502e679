//! How long a development server takes to its first answer, and what an idle server keeps in memory.

use std::time::{Duration, Instant};

use harness::Server;
use serde_json::json;

use crate::process::resident;
use crate::secrets::with_secret;
use crate::table::{Line, PAIRS, Target, median};

pub(crate) fn lines(show: &mut dyn FnMut(Line)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flags = [format!("-dev-path={}", folder.path().join("data").display())];
    // The first start compiles the engines and keeps what it compiled.
    drop(Server::dev_with(&flags));
    for (what, flags) in [("server -dev-path, first answer, ms", &flags[..]), ("server -dev, first answer, ms", &[])] {
        let starts = (0..PAIRS).map(|_| {
            let start = Instant::now();
            let server = Server::dev_with(flags);
            server.api().post("secret/data/first", json!({ "data": { "a": "b" } })).ok();
            let taken = start.elapsed();
            drop(server);
            taken.as_secs_f64() * 1_000.0
        });
        let detail = "start of the process to the answer of an engine, compiled code cached".to_owned();
        show(Line { what, detail, figure: median(starts), target: Target::AtMost(300.0) });
    }

    let server = Server::stored();
    with_secret(&server);
    server.api().get("secret/data/bench/read").ok();
    std::thread::sleep(Duration::from_secs(1));
    show(Line {
        what: "idle memory, MiB",
        detail: "resident; unsealed, one secret written and read".to_owned(),
        figure: resident(server.id()),
        target: Target::AtMost(60.0),
    });
}
