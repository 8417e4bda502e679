//! The whole way of a request, against servers on loopback and a resolver that answers from a table.

mod guard;
mod limits;
mod pool;
mod server;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use cofferdam_model::engine::{Grant, GrantOrigin, Protocol};
use http_body_util::BodyExt as _;
use hyper::{Method, Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks as _};

use super::traffic::{Place, Traffic};
use super::{Hooks, tls};
use crate::net::address::Shut;
use crate::net::gate::tests::Table;
use crate::net::gate::{Border, Gate};
use crate::net::ledger::{Ledger, Origin};
use crate::policy::Limits;
use crate::policy::tests::limits as usual;

/// A host without instances: what a guest would do to it, a test does.
struct Host {
    border: Arc<Border>,
    table: Table,
}

/// One call.
struct Call {
    gate: Arc<Gate>,
    hooks: Hooks,
}

fn grant(host: &str, port: u16, protocol: Protocol) -> Grant {
    Grant { host: host.to_owned(), port, protocol, origin: GrantOrigin::Derived }
}

fn place(backend: &str, generation: u64) -> Place {
    Place { mount: "m".to_owned(), backend: backend.to_owned(), generation }
}

impl Host {
    fn believing(authority: &str) -> Self {
        let table = Table::default();
        table.set("api.corp", &[[127, 0, 0, 1].into()]);
        let border = Arc::new(Border {
            shut: Shut { own: Vec::new(), allow_loopback: true },
            resolver: Box::new(table.clone()),
            ledger: Ledger::default(),
            tls: tls::client(authority.as_bytes()).unwrap(),
            pool: super::pool::Pool::default(),
        });
        Self { border, table }
    }

    /// A call on the backend `b`.
    fn call(&self, grants: &[Grant]) -> Call {
        self.call_with(grants, &usual(), place("b", 1))
    }

    fn call_with(&self, grants: &[Grant], limits: &Limits, place: Place) -> Call {
        let gate = Arc::new(Gate::shut(Arc::clone(&self.border)));
        gate.open(Origin::default(), grants.to_vec(), limits, Traffic::new(limits, Some(place), None));
        Call { hooks: Hooks::new(Arc::clone(&gate)), gate }
    }

    /// Why the last refusal was.
    fn last_denial(&self) -> String {
        self.border.ledger.denials().last().map(|d| format!("{}: {}", d.attempt, d.reason)).unwrap_or_default()
    }
}

impl Call {
    async fn send(&mut self, request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
        self.send_within(request, None).await
    }

    async fn send_within(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let sent = self.hooks.send_request(request, options, Box::new(async { Ok(()) }));
        Pin::from(sent).await.map(|(response, _)| response)
    }

    /// Status and body of a GET.
    async fn get(&mut self, url: &str) -> Result<(u16, Bytes), Error> {
        let response = self.send(request(Method::GET, url)).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// As the bindings make it of what a guest says.
fn request(method: Method, url: &str) -> Request<WasiBody> {
    let request = Request::builder().method(method).uri(url);
    request.header("host", "whatever.the.guest.says").body(server::body("")).unwrap()
}

/// Whether the error is the one of this name.
fn is<T>(result: &Result<T, Error>, name: &str) -> bool {
    result.as_ref().err().is_some_and(|e| format!("{e:?}").starts_with(name))
}
