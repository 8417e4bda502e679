//! Sending: headers, attempts, one redirect, and reading the answer.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_model::json;
use rand::Rng;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use crate::config::Config;
use crate::error::{Error, ResponseError, Result};
use crate::request::{Method, Request};
use crate::secret::Secret;
use crate::tls::{self, Files};

/// A client of one server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    config: Config,
    base: Url,
}

/// An answer with a status below 400.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Response {
    /// The envelope; none where the body is empty.
    ///
    /// # Errors
    /// When the body is not the API's envelope.
    pub fn secret(&self) -> Result<Option<Secret>> {
        Ok(Secret::parse(&self.body)?)
    }

    /// The body as plain JSON, for the paths that answer without envelope.
    ///
    /// # Errors
    /// When the body is no JSON.
    pub fn json(&self) -> Result<Value> {
        Ok(json::value(&self.body)?)
    }
}

impl Client {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// When the address, a certificate or a proxy cannot be used.
    pub fn new(config: Config, files: &dyn Files) -> Result<Self> {
        let base = parse_address(&config.address)?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("cofferdam/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(config.timeout)
            .no_proxy();
        // The system's roots are only read where they will be used: that takes longer than a whole call without TLS.
        // Without them a redirect from http to https ends with an unknown issuer, never with unchecked trust.
        let system_roots = base.scheme() == "https";
        http = http.tls_backend_preconfigured(tls::client_config(&config.tls, files, system_roots)?);
        if let Some(proxy) = config.proxy.proxy(&base)? {
            http = http.proxy(proxy);
        }
        if let Some(name) = server_name(&config, &base) {
            let host = base.host_str().unwrap_or_default().to_owned();
            http = http.dns_resolver(Arc::new(Renamed { name: name.to_owned(), host }));
        }
        let http = http.build().map_err(|e| Error::Config(format!("failed to create client: {}", reason(&e))))?;
        Ok(Self { http, config, base })
    }

    /// The configuration in use.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The full address of a request, as errors print it.
    pub fn url(&self, request: &Request) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(request.path.split('/').filter(|s| !s.is_empty()));
        }
        if !request.query.is_empty() {
            let mut sorted: Vec<_> = request.query.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            url.query_pairs_mut().extend_pairs(sorted);
        }
        url
    }

    /// The headers of a request, in the order in which they are best read.
    pub fn headers(&self, request: &Request) -> Vec<(String, String)> {
        let mut headers = vec![("X-Vault-Request".to_owned(), "true".to_owned())];
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        let token = request.token.as_deref().or(self.config.token.as_ref().map(|t| t.expose_secret()));
        if let Some(token) = token.filter(|t| !t.is_empty()) {
            add("X-Vault-Token", token);
        }
        if let Some(namespace) = self.config.namespace.as_deref() {
            add("X-Vault-Namespace", namespace);
        }
        if let Some(ttl) = self.config.wrap_ttl.as_deref().filter(|_| request.wrap) {
            add("X-Vault-Wrap-TTL", ttl);
        }
        for factor in &self.config.mfa {
            add("X-Vault-MFA", factor);
        }
        if self.config.policy_override {
            add("X-Vault-Policy-Override", "true");
        }
        if request.method == Method::Patch {
            add("Content-Type", request.content_type());
        }
        headers.extend(self.config.headers.iter().cloned());
        headers
    }

    /// Sends and answers with a body whose status is below 400.
    ///
    /// # Errors
    /// When no answer arrives, or one with an error status.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        let mut url = self.url(request);
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers(request) {
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| Error::Config(format!("{name:?} is no header name")))?;
            let mut value = HeaderValue::try_from(value.as_str())
                .map_err(|_| Error::Config(format!("the value of header {name} has forbidden characters")))?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        if request.body.is_some() && !headers.contains_key("content-type") {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        let body = request.body.as_ref().map(|b| b.to_string().into_bytes());
        let mut redirected = false;
        loop {
            let answer = self.attempts(request.method, &url, &headers, body.as_deref()).await?;
            let status = answer.status().as_u16();
            if matches!(status, 301 | 302 | 307) && self.config.follow_redirect && !redirected {
                redirected = true;
                url = redirect_target(&url, answer.headers().get(LOCATION))?;
                continue;
            }
            let body = answer.bytes().await.map_err(|e| transport(request.method, &url, &e))?.to_vec();
            // A redirect that we do not follow is no answer to the question.
            if status >= 300 && status != 304 {
                let namespace = self.config.namespace.as_deref();
                let error = ResponseError::new(request.method.as_str(), url.as_str(), namespace, status, &body);
                return Err(Error::Response(Box::new(error)));
            }
            return Ok(Response { status, body });
        }
    }

    /// Sends until an answer is final. An attempt is only repeated where the server asked for it by its status, or
    /// where no connection was made, so that nothing was sent.
    async fn attempts(
        &self,
        method: Method,
        url: &Url,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<reqwest::Response> {
        let verb = reqwest::Method::from_bytes(method.as_str().as_bytes()).map_err(|e| Error::Config(e.to_string()))?;
        let target = self.connect_url(url);
        let mut left = self.config.max_retries;
        loop {
            let mut builder = self.http.request(verb.clone(), target.clone()).headers(headers.clone());
            if let Some(body) = body {
                builder = builder.body(body.to_vec());
            }
            match builder.send().await {
                Ok(answer) if left > 0 && asks_for_retry(answer.status().as_u16()) => {}
                Ok(answer) => return Ok(answer),
                Err(e) if left > 0 && e.is_connect() && !is_tls(&e) => {}
                Err(e) => return Err(transport(method, url, &e)),
            }
            left -= 1;
            tokio::time::sleep(self.pause()).await;
        }
    }

    fn pause(&self) -> Duration {
        let (least, most) = self.config.retry_wait;
        least + most.saturating_sub(least).mul_f64(rand::rng().random::<f64>())
    }

    /// The address under which the connection is made: the TLS server name stands in for the host, because it is what
    /// rustls sends and verifies; our resolver then answers with the real host's addresses.
    fn connect_url(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if url.host_str() == self.base.host_str()
            && let Some(name) = server_name(&self.config, &self.base)
        {
            // An unusable name was refused with the configuration.
            let _ = url.set_host(Some(name));
        }
        url
    }
}

