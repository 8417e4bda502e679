//! One development server for the tests that do not need one of their own.

use std::sync::OnceLock;

use harness::{Api, Server};
use serde_json::json;

/// A root client of the shared server.
pub(crate) fn shared() -> &'static Api {
    static SHARED: OnceLock<(Server, Api)> = OnceLock::new();
    let (_, api) = SHARED.get_or_init(|| {
        let server = Server::dev();
        let api = server.api();
        (server, api)
    });
    api
}

/// Writes a key-value entry to a mount that is made for it, and answers how to see whether it is still served.
pub(crate) fn neighbour(api: &Api, path: &str) -> impl Fn() + use<> {
    api.mount(path, "kv");
    let entry = format!("{path}/greeting");
    api.put(&entry, json!({ "text": "hello" })).expect(204);
    let api = api.clone();
    move || assert_eq!(api.get(&entry).expect(200)["data"]["text"], "hello")
}
