//! What replaces the stock network functions: look-ups ask the gate, sockets are counted, connects have a time limit.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Network};
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket as _;
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi::p2::{DynPollable, Pollable, SocketError, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::WasiSocketsView as _;

use super::gate::{Gate, LookupError};
use super::traffic;
use crate::state::State;

/// The version under which the stock implementation is linked; others match it as WASI's rules say.
const LOOKUP: &str = "wasi:sockets/ip-name-lookup@0.2.12";
const TCP: &str = "wasi:sockets/tcp@0.2.12";
const CREATE: &str = "wasi:sockets/tcp-create-socket@0.2.12";
const CREATE_UDP: &str = "wasi:sockets/udp-create-socket@0.2.12";

/// The answer of a look-up, complete from the beginning.
struct Addresses(std::vec::IntoIter<IpAddr>);

#[async_trait::async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {}
}

/// Replaces functions of the stock implementation, which must be linked already.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    look_ups(linker)?;
    sockets(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn look_ups(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut interface = linker.instance(LOOKUP)?;
    interface.resource(
        "resolve-address-stream",
        ResourceType::host::<Addresses>(),
        |mut store: StoreContextMut<'_, State>, rep| {
            store.data_mut().ctx().table.delete(Resource::<Addresses>::new_own(rep))?;
            Ok(())
        },
    )?;
    interface.func_wrap_async(
        "resolve-addresses",
        |mut store: StoreContextMut<'_, State>, (_, name): (Resource<Network>, String)| {
            Box::new(async move {
                let gate = std::sync::Arc::clone(&store.data().gate);
                let found = gate.look_up(&name).await.map_err(|e| match e {
                    LookupError::Denied => ErrorCode::AccessDenied,
                    LookupError::Unresolvable => ErrorCode::NameUnresolvable,
                    LookupError::Timeout => ErrorCode::TemporaryResolverFailure,
                });
                let stream = match found {
                    Ok(found) => Ok(store.data_mut().ctx().table.push(Addresses(found.into_iter()))?),
                    Err(code) => Err(code),
                };
                Ok((stream,))
            })
        },
    )?;
    interface.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: StoreContextMut<'_, State>, (stream,): (Resource<Addresses>,)| {
            let next = store.data_mut().ctx().table.get_mut(&stream)?.0.next();
            Ok((Ok::<_, ErrorCode>(next.map(IpAddress::from)),))
        },
    )?;
    interface.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: StoreContextMut<'_, State>, (stream,): (Resource<Addresses>,)| {
            let pollable: Resource<DynPollable> = wasmtime_wasi::p2::subscribe(store.data_mut().ctx().table, stream)?;
            Ok((pollable,))
        },
    )?;
    Ok(())
}

fn sockets(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(CREATE)?.func_wrap(
        "create-tcp-socket",
        |mut store: StoreContextMut<'_, State>, (family,): (IpAddressFamily,)| {
            let state = store.data_mut();
            if !state.gate.take_socket() {
                return Ok((Err(ErrorCode::AccessDenied),));
            }
            Ok((code(state.sockets().create_tcp_socket(family))?,))
        },
    )?;
    // The stock one would refuse it too, and nobody would hear of it.
    linker.instance(CREATE_UDP)?.func_wrap(
        "create-udp-socket",
        |store: StoreContextMut<'_, State>, (_,): (IpAddressFamily,)| {
            store.data().gate.deny("open a UDP socket".to_owned(), "only outgoing TCP connections exist");
            Ok((Err::<Resource<UdpSocket>, _>(ErrorCode::AccessDenied),))
        },
    )?;
    let mut tcp = linker.instance(TCP)?;
    tcp.func_wrap_async(
        "[method]tcp-socket.start-connect",
        |mut store: StoreContextMut<'_, State>,
         (socket, network, address): (Resource<TcpSocket>, Resource<Network>, IpSocketAddress)| {
            Box::new(async move {
                let state = store.data_mut();
                let within = state.gate.connect_within();
                let this = Resource::<TcpSocket>::new_borrow(socket.rep());
                state.late.remove(&this.rep());
                let started = code(state.sockets().start_connect(socket, network, address))?;
                tell(&state.gate, "connect", address, &started);
                if started.is_ok() && !is_settled(state, &this, within).await? {
                    state.late.insert(this.rep());
                    return Ok((Err(ErrorCode::Timeout),));
                }
                Ok((started,))
            })
        },
    )?;
    tcp.func_wrap_async(
        "[method]tcp-socket.start-bind",
        |mut store: StoreContextMut<'_, State>,
         (socket, network, address): (Resource<TcpSocket>, Resource<Network>, IpSocketAddress)| {
            Box::new(async move {
                let state = store.data_mut();
                let started = code(state.sockets().start_bind(socket, network, address).await)?;
                tell(&state.gate, "bind", address, &started);
                Ok((started,))
            })
        },
    )?;
    tcp.func_wrap(
        "[method]tcp-socket.finish-connect",
        |mut store: StoreContextMut<'_, State>, (socket,): (Resource<TcpSocket>,)| {
            let state = store.data_mut();
            // A guest that waits on does not get what came too late.
            if state.late.contains(&socket.rep()) {
                return Ok((Err(ErrorCode::Timeout),));
            }
            let finished = code(state.sockets().finish_connect(socket))?;
            if let Ok((input, output)) = &finished {
                traffic::count(state, input, output)?;
            }
            Ok((finished,))
        },
    )?;
    Ok(())
}

/// The runtime refuses some addresses before it asks the gate: mapped ones, multicast, port 0. They were tried all the
/// same.
fn tell(gate: &Gate, verb: &str, address: IpSocketAddress, started: &Result<(), ErrorCode>) {
    if matches!(started, Err(ErrorCode::InvalidArgument)) {
        gate.deny(format!("{verb} {}", SocketAddr::from(address)), "no connection is made with such an address");
    }
}

/// Waits until the connect has succeeded or failed; false after the host's patience.
async fn is_settled(state: &mut State, socket: &Resource<TcpSocket>, within: Duration) -> wasmtime::Result<bool> {
    let socket = state.ctx().table.get_mut(socket)?;
    Ok(tokio::time::timeout(within, socket.ready()).await.is_ok())
}

/// Separates what the guest may see from what ends the call.
fn code<T>(result: Result<T, SocketError>) -> wasmtime::Result<Result<T, ErrorCode>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => error.downcast().map(Err),
    }
}