fn parse_address(address: &str) -> Result<Url> {
    let url = Url::parse(address.trim_end_matches('/'))
        .map_err(|e| Error::Config(format!("unusable address {address:?}: {e}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        "unix" => Err(Error::Config("addresses of the form unix:// are not supported".to_owned())),
        other => Err(Error::Config(format!("unsupported protocol scheme {other:?} in address {address:?}"))),
    }
}

/// The TLS server name, where it differs from the host.
fn server_name<'a>(config: &'a Config, base: &Url) -> Option<&'a str> {
    let name = config.tls.server_name.as_deref()?;
    (base.scheme() == "https" && base.host_str() != Some(name)).then_some(name)
}

fn redirect_target(from: &Url, location: Option<&HeaderValue>) -> Result<Url> {
    let location = location
        .and_then(|l| l.to_str().ok())
        .ok_or_else(|| Error::Config("the server redirects without saying where".to_owned()))?;
    let target = from.join(location).map_err(|e| Error::Config(format!("unusable redirect {location:?}: {e}")))?;
    match (from.scheme(), target.scheme()) {
        ("https", "http") => Err(Error::Config("redirect would cause protocol downgrade".to_owned())),
        (_, "http" | "https") => Ok(target),
        (_, other) => Err(Error::Config(format!("redirect to unsupported scheme {other:?}"))),
    }
}

fn asks_for_retry(status: u16) -> bool {
    status == 412 || (status >= 500 && status != 501)
}

fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |e| cause(*e))
}

fn cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a (dyn std::error::Error + 'static)> {
    match error.downcast_ref::<std::io::Error>() {
        // An io::Error made from another error shows it only here.
        Some(io) => io.get_ref().map(|e| e as &(dyn std::error::Error + 'static)),
        None => error.source(),
    }
}

fn is_tls(error: &reqwest::Error) -> bool {
    causes(error).any(|e| e.is::<rustls::Error>())
}

/// The innermost reasons, which say more than the library's own words.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned();
    }
    let texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    texts.last().cloned().unwrap_or_else(|| error.to_string())
}

fn transport(method: Method, url: &Url, error: &reqwest::Error) -> Error {
    let place =
        || format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
    let refused = causes(error)
        .filter_map(|e| e.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::ConnectionRefused);
    let plain = causes(error)
        .filter_map(|e| e.downcast_ref::<rustls::Error>())
        .any(|e| matches!(e, rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)));
    let reason = if refused {
        format!("dial tcp {}: connect: connection refused", place())
    } else if plain {
        "http: server gave HTTP response to HTTPS client".to_owned()
    } else if is_tls(error) {
        format!("tls: failed to verify certificate: {}", reason(error))
    } else {
        reason(error)
    };
    Error::Transport { method: method.title().to_owned(), url: url.to_string(), reason }
}

/// Answers for the TLS server name with the addresses of the host that the user named.
struct Renamed {
    name: String,
    host: String,
}

impl Resolve for Renamed {
    fn resolve(&self, name: Name) -> Resolving {
        let host = if name.as_str() == self.name { self.host.clone() } else { name.as_str().to_owned() };
        Box::pin(async move {
            let host = host.trim_matches(['[', ']']).to_owned();
            let list: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(list.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
