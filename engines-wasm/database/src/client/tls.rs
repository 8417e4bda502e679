//! Checks a server's certificate against its name and the operator's own authorities.
//!
//! A component's tokio cannot look names up, so sqlx is given an address, and knows the server by that address alone:
//! its `verify-full` would want a certificate for the address. It also trusts the public authorities beside the
//! operator's own, where PostgreSQL's clients trust the operator's alone. But with `verify-ca` it builds its verifier
//! from the process's default provider of cryptography. That provider is ours: it checks signatures with `ring`, as any,
//! and sees every certificate whose signature is checked. rustls checks a path from its anchor down to the server's own
//! certificate, and then the signature of the handshake with that certificate's key. At that point, and so before the
//! password is sent, what the chain showed is compared with what is expected.

use std::cell::RefCell;
use std::sync::OnceLock;

use rustls::SignatureScheme;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, PrivateKeyDer, ServerName, SignatureVerificationAlgorithm,
    SubjectPublicKeyInfoDer,
};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use super::{Error, Root};

type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// One handshake that is watched.
#[derive(Debug)]
struct Watch {
    name: Option<ServerName<'static>>,
    /// Keys of the operator's authorities; empty: the public ones will do.
    anchors: Vec<SubjectPublicKeyInfoDer<'static>>,
    /// Certificates whose signature was right, with the key that made it, in the order of checking.
    seen: Vec<Seen>,
    refusal: Option<String>,
}

#[derive(Debug)]
struct Seen {
    certificate: CertificateDer<'static>,
    key: SubjectPublicKeyInfoDer<'static>,
    signed_by: Vec<u8>,
}

/// Watches the handshakes of this thread until it is dropped.
pub(super) struct Guard;

impl Guard {
    /// Expects a certificate for this host (if one is given), from one of these authorities (if any are given, in PEM).
    pub(super) fn watch(host: Option<&str>, authorities: Option<&str>) -> Result<Self, Error> {
        static OURS: OnceLock<bool> = OnceLock::new();
        if !OURS.get_or_init(|| provider().install_default().is_ok()) {
            return Err(Error::new(engine_sdk::types::Cause::Internal, "another provider of cryptography is in place"));
        }
        let name = host
            .map(|host| ServerName::try_from(host.to_owned()))
            .transpose()
            .map_err(|_| Error::unreachable("no certificate can be valid for this host name"))?;
        let anchors = authorities.map(keys).transpose()?.unwrap_or_default();
        WATCH.set(Some(Watch { name, anchors, seen: Vec::new(), refusal: None }));
        Ok(Self)
    }

    /// Why a handshake was refused here, if it was.
    pub(super) fn refusal(&self) -> Option<String> {
        WATCH.with_borrow(|watch| watch.as_ref().and_then(|watch| watch.refusal.clone()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        WATCH.set(None);
    }
}

/// Whether certificates and key are what their fields say, and the key is the certificate's.
pub(crate) fn check(root: &Root) -> Result<(), Error> {
    let invalid = |why| Error::new(engine_sdk::types::Cause::Invalid, why);
    root.tls_ca.as_deref().map(keys).transpose()?;
    let (certificate, key) = match (&root.tls_certificate, &root.private_key) {
        (None, None) => return Ok(()),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => return Err(invalid("tls_certificate and private_key go together")),
    };
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>().ok();
    let Some(chain) = chain.filter(|chain| chain.first().is_some_and(|own| ParsedCertificate::try_from(own).is_ok()))
    else {
        return Err(invalid("tls_certificate holds no usable certificate"));
    };
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| invalid("private_key holds no usable key"))?;
    match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(invalid("private_key is not the key of tls_certificate")),
        Err(_) => Err(invalid("private_key holds no usable key")),
    }
}

/// The keys of certificates in PEM.
fn keys(pem: &str) -> Result<Vec<SubjectPublicKeyInfoDer<'static>>, Error> {
    let unusable = || Error::new(engine_sdk::types::Cause::Invalid, "tls_ca holds no usable certificate");
    let keys = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|certificate| {
            Ok(ParsedCertificate::try_from(&certificate.map_err(|_| unusable())?)
                .map_err(|_| unusable())?
                .subject_public_key_info())
        })
        .collect::<Result<Vec<_>, Error>>()?;
    if keys.is_empty() { Err(unusable()) } else { Ok(keys) }
}

impl Watch {
    /// A signature that was right: of a certificate, or, at the end, of the handshake.
    fn observe(&mut self, key: &[u8], message: &[u8]) -> Result<(), InvalidSignature> {
        if let Some(seen) = Seen::read(key, message) {
            self.seen.push(seen);
            return Ok(());
        }
        self.refusal = self.judge(key).err();
        if self.refusal.is_some() { Err(InvalidSignature) } else { Ok(()) }
    }

