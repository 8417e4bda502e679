//! A listener with certificates of its own making.

use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cofferdam_api::{Handler, Limits};
use cofferdam_model::{Request, Response, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use crate::config::{TlsFiles, TlsVersion};

struct Echo;

impl Handler for Echo {
    async fn handle(&self, request: Request) -> Result<Response> {
        Ok(Response::with_value(&serde_json::json!({"path": request.path, "from": request.remote_address})))
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, PEM.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn put(dir: &Path, name: &str, text: &str) -> String {
    Dir::open_ambient_dir(dir, ambient_authority()).unwrap().write(name, text).unwrap();
    dir.join(name).display().to_string()
}

fn listener(certificate: String, key: String) -> Listener {
    let tls = TlsFiles {
        certificate,
        key,
        client_ca: None,
        require_client_certificate: false,
        oldest: TlsVersion::V12,
        newest: TlsVersion::V13,
    };
    Listener { tls: Some(tls), ..Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0))) }
}

/// Serves in the background; ends with the test.
fn start(config: Listener) -> (SocketAddr, Option<Reloader>, Handle<SocketAddr>) {
    let bound = Bound::bind(config).unwrap();
    let (address, reloader, handle) = (bound.address(), bound.reloader(), Handle::new());
    tokio::spawn(bound.serve(cofferdam_api::service(Arc::new(Echo), Limits::default()), handle.clone()));
    (address, reloader, handle)
}

fn client(authority: &Authority, own: Option<&(String, String)>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    TlsConnector::from(Arc::new(config))
}

/// The whole answer, and the server's certificate.
async fn ask(client: &TlsConnector, to: SocketAddr) -> std::io::Result<(String, CertificateDer<'static>)> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = client.connect(name, TcpStream::connect(to).await?).await?;
    stream.write_all(b"GET /v1/a/b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    Ok((answer, shown))
}

#[tokio::test]
async fn serves_tls_and_takes_new_certificates_while_it_runs() {
    let (dir, ca) = (tempfile::tempdir().unwrap(), authority());
    let first = issue(&ca, "localhost");
    let files = (put(dir.path(), "cert.pem", &first.0), put(dir.path(), "key.pem", &first.1));
    let (address, reloader, _handle) = start(listener(files.0, files.1));
    let connector = client(&ca, None);

    let (answer, shown) = ask(&connector, address).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains(r#""data":{"from":"127.0.0.1","path":"a/b"}"#), "{answer}");
    assert_eq!(shown, CertificateDer::from_pem_slice(first.0.as_bytes()).unwrap());

    let reloader = reloader.unwrap();
    put(dir.path(), "cert.pem", "no certificate");
    assert!(reloader.reload().unwrap_err().to_string().contains("cert.pem"));
    assert_eq!(ask(&connector, address).await.unwrap().1, shown, "bad files change nothing");

    let second = issue(&ca, "localhost");
    put(dir.path(), "cert.pem", &second.0);
    put(dir.path(), "key.pem", &second.1);
    reloader.reload().unwrap();
    let (_, shown) = ask(&connector, address).await.unwrap();
    assert_eq!(shown, CertificateDer::from_pem_slice(second.0.as_bytes()).unwrap());
}

#[tokio::test]
async fn clients_show_certificates_where_they_must() {
    let (dir, ca, others) = (tempfile::tempdir().unwrap(), authority(), authority());
    let own = issue(&ca, "localhost");
    let mut config = listener(put(dir.path(), "cert.pem", &own.0), put(dir.path(), "key.pem", &own.1));
    let client_ca = Some(put(dir.path(), "ca.pem", &ca.pem()));
    config.tls = config.tls.map(|tls| TlsFiles { client_ca, require_client_certificate: true, ..tls });
    let (address, _, _handle) = start(config.clone());

    assert!(ask(&client(&ca, Some(&issue(&ca, "client"))), address).await.is_ok());
    assert!(ask(&client(&ca, None), address).await.is_err());
    assert!(ask(&client(&ca, Some(&issue(&others, "client"))), address).await.is_err());

    config.tls = config.tls.map(|tls| TlsFiles { require_client_certificate: false, ..tls });
    let (address, _, _handle) = start(config);
    assert!(ask(&client(&ca, None), address).await.is_ok());
    assert!(ask(&client(&ca, Some(&issue(&others, "client"))), address).await.is_err());
}

#[tokio::test]
async fn finishes_what_is_under_way_when_told_to_stop() {
    let (address, _, handle) = start(Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0))));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST /v1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n").await.unwrap();
    while handle.connection_count() == 0 {
        tokio::task::yield_now().await;
    }
    handle.graceful_shutdown(Some(Duration::from_secs(30)));
    stream.write_all(br#"{"a":1}"#).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn bad_files_and_taken_addresses_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let bad = put(dir.path(), "bad.pem", "nothing");
    let message = |config| Bound::bind(config).err().unwrap().to_string();
    assert!(message(listener(bad.clone(), bad)).contains("bad.pem holds no usable certificate"));
    let missing = dir.path().join("missing.pem").display().to_string();
    assert!(message(listener(missing.clone(), missing)).contains("missing.pem"));
    let first = Bound::bind(Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    assert!(message(Listener::plain(first.address())).contains(&first.address().to_string()));
}
