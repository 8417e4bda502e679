//! From a place to a connection: one look-up, the addresses that the gate leaves of it, TLS to the place's own name.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cofferdam_model::engine::Protocol;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::{Error, Result};

use super::Destination;
use super::connection::{Connection, Stream};
use crate::net::gate::{Gate, LookupError};

/// Connects to a place that the gate admitted.
pub(super) async fn connect(gate: &Gate, to: &Destination, within: Duration) -> Result<Connection> {
    let addresses = gate.addresses(to).await.map_err(|e| match e {
        LookupError::Denied => Error::DestinationIpProhibited,
        LookupError::Unresolvable => Error::DnsError { rcode: None, info_code: None },
        LookupError::Timeout => Error::DnsTimeout,
    })?;
    let tcp = first(gate, &addresses, Instant::now() + within).await?;
    let stream: Box<dyn Stream> = if to.protocol == Protocol::Http {
        Box::new(tcp)
    } else {
        let connector = TlsConnector::from(Arc::clone(&gate.border().tls));
        Box::new(connector.connect(name(to)?, tcp).await.map_err(|e| tls_failure(&e))?)
    };
    Connection::on(stream).await
}

/// The first address that answers; each gets an even share of the time.
async fn first(gate: &Gate, addresses: &[SocketAddr], until: Instant) -> Result<TcpStream> {
    let mut failed = Error::ConnectionRefused;
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(1);
        let share = until.saturating_duration_since(Instant::now()) / left;
        gate.connected(*address);
        failed = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Requests are written whole; waiting for more only costs time.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
            Ok(Err(_)) => Error::DestinationUnavailable,
            Err(_) => Error::ConnectionTimeout,
        };
    }
    Err(failed)
}

/// Whom the certificate must name.
fn name(to: &Destination) -> Result<ServerName<'static>> {
    match to.host.parse::<IpAddr>() {
        Ok(address) => Ok(ServerName::from(address)),
        Err(_) => ServerName::try_from(to.host.clone()).map_err(|_| Error::HttpRequestUriInvalid),
    }
}

fn tls_failure(error: &io::Error) -> Error {
    match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        _ => Error::TlsProtocolError,
    }
}
