//! The certificates of a development server that speaks TLS: an authority of its own, and what it signs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::config::{TlsFiles, TlsVersion};
use crate::dev::DevError;
use crate::files;

const AUTHORITY: &str = "vault-ca.pem";
const CERTIFICATE: &str = "vault-cert.pem";
const KEY: &str = "vault-key.pem";

/// Files that a listener reads, and the authority that clients have to believe.
#[derive(Debug)]
pub(crate) struct Certificates {
    folder: PathBuf,
    /// Removed with the server, unless the operator chose one.
    _passing: Option<TempDir>,
}

impl Certificates {
    /// Makes them for a listener's address, this machine and further names, in a folder that the operator chose or in
    /// one that goes with the server.
    pub(crate) fn make(folder: Option<&str>, address: SocketAddr, names: &[String]) -> Result<Self, DevError> {
        let (folder, passing) = match folder {
            Some(folder) => (PathBuf::from(folder), None),
            None => {
                let made = tempfile::Builder::new().prefix("cofferdam-tls-").tempdir();
                let made = made.map_err(|source| DevError::File { path: "a temporary folder".to_owned(), source })?;
                (made.path().to_owned(), Some(made))
            }
        };
        let [authority, certificate, key] = sign(address, names)?;
        let failed = |source| DevError::File { path: folder.display().to_string(), source };
        let dir = files::directory(&folder).map_err(failed)?;
        for (name, text, mode) in [(AUTHORITY, authority, 0o644), (CERTIFICATE, certificate, 0o644), (KEY, key, 0o600)]
        {
            files::replace(&dir, Path::new(name), text.as_bytes(), mode).map_err(failed)?;
        }
        Ok(Self { folder, _passing: passing })
    }

    /// What the listener reads.
    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path(CERTIFICATE),
            key: self.path(KEY),
            client_ca: None,
            require_client_certificate: false,
            oldest: TlsVersion::V12,
            newest: TlsVersion::V13,
        }
    }

    /// What clients name in `VAULT_CACERT`.
    pub(crate) fn authority(&self) -> String {
        self.path(AUTHORITY)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// Authority, certificate and key, as PEM.
fn sign(address: SocketAddr, names: &[String]) -> Result<[String; 3], rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Cofferdam development authority");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let own = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), address.ip().to_string()];
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(own.into_iter().chain(names.iter().cloned()).collect::<Vec<_>>())?
        .signed_by(&key, &authority)?;
    Ok([authority.pem(), certificate.pem(), key.serialize_pem()])
}
