//! Bodies on their way, counted against the call's allowance.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::Destination;
use super::exchange::{Held, failure};
use super::traffic::Traffic;
use crate::net::gate::Gate;

/// What a guest sends.
pub(super) struct Sent {
    body: WasiBody,
    /// Of a call that may be over: the gate ends the connection then, and this is what the connection sends.
    gate: Weak<Gate>,
    traffic: Arc<Traffic>,
    to: Destination,
}

impl Sent {
    pub(super) fn new(body: WasiBody, gate: &Arc<Gate>, traffic: &Arc<Traffic>, to: &Destination) -> Self {
        Self { body, gate: Arc::downgrade(gate), traffic: Arc::clone(traffic), to: to.clone() }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Ok(frame)) if !self.traffic.may_send(size(&frame)) => {
                if let Some(gate) = self.gate.upgrade() {
                    gate.deny(format!("send to {}", self.to), "the call has used up the bytes that it may send");
                }
                Some(Err(Error::HttpRequestBodySize(None)))
            }
            other => other,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a guest receives. Read to its end, it gives its connection back.
pub(super) struct Received {
    incoming: Incoming,
    held: Option<Held>,
    traffic: Arc<Traffic>,
    between: Duration,
    timer: Pin<Box<Sleep>>,
    _turn: OwnedSemaphorePermit,
}

impl Received {
    pub(super) fn new(
        incoming: Incoming,
        held: Held,
        traffic: Arc<Traffic>,
        between: Duration,
        turn: OwnedSemaphorePermit,
    ) -> Self {
        let timer = Box::pin(sleep(between));
        let mut this = Self { incoming, held: Some(held), traffic, between, timer, _turn: turn };
        this.give_back();
        this
    }

    /// Gives the connection back if nothing more is to come on it.
    fn give_back(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(held) = self.held.take()
        {
            held.give_back();
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(this.timer.as_mut().poll(cx));
                this.held = None;
                return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
            }
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) if this.traffic.may_receive(size(&frame)) => {
                this.timer.as_mut().reset(Instant::now() + this.between);
                this.give_back();
                Some(Ok(frame))
            }
            Some(Ok(_)) => {
                if let Some(held) = this.held.take() {
                    held.overdrawn();
                }
                Some(Err(Error::HttpResponseBodySize(None)))
            }
            Some(Err(error)) => {
                this.held = None;
                Some(Err(failure(error)))
            }
            None => {
                this.give_back();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Trailers count too.
fn size(frame: &Frame<Bytes>) -> usize {
    let trailers = frame.trailers_ref().into_iter().flatten();
    frame.data_ref().map_or(0, Bytes::len) + trailers.map(|(n, v)| n.as_str().len() + v.len()).sum::<usize>()
}
