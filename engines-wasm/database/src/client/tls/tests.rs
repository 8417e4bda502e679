//! Whole handshakes in memory, with the verifier that the driver builds for `verify-ca`.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{PrivatePkcs8KeyDer, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, ServerConfig,
    ServerConnection,
};

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn below(authority: &Authority, name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), authority).unwrap()
}

/// As the driver's own: the name is left unchecked.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// A handshake with a server certificate for `names` by the last of `chain`, with all of `trusted` trusted by rustls;
/// the guard's refusal if there is one.
fn shake(
    chain: &[&Authority],
    names: &[&str],
    trusted: &[&Authority],
    expect: (Option<&str>, Option<&Authority>),
    version: &'static rustls::SupportedProtocolVersion,
) -> Result<(), String> {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, *chain.last().unwrap()).unwrap();
    let mut sent = vec![leaf.der().clone()];
    sent.extend(chain.iter().skip(1).rev().map(|authority| authority.der().clone()));

    let pem = expect.1.map(|authority| authority.pem());
    let guard = Guard::watch(expect.0, pem.as_deref()).unwrap();
    let plain = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(plain.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(sent, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    trusted.iter().for_each(|authority| roots.add(authority.der().clone()).unwrap());
    let verifier = WebPkiServerVerifier::builder(roots.into()).build().unwrap();
    let client = ClientConfig::builder_with_provider(plain)
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyName(verifier)))
        .with_no_client_auth();
    let mut client = ClientConnection::new(client.into(), ServerName::try_from("127.0.0.1").unwrap()).unwrap();
    let mut server = ServerConnection::new(server.into()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().map_err(|error| error.to_string())?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().map_err(|error| guard.refusal().unwrap_or_else(|| error.to_string()))?;
    }
    Ok(())
}

const NAME: &str = "db.corp";

#[test]
fn takes_what_was_expected_and_refuses_the_rest() {
    let (own, public) = (authority("own"), authority("public"));
    let middle = below(&own, "middle");
    let lower = below(&middle, "lower");
    let all = &[&own, &public];
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let shake =
            |chain: &[&Authority], names: &[&str], host, anchor| shake(chain, names, all, (host, anchor), version);
        assert_eq!(shake(&[&own], &[NAME], Some(NAME), Some(&own)), Ok(()));
        assert_eq!(shake(&[&own], &["x.org", NAME], Some(NAME), None), Ok(()));
        assert_eq!(shake(&[&own, &middle], &[NAME], Some(NAME), Some(&own)), Ok(()));
        assert_eq!(shake(&[&own, &middle, &lower], &[NAME], Some(NAME), Some(&own)), Ok(()));
        assert_eq!(shake(&[&public], &[NAME], Some(NAME), None), Ok(()));
        assert_eq!(shake(&[&own], &["other"], None, Some(&own)), Ok(()));
        assert_eq!(shake(&[&own], &["10.0.0.1"], Some("10.0.0.1"), Some(&own)), Ok(()));

        let wrong_name = shake(&[&own], &["other.corp"], Some(NAME), Some(&own)).unwrap_err();
        assert!(wrong_name.contains("not valid for \"db.corp\""), "{wrong_name}");
        let wrong_authority = shake(&[&public], &[NAME], Some(NAME), Some(&own)).unwrap_err();
        assert!(wrong_authority.contains("tls_ca"), "{wrong_authority}");
    }
}

#[test]
fn leaves_unknown_authorities_to_rustls() {
    let (own, stranger) = (authority("own"), authority("stranger"));
    let expect = (Some(NAME), Some(&own));
    let error = shake(&[&stranger], &[NAME], &[&own], expect, &rustls::version::TLS13).unwrap_err();
    assert!(error.contains("UnknownIssuer"), "{error}");
}

#[test]
fn needs_a_usable_authority() {
    assert!(Guard::watch(Some(NAME), Some("no pem")).is_err());
    assert!(Guard::watch(Some("not a name"), None).is_err());
}
