//! The listener stanza.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use cofferdam_acl::hcl::{Block, Body, HclError};

use super::ConfigError;

const DEFAULT_PORT: u16 = 8200;
const DEFAULT_MAX_REQUEST_SIZE: usize = 32 * 1024 * 1024;

/// One place where clients are awaited.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listener {
    /// Port 0: any free one.
    pub(crate) address: SocketAddr,
    /// None: plain HTTP.
    pub(crate) tls: Option<TlsFiles>,
    /// Bytes; none: without limit.
    pub(crate) max_request_size: Option<usize>,
    /// None: the server's.
    pub(crate) max_request_duration: Option<Duration>,
    /// A connection on which nothing is asked for so long is closed.
    pub(crate) idle_timeout: Duration,
    /// Metrics are shown to clients without a token.
    pub(crate) open_metrics: bool,
}

/// What a TLS listener reads, at start and at every SIGHUP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The chain, PEM.
    pub(crate) certificate: String,
    /// Its key, PEM.
    pub(crate) key: String,
    /// Whose certificates clients may show, PEM.
    pub(crate) client_ca: Option<String>,
    /// Whether they must.
    pub(crate) require_client_certificate: bool,
    /// The oldest version.
    pub(crate) oldest: TlsVersion,
    /// The newest version.
    pub(crate) newest: TlsVersion,
}

/// Versions of TLS that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TlsVersion {
    /// TLS 1.2
    V12,
    /// TLS 1.3
    V13,
}

/// What a listener reads, and what the peers' listeners read without a counterpart here.
const KNOWN: [&str; 26] = [
    "address",
    "cluster_address",
    "custom_response_headers",
    "disable_unauthed_generate_root_endpoints",
    "disable_unauthed_rekey_endpoints",
    "http_idle_timeout",
    "http_read_header_timeout",
    "http_read_timeout",
    "http_write_timeout",
    "inflight_requests_logging",
    "max_request_duration",
    "max_request_size",
    "profiling",
    "redact_addresses",
    "redact_cluster_name",
    "redact_version",
    "telemetry",
    "tls_cert_file",
    "tls_client_ca_file",
    "tls_disable",
    "tls_disable_client_certs",
    "tls_key_file",
    "tls_max_version",
    "tls_min_version",
    "tls_prefer_server_cipher_suites",
    "tls_require_and_verify_client_cert",
];

/// Versions of TLS that the peers' configurations may ask for, and that nobody should serve.
const TOO_OLD: [&str; 2] = ["tls10", "tls11"];

impl Listener {
    /// Plain HTTP on this address, with the usual limits.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            tls: None,
            max_request_size: Some(DEFAULT_MAX_REQUEST_SIZE),
            max_request_duration: None,
            idle_timeout: Duration::from_secs(300),
            open_metrics: false,
        }
    }

    /// Reads one listener stanza.
    pub(crate) fn read(block: &Block<'_>, warnings: &mut Vec<String>) -> Result<Self, ConfigError> {
        if block.label != "tcp" {
            let message = format!("listener {:?} is not supported; use listener \"tcp\"", block.label);
            return Err(HclError::new(block.line, message).into());
        }
        let body = block.body;
        let address = body.attr_str("address")?.unwrap_or_else(|| format!("127.0.0.1:{DEFAULT_PORT}"));
        let mut listener = Self::plain(resolve(&address)?);
        listener.tls = TlsFiles::read(body).map_err(|e| HclError::new(block.line, format!("listener \"tcp\": {e}")))?;
        warnings.extend(protection_not_given(body)?);
        listener.max_request_size = match body.attr_int("max_request_size")? {
            None | Some(0) => Some(DEFAULT_MAX_REQUEST_SIZE),
            // Negative: without limit.
            Some(bytes) => usize::try_from(bytes).ok(),
        };
        listener.max_request_duration =
            body.attr_seconds("max_request_duration")?.filter(|s| *s > 0).map(Duration::from_secs);
        if let Some(seconds) = body.attr_seconds("http_idle_timeout")?.filter(|s| *s > 0) {
            listener.idle_timeout = Duration::from_secs(seconds);
        }
        for block in body.blocks("telemetry")? {
            listener.open_metrics = block.body.attr_bool("unauthenticated_metrics_access")?.unwrap_or(false);
        }
        warnings.extend(body.unknown(&KNOWN).map(|item| match item.key.as_str() {
            key @ "tls_cipher_suites" => {
                format!("listener \"tcp\": {key} is passed over: only safe suites are built in")
            }
            key if key.starts_with("x_forwarded_for_") || key.starts_with("proxy_protocol_") => {
                format!("listener \"tcp\": {key} is passed over: a client's address is that of its connection")
            }
            key => format!("listener \"tcp\": unknown or unsupported field {key}"),
        }));
        Ok(listener)
    }
}

