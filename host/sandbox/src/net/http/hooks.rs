//! What stands in for the stock way of sending: reads a guest's request, asks the gate, and makes it one for that place.

use std::future::{Future, ready};
use std::sync::Arc;

use cofferdam_model::engine::Protocol;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{Method, Request, Response, Uri};
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpCtx, WasiHttpHooks};

use super::Destination;
use super::exchange::Exchange;
use crate::net::gate::{Gate, printable};

/// Bytes of the headers that a guest makes, about.
const MAX_HEADERS: usize = 64 << 10;
/// Bytes that a guest writes into a body at once.
const MAX_CHUNK: usize = 64 << 10;

/// The methods of ordinary requests. `CONNECT` would make a tunnel of a connection.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// The state of `wasi:http` for one instance.
pub(crate) fn context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(MAX_HEADERS);
    context
}

/// Sends what the gate lets pass.
pub(crate) struct Hooks {
    gate: Arc<Gate>,
}

/// What the answer comes as: the head with a body to be read, and a task that is over already.
type Answer = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>)>;

impl Hooks {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }

    fn admit(&self, request: Request<WasiBody>, options: Option<RequestOptions>) -> Result<Exchange> {
        let refuse = |reason: &str| {
            let to = request.uri().authority().map_or("", |a| a.as_str());
            self.gate.deny(format!("request {}", printable(to)), reason);
        };
        if !METHODS.contains(request.method()) {
            refuse("its method is none of the usual ones");
            return Err(Error::HttpRequestMethodInvalid);
        }
        let protocol = match request.uri().scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => Protocol::Https,
            Some(scheme) if *scheme == Scheme::HTTP => Protocol::Http,
            _ => {
                refuse("it is neither HTTPS nor HTTP");
                return Err(Error::HttpProtocolError);
            }
        };
        let authority = request.uri().authority().map_or("", |a| a.as_str());
        let to = Destination::new(protocol, authority).map_err(|_| {
            refuse("it names no plain host and port");
            Error::HttpRequestUriInvalid
        })?;
        self.gate.admit(&to).map_err(|_| Error::HttpRequestDenied)?;
        let traffic = self.gate.traffic();
        let turn = traffic.begin().ok_or_else(|| {
            self.gate.deny(format!("request {to}"), "the call has too many requests at once");
            Error::ConnectionLimitReached
        })?;
        let request = addressed(request, &to)?;
        Ok(Exchange::new(Arc::clone(&self.gate), traffic, turn, to, request, options.unwrap_or_default()))
    }
}

/// The request in the form in which a server gets it: its path alone, and the one name of the place as its host.
fn addressed(mut request: Request<WasiBody>, to: &Destination) -> Result<Request<WasiBody>> {
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    *request.uri_mut() = path.parse::<Uri>().map_err(|_| Error::HttpRequestUriInvalid)?;
    let host = HeaderValue::from_str(&to.authority()).map_err(|_| Error::HttpRequestUriInvalid)?;
    // In place of all that the guest may have said.
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

impl WasiHttpHooks for Hooks {
    /// Asked of every header that a guest makes; answers come here without the one that is written down.
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        if *name == HOST {
            self.gate.deny("write a Host header".to_owned(), "the host writes it, for the place that it connects to");
        }
        (self.forbidden_header_filter())(name)
    }

    /// What is none is refused below, where it is written down.
    fn is_supported_scheme(&mut self, _: &Scheme) -> bool {
        true
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        match self.admit(request, options) {
            Ok(exchange) => Box::new(async move {
                let response = exchange.run().await?;
                let over: Box<dyn Future<Output = Result<()>> + Send> = Box::new(ready(Ok(())));
                Ok((response, over))
            }),
            Err(error) => Box::new(ready(Err(error))),
        }
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        MAX_CHUNK
    }
}
