//! A server on loopback that remembers what it was asked, with TLS or without.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Request, Response};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::io::TokioIo;

/// What a server saw of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) sni: Option<String>,
    pub(super) hosts: Vec<String>,
    pub(super) line: String,
    pub(super) body: Vec<u8>,
}

/// The running server.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// Its own authority, PEM.
    pub(super) authority: String,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(super) type Answer = fn(&Seen) -> Response<WasiBody>;

impl Server {
    /// Serves HTTP for as long as the test runs; HTTPS if it is given a name for its certificate.
    pub(super) async fn start(name: Option<&str>, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (tls, authority) = name.map(identity).map_or((None, String::new()), |(tls, pem)| (Some(tls), pem));
        let address = listener.local_addr().unwrap();
        let this = Self { address, authority, connections: Arc::default(), seen: Arc::default() };
        let server = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(server.clone().serve(stream, tls.clone(), answer));
            }
        });
        this
    }

    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>, answer: Answer) {
        match tls {
            None => self.speak(stream, None, answer).await,
            Some(tls) => {
                let Ok(stream) = tls.accept(stream).await else { return };
                let sni = stream.get_ref().1.server_name().map(str::to_owned);
                self.speak(stream, sni, answer).await;
            }
        }
    }

    async fn speak<S>(&self, stream: S, sni: Option<String>, answer: Answer)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            let sni = sni.clone();
            async move {
                let (head, body) = request.into_parts();
                let hosts = head.headers.get_all(HOST).iter().filter_map(|h| h.to_str().ok().map(str::to_owned));
                let seen = Seen {
                    sni,
                    hosts: hosts.collect(),
                    line: format!("{} {}", head.method, head.uri),
                    body: body.collect().await.map(|b| b.to_bytes().to_vec()).unwrap_or_default(),
                };
                let response = answer(&seen);
                self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
                Ok::<_, Infallible>(response)
            }
        });
        drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
    }

    /// All requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All connections so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn identity(name: &str) -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// A server that answers each connection with these bytes, whatever it is asked, and then says no more.
pub(super) async fn raw(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(stream.write_all(&bytes).await);
            open.push(stream);
        }
    });
    address
}

/// A body that is there at once.
pub(super) fn body(bytes: impl Into<Bytes>) -> WasiBody {
    http_body_util::Full::new(bytes.into()).map_err(|e| match e {}).boxed_unsync()
}

/// 200.
pub(super) fn fine(_: &Seen) -> Response<WasiBody> {
    Response::new(body("fine"))
}