/// What an operator may believe to be in force: a line for each.
fn protection_not_given(body: &Body) -> Result<Vec<String>, ConfigError> {
    let mut lines = Vec::new();
    if body.attr_str("tls_min_version")?.is_some_and(|old| TOO_OLD.contains(&old.as_str())) {
        lines.push("listener \"tcp\": tls_min_version: nothing older than tls12 is served".to_owned());
    }
    for key in ["redact_addresses", "redact_cluster_name", "redact_version"] {
        if body.attr_bool(key)?.unwrap_or(false) {
            lines.push(format!("listener \"tcp\": {key} is passed over: clients without a token see it"));
        }
    }
    if !body.blocks("custom_response_headers")?.is_empty() {
        lines.push("listener \"tcp\": custom_response_headers is passed over: no such header is sent".to_owned());
    }
    Ok(lines)
}

impl TlsFiles {
    fn read(body: &Body) -> Result<Option<Self>, ConfigError> {
        let certificate = body.attr_str("tls_cert_file")?;
        let key = body.attr_str("tls_key_file")?;
        let client_ca = body.attr_str("tls_client_ca_file")?;
        let require_client_certificate = body.attr_bool("tls_require_and_verify_client_cert")?.unwrap_or(false);
        let oldest = match body.attr_str("tls_min_version")? {
            Some(old) if TOO_OLD.contains(&old.as_str()) => TlsVersion::V12,
            text => version(text, "tls_min_version")?.unwrap_or(TlsVersion::V12),
        };
        let newest = version(body.attr_str("tls_max_version")?, "tls_max_version")?.unwrap_or(TlsVersion::V13);
        if body.attr_bool("tls_disable")?.unwrap_or(false) {
            return Ok(None);
        }
        let (Some(certificate), Some(key)) = (certificate, key) else {
            let message = "tls_cert_file and tls_key_file are required (or tls_disable = true)";
            return Err(ConfigError(message.to_owned()));
        };
        if oldest > newest {
            return Err(ConfigError("tls_min_version is above tls_max_version".to_owned()));
        }
        if require_client_certificate && client_ca.is_none() {
            let message = "tls_require_and_verify_client_cert needs tls_client_ca_file";
            return Err(ConfigError(message.to_owned()));
        }
        Ok(Some(Self { certificate, key, client_ca, require_client_certificate, oldest, newest }))
    }
}

fn version(text: Option<String>, key: &str) -> Result<Option<TlsVersion>, ConfigError> {
    match text.as_deref() {
        None => Ok(None),
        Some("tls12") => Ok(Some(TlsVersion::V12)),
        Some("tls13") => Ok(Some(TlsVersion::V13)),
        Some(other) => Err(ConfigError(format!("{key}: {other:?} is not one of tls12, tls13"))),
    }
}

/// An address to listen on: `host:port`, `:port` for all addresses, or a host alone.
pub(crate) fn resolve(text: &str) -> Result<SocketAddr, ConfigError> {
    let bad = |why: &str| ConfigError(format!("the listen address {text:?} {why}"));
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Some(port) = text.strip_prefix(':').and_then(|p| p.parse().ok()) {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    let found = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => match port.parse::<u16>() {
            Ok(port) => (host, port).to_socket_addrs(),
            Err(_) => return Err(bad("has no port")),
        },
        _ => (text.trim_matches(['[', ']']), DEFAULT_PORT).to_socket_addrs(),
    };
    found.ok().and_then(|mut all| all.next()).ok_or_else(|| bad("is not an address of this machine"))
}
