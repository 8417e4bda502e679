//! TLS with rustls and ring: which roots are trusted and who we are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Error, Result};

/// The files that the configuration names, reached by whoever holds the authority for them.
pub trait Files {
    /// A file's contents.
    ///
    /// # Errors
    /// As the file system says.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;

    /// The files in a folder.
    ///
    /// # Errors
    /// As the file system says.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
}

/// Certificates and names. Without any of the three `ca_` settings the system's roots are trusted.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// A PEM file with roots.
    pub ca_cert: Option<PathBuf>,
    /// Roots as PEM text.
    pub ca_bytes: Option<String>,
    /// A folder of PEM files with roots.
    pub ca_path: Option<PathBuf>,
    /// Our certificate, with `client_key`.
    pub client_cert: Option<PathBuf>,
    /// Its key.
    pub client_key: Option<PathBuf>,
    /// The server's name, where it is not the address's host.
    pub server_name: Option<String>,
    /// Trusts any certificate.
    pub skip_verify: bool,
}

/// The configuration for a connection to the server. Without own roots and without `system_roots` nothing is trusted.
pub(crate) fn client_config(tls: &Tls, files: &dyn Files, system_roots: bool) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Config(format!("failed to set up TLS: {e}")))?;
    let builder = if tls.skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        builder.with_root_certificates(roots(tls, files, system_roots)?)
    };
    let mut config = match (&tls.client_cert, &tls.client_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates(&read(files, cert)?, cert)?;
            let key_pem = read(files, key)?;
            let key = PrivateKeyDer::from_pem_slice(&key_pem)
                .map_err(|e| Error::Config(format!("no private key in {}: {e}", key.display())))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| Error::Config(format!("unusable client certificate: {e}")))?
        }
        _ => return Err(Error::Config("both client cert and client key must be provided".to_owned())),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(tls: &Tls, files: &dyn Files, system_roots: bool) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let mut add =
        |certificate| store.add(certificate).map_err(|e| Error::Config(format!("unusable root certificate: {e}")));
    if let Some(file) = &tls.ca_cert {
        certificates(&read(files, file)?, file)?.into_iter().try_for_each(&mut add)?;
    } else if let Some(pem) = &tls.ca_bytes {
        certificates(pem.as_bytes(), Path::new("VAULT_CACERT_BYTES"))?.into_iter().try_for_each(&mut add)?;
    } else if let Some(folder) = &tls.ca_path {
        let list = files.list(folder).map_err(|e| Error::Config(format!("{}: {e}", folder.display())))?;
        for file in list {
            certificates(&read(files, &file)?, &file)?.into_iter().try_for_each(&mut add)?;
        }
    } else if system_roots {
        // A system may hold a root that rustls refuses; the others are still good.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(store)
}

fn read(files: &dyn Files, file: &Path) -> Result<Vec<u8>> {
    files.read(file).map_err(|e| Error::Config(format!("error reading {}: {e}", file.display())))
}

fn certificates(pem: &[u8], source: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let list = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| Error::Config(format!("no certificate in {}: {e}", source.display())))?;
    if list.is_empty() {
        return Err(Error::Config(format!("no certificate in {}", source.display())));
    }
    Ok(list)
}

/// Accepts every certificate, because the user asked for it; signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
