//! TLS for a listener: certificate, key and the clients' authority, read from files as often as they change.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use crate::config::{TlsFiles, TlsVersion};

/// Why a listener has no TLS. Names the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// As configured.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It holds no usable PEM of the kind that is wanted.
    #[error("{path} holds no usable {what}: {source}")]
    Pem {
        /// As configured.
        path: String,
        /// Certificate or key.
        what: &'static str,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not serve together.
    #[error("{certificate} and {key}: {source}")]
    Pair {
        /// As configured.
        certificate: String,
        /// As configured.
        key: String,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The clients' authority cannot be used.
    #[error("{path}: {source}")]
    ClientCa {
        /// As configured.
        path: String,
        /// What is wrong.
        source: rustls::Error,
    },
    /// No verifier can be made of the clients' authority.
    #[error("the clients' certificate authority: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

/// Reads the files anew, and makes of them what a listener serves with.
pub(crate) fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|source| TlsError::Pem {
        path: files.key.clone(),
        what: "private key",
        source,
    })?;
    let pair = |source| TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), source };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(files))
        .map_err(pair)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|source| TlsError::ClientCa { path: path.clone(), source })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if files.require_client_certificate { verifier } else { verifier.allow_unauthenticated() };
            builder.with_client_cert_verifier(verifier.build()?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn versions(files: &TlsFiles) -> &'static [&'static SupportedProtocolVersion] {
    static OLD: [&SupportedProtocolVersion; 1] = [&version::TLS12];
    static NEW: [&SupportedProtocolVersion; 1] = [&version::TLS13];
    static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
    match (files.oldest, files.newest) {
        (_, TlsVersion::V12) => &OLD,
        (TlsVersion::V13, TlsVersion::V13) => &NEW,
        (TlsVersion::V12, TlsVersion::V13) => &BOTH,
    }
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |source| TlsError::Pem { path: path.to_owned(), what: "certificate", source };
    let all: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<_, _>>().map_err(bad)?;
    if all.is_empty() {
        return Err(bad(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(all)
}

fn read(path: &str) -> Result<Vec<u8>, TlsError> {
    crate::files::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
