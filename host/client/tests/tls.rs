//! TLS: whom the client trusts, by which name, and how it shows who it is itself.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cofferdam_client::{Client, Config, Error, Files, Method, Request, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Files by name, in memory.
#[derive(Default)]
struct Named(HashMap<PathBuf, String>);

impl Files for Named {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.get(file).ok_or(io::ErrorKind::NotFound)?.clone().into_bytes())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.0.keys().filter(|f| f.starts_with(folder)).cloned().collect())
    }
}

/// An authority, a server that it vouches for under `vault.example`, and the files of a client.
struct World {
    address: String,
    authority: String,
    files: Named,
}

async fn world(asks_for_certificates: bool) -> World {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let signed = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        (certificate, key)
    };
    let (certificate, key) = signed("vault.example");
    let provider = Arc::new(ring::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = if asks_for_certificates {
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone()).unwrap();
        builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
        )
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Most of these tests are about handshakes that fail.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
            let _ = stream.shutdown().await;
        }
    });
    let (certificate, key) = signed("client.example");
    let files = [("/roots/ca.pem", issuer.pem()), ("/us.pem", certificate.pem()), ("/us.key", key.serialize_pem())];
    let files = Named(files.into_iter().map(|(name, text)| (name.into(), text)).collect());
    World { address, authority: issuer.pem(), files }
}

impl World {
    fn client(&self, tls: Tls) -> Result<Client, Error> {
        let config = Config { address: self.address.clone(), tls, max_retries: 5, ..Config::default() };
        Client::new(config, &self.files)
    }

    async fn call(&self, tls: Tls) -> Result<u16, Error> {
        Ok(self.client(tls)?.send(&Request::new(Method::Get, "x")).await?.status)
    }
}

fn named() -> Tls {
    Tls { server_name: Some("vault.example".to_owned()), ..Tls::default() }
}

#[tokio::test]
async fn trusts_the_roots_it_is_given() {
    let world = world(false).await;
    for tls in [
        Tls { ca_cert: Some("/roots/ca.pem".into()), ..named() },
        Tls { ca_path: Some("/roots".into()), ..named() },
        Tls { ca_bytes: Some(world.authority.clone()), ..named() },
    ] {
        assert_eq!(world.call(tls).await.unwrap(), 200);
    }
}

#[tokio::test]
async fn refuses_what_nobody_vouches_for_and_other_names() {
    let world = world(false).await;
    for tls in [
        named(),
        Tls { ca_bytes: Some(world.authority.clone()), ..Tls::default() },
        Tls {
            ca_bytes: Some(world.authority.clone()),
            server_name: Some("other.example".to_owned()),
            ..Tls::default()
        },
    ] {
        let error = world.call(tls).await.unwrap_err();
        assert!(error.to_string().contains("tls: failed to verify certificate"), "{error}");
        assert!(error.to_string().contains(&world.address), "{error}");
    }
}

#[tokio::test]
async fn trusts_anybody_only_when_told_to() {
    let world = world(false).await;
    assert_eq!(world.call(Tls { skip_verify: true, ..Tls::default() }).await.unwrap(), 200);
}

#[tokio::test]
async fn shows_its_certificate() {
    let world = world(true).await;
    let trusting = Tls { ca_bytes: Some(world.authority.clone()), ..named() };
    assert!(world.call(trusting.clone()).await.is_err());
    let known = Tls { client_cert: Some("/us.pem".into()), client_key: Some("/us.key".into()), ..trusting };
    assert_eq!(world.call(known).await.unwrap(), 200);
}

#[tokio::test]
async fn unusable_files_are_named() {
    let world = world(false).await;
    for (tls, want) in [
        (Tls { ca_cert: Some("/absent".into()), ..Tls::default() }, "/absent"),
        (Tls { ca_cert: Some("/us.key".into()), ..Tls::default() }, "no certificate in /us.key"),
        (Tls { ca_bytes: Some("nonsense".to_owned()), ..Tls::default() }, "no certificate in VAULT_CACERT_BYTES"),
        (Tls { client_cert: Some("/us.pem".into()), ..Tls::default() }, "both client cert and client key"),
        (
            Tls { client_cert: Some("/us.pem".into()), client_key: Some("/us.pem".into()), ..Tls::default() },
            "no private key in /us.pem",
        ),
    ] {
        let error = world.client(tls).unwrap_err();
        assert!(matches!(error, Error::Config(_)) && error.to_string().contains(want), "{error}");
    }
}
