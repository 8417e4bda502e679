//! Listeners: bound before anything else starts, served once the vault is there, drained at the end.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use cofferdam_api::Service;
use hyper_util::rt::TokioTimer;

use crate::config::Listener;
use crate::tls::{self, TlsError};

/// Why a listener cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its files.
    #[error("TLS of the listener on {address}: {source}")]
    Tls {
        /// As configured.
        address: SocketAddr,
        /// Names the file.
        source: Box<TlsError>,
    },
}

/// A socket that waits, with everything that its connections will need.
pub(crate) struct Bound {
    socket: TcpListener,
    address: SocketAddr,
    config: Listener,
    tls: Option<RustlsConfig>,
}

impl Bound {
    /// Binds the address and reads the certificates.
    pub(crate) fn bind(config: Listener) -> Result<Self, ListenError> {
        let tls = match &config.tls {
            None => None,
            Some(files) => Some(RustlsConfig::from_config(
                tls::server_config(files)
                    .map_err(|source| ListenError::Tls { address: config.address, source: Box::new(source) })?,
            )),
        };
        let failed = |source| ListenError::Bind { address: config.address, source };
        let socket = TcpListener::bind(config.address).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, config, tls })
    }

    /// With the real port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was asked for.
    pub(crate) fn config(&self) -> &Listener {
        &self.config
    }

    /// How a client on this machine reaches it.
    pub(crate) fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    /// What reads its certificates again.
    pub(crate) fn reloader(&self) -> Option<Reloader> {
        let (tls, files) = (self.tls.clone()?, self.config.tls.clone()?);
        Some(Reloader { address: self.address, tls, files })
    }

    /// Serves until the handle says stop, and then to the end of what is under way.
    pub(crate) async fn serve(self, service: Service, handle: Handle<SocketAddr>) -> std::io::Result<()> {
        let mut server = axum_server::from_tcp(self.socket)?.handle(handle);
        let idle = self.config.idle_timeout;
        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(idle);
        server
            .http_builder()
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(idle)
            .keep_alive_timeout(Duration::from_secs(20));
        match self.tls {
            None => server.acceptor(NoDelayAcceptor::new()).serve(service).await,
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
                server.acceptor(acceptor).serve(service).await
            }
        }
    }
}

/// Reads a listener's certificates again while it serves.
pub(crate) struct Reloader {
    address: SocketAddr,
    tls: RustlsConfig,
    files: crate::config::TlsFiles,
}

impl Reloader {
    /// New connections get the new certificate. If the files are bad, the old one stays.
    pub(crate) fn reload(&self) -> Result<(), ListenError> {
        let config = tls::server_config(&self.files)
            .map_err(|source| ListenError::Tls { address: self.address, source: Box::new(source) })?;
        self.tls.reload_from_config(config);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
