//! One request and its answer: on a connection that was kept, or on a new one.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::{Request, Response};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody};

use super::body::{Received, Sent};
use super::connection::Connection;
use super::pool::Way;
use super::traffic::Traffic;
use super::{Destination, connect};
use crate::net::gate::Gate;

/// A request that the gate let pass.
pub(super) struct Exchange {
    gate: Arc<Gate>,
    traffic: Arc<Traffic>,
    turn: OwnedSemaphorePermit,
    to: Destination,
    request: Request<WasiBody>,
    connect_within: Duration,
    head_within: Duration,
    between: Duration,
}

/// A connection that a call uses.
pub(super) struct Held {
    connection: Connection,
    gate: Arc<Gate>,
    traffic: Arc<Traffic>,
    to: Destination,
}

impl Exchange {
    pub(super) fn new(
        gate: Arc<Gate>,
        traffic: Arc<Traffic>,
        turn: OwnedSemaphorePermit,
        to: Destination,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Self {
        // The guest may be less patient than the host, never more.
        let within = |asked: Option<Duration>, most: Duration| asked.map_or(most, |asked| asked.min(most));
        let connect_within = within(options.connect_timeout, traffic.connect_within);
        let head_within = within(options.first_byte_timeout, traffic.wait);
        let between = within(options.between_bytes_timeout, traffic.wait);
        Self { gate, traffic, turn, to, request, connect_within, head_within, between }
    }

    /// Sends it, and waits for the head of the answer.
    pub(super) async fn run(self) -> Result<Response<WasiBody>> {
        let Self { gate, traffic, turn, to, request, connect_within, head_within, between } = self;
        let mut request = Some(request.map(|body| Sent::new(body, &gate, &traffic, &to)));
        let holding = |connection| Held::new(connection, &gate, &traffic, &to);
        let mut answered = None;
        while let Some(kept) = take_kept(&gate, &traffic, &to) {
            let mut held = holding(kept)?;
            if !held.connection.is_ready().await {
                continue;
            }
            let Some(unsent) = request.take() else { break };
            match timeout(head_within, held.connection.sender.try_send_request(unsent)).await {
                Err(_) => return Err(Error::ConnectionReadTimeout),
                Ok(Ok(response)) => {
                    answered = Some((response, held));
                    break;
                }
                // The other side closed it before it saw anything of the request.
                Ok(Err(mut failed)) => match failed.take_message() {
                    Some(unsent) => request = Some(unsent),
                    None => return Err(failure(failed.into_error())),
                },
            }
        }
        let (mut response, held) = match (answered, request) {
            (Some(answered), _) => answered,
            (None, Some(request)) => {
                let fresh = timeout(connect_within, connect::connect(&gate, &to, connect_within)).await;
                let mut held = holding(fresh.map_err(|_| Error::ConnectionTimeout)??)?;
                (send(&mut held, request, head_within).await?, held)
            }
            (None, None) => return Err(Error::ConnectionTerminated),
        };
        // It means nothing in an answer, and only what a guest writes is to be taken for an attempt.
        response.headers_mut().remove(HOST);
        Ok(response.map(|incoming| Received::new(incoming, held, traffic, between, turn).boxed_unsync()))
    }
}

async fn send(held: &mut Held, request: Request<Sent>, within: Duration) -> Result<Response<Incoming>> {
    let answer = timeout(within, held.connection.sender.send_request(request)).await;
    answer.map_err(|_| Error::ConnectionReadTimeout)?.map_err(failure)
}

fn take_kept(gate: &Gate, traffic: &Traffic, to: &Destination) -> Option<Connection> {
    let place = traffic.place()?.clone();
    gate.border().pool.take(&Way { place, to: to.clone() })
}

impl Held {
    /// Ties it to the call.
    fn new(connection: Connection, gate: &Arc<Gate>, traffic: &Arc<Traffic>, to: &Destination) -> Result<Self> {
        if !traffic.hold(connection.number, connection.task()) {
            return Err(Error::ConnectionTerminated);
        }
        Ok(Self { connection, gate: Arc::clone(gate), traffic: Arc::clone(traffic), to: to.clone() })
    }

    /// Ends it: the call may receive no more.
    pub(super) fn overdrawn(self) {
        self.gate.deny(format!("receive from {}", self.to), "the call has used up the bytes that it may receive");
    }

    /// Keeps it for the backend's next request, if the call may and the connection can.
    pub(super) fn give_back(self) {
        let Self { connection, gate, traffic, to } = self;
        // A call that is over has ended it already.
        if !traffic.let_go(connection.number) || connection.is_closed() {
            return;
        }
        if let Some(place) = traffic.place() {
            let way = Way { place: place.clone(), to };
            gate.border().pool.keep(way, connection, &traffic);
        }
    }
}

/// What a guest learns of a failure.
pub(super) fn failure(error: hyper::Error) -> Error {
    if let Some(Error::HttpRequestBodySize(size)) = error.source().and_then(|s| s.downcast_ref::<Error>()) {
        return Error::HttpRequestBodySize(*size);
    }
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(None);
    }
    if error.is_timeout() {
        return Error::ConnectionReadTimeout;
    }
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    if error.is_parse() || error.is_user() {
        return Error::HttpProtocolError;
    }
    Error::ConnectionTerminated
}
