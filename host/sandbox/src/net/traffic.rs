//! Counts the bytes that go through a connection, as its streams hand them over.

use std::sync::Arc;

use bytes::Bytes;
use cofferdam_model::review::Counts;
use wasmtime::component::Resource;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::pipe::{ClosedInputStream, ClosedOutputStream};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamResult};

use super::ledger::Row;
use crate::state::State;

/// Has the streams of a connection that was just made counted.
pub(crate) fn count(
    state: &mut State,
    input: &Resource<DynInputStream>,
    output: &Resource<DynOutputStream>,
) -> wasmtime::Result<()> {
    let row = state.gate.row();
    let table = state.ctx().table;
    let place = table.get_mut(input)?;
    let stream = std::mem::replace(place, Box::new(ClosedInputStream));
    *place = Box::new(Incoming { stream, row: Arc::clone(&row) });
    let place = table.get_mut(output)?;
    let stream = std::mem::replace(place, Box::new(ClosedOutputStream));
    *place = Box::new(Outgoing { stream, row });
    Ok(())
}

fn number(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

struct Incoming {
    stream: DynInputStream,
    row: Arc<Row>,
}

#[async_trait::async_trait]
impl Pollable for Incoming {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[async_trait::async_trait]
impl InputStream for Incoming {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self.stream.read(size)?;
        self.row.add(&Counts { received: number(&bytes), ..Counts::default() });
        Ok(bytes)
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

struct Outgoing {
    stream: DynOutputStream,
    row: Arc<Row>,
}

#[async_trait::async_trait]
impl Pollable for Outgoing {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[async_trait::async_trait]
impl OutputStream for Outgoing {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let sent = number(&bytes);
        self.stream.write(bytes)?;
        self.row.add(&Counts { sent, ..Counts::default() });
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.stream.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.stream.check_write()
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}