    /// Whether the certificate with this key, which signed the handshake, is what was expected.
    fn judge(&self, key: &[u8]) -> Result<(), String> {
        let server =
            self.seen.last().filter(|seen| holds(&seen.key, key)).ok_or("the server's certificate was not checked")?;
        if let Some(name) = &self.name {
            let parsed = ParsedCertificate::try_from(&server.certificate).map_err(|error| error.to_string())?;
            verify_server_name(&parsed, name)
                .map_err(|_| format!("the server's certificate is not valid for {:?}", name.to_str()))?;
        }
        if self.anchors.is_empty() || self.is_anchored(server) {
            return Ok(());
        }
        Err("the server's certificate does not lead to an authority in tls_ca".to_owned())
    }

    /// Follows the path upwards: each certificate was checked after the one that signed it.
    fn is_anchored(&self, server: &Seen) -> bool {
        let mut signer = &server.signed_by;
        for seen in self.seen.iter().rev().skip(1) {
            if self.anchors.iter().any(|anchor| holds(anchor, signer)) {
                return true;
            }
            if holds(&seen.key, signer) {
                signer = &seen.signed_by;
            }
        }
        self.anchors.iter().any(|anchor| holds(anchor, signer))
    }
}

/// Whether a key with its algorithm is this bare key.
fn holds(key: &SubjectPublicKeyInfoDer<'_>, bare: &[u8]) -> bool {
    key.ends_with(bare)
}

impl Seen {
    /// Reads what was signed, if that is a certificate.
    fn read(signed_by: &[u8], message: &[u8]) -> Option<Self> {
        let certificate = unsigned(message)?;
        let key = ParsedCertificate::try_from(&certificate).ok()?.subject_public_key_info();
        Some(Self { certificate, key, signed_by: signed_by.to_vec() })
    }
}

/// A certificate around the part of it that is signed. The signature is not looked at again: it was right.
fn unsigned(signed_part: &[u8]) -> Option<CertificateDer<'static>> {
    // SEQUENCE { version [0], serialNumber INTEGER, signature AlgorithmIdentifier, … }
    let (body, rest) = element(signed_part, 0x30)?;
    let (_, after_version) = element(body, 0xa0)?;
    let (_, after_serial) = element(after_version, 0x02)?;
    let (algorithm, _) = element(after_serial, 0x30)?;
    if !rest.is_empty() {
        return None;
    }
    let mut content = signed_part.to_vec();
    wrap(&mut content, 0x30, algorithm);
    wrap(&mut content, 0x03, &[0, 0]);
    let mut certificate = Vec::with_capacity(content.len() + 4);
    wrap(&mut certificate, 0x30, &content);
    Some(certificate.into())
}

/// The content of the DER element that a text begins with, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(&length, rest)| (usize::from(length), rest))?,
        0x82 => rest.split_first_chunk().map(|(&length, rest)| (usize::from(u16::from_be_bytes(length)), rest))?,
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

/// Appends a DER element.
fn wrap(der: &mut Vec<u8>, tag: u8, content: &[u8]) {
    der.push(tag);
    match (u8::try_from(content.len()), u16::try_from(content.len())) {
        (Ok(length @ 0..=0x7f), _) => der.push(length),
        (Ok(length), _) => der.extend([0x81, length]),
        (_, Ok(length)) => {
            der.push(0x82);
            der.extend(length.to_be_bytes());
        }
        // Longer than any certificate that `element` lets through.
        (_, Err(_)) => return,
    }
    der.extend_from_slice(content);
}

/// An algorithm of `ring`'s, watched.
#[derive(Debug)]
struct Watched(&'static dyn SignatureVerificationAlgorithm);

impl SignatureVerificationAlgorithm for Watched {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.0.verify_signature(key, message, signature)?;
        WATCH.with_borrow_mut(|watch| watch.as_mut().map_or(Ok(()), |watch| watch.observe(key, message)))
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}

/// `ring`'s provider with its algorithms watched. Made once, so that what it leaks is bounded.
fn provider() -> CryptoProvider {
    let ring = ring::default_provider();
    let algorithms = ring.signature_verification_algorithms;
    let mapping: Vec<(SignatureScheme, Algorithms)> =
        algorithms.mapping.iter().map(|(scheme, list)| (*scheme, watched(list))).collect();
    CryptoProvider {
        signature_verification_algorithms: WebPkiSupportedAlgorithms {
            all: watched(algorithms.all),
            mapping: mapping.leak(),
        },
        ..ring
    }
}

fn watched(algorithms: Algorithms) -> Algorithms {
    algorithms
        .iter()
        .map(|algorithm| Box::leak(Box::new(Watched(*algorithm))) as &'static dyn SignatureVerificationAlgorithm)
        .collect::<Vec<_>>()
        .leak()
}

#[cfg(test)]
mod tests;
