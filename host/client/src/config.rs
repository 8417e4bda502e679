//! Where the server is and who we are, as the environment says it.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use cofferdam_model::duration;
use secrecy::SecretString;

use crate::error::{Error, Result};
use crate::proxy::ProxySettings;
use crate::tls::Tls;

/// The address of a server that nobody named.
pub const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";

/// Environment variables, so that tests need not touch the process's own.
pub trait Environment {
    /// A variable's value, if it is set.
    fn get(&self, name: &str) -> Option<String>;
}

impl Environment for HashMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        HashMap::get(self, name).cloned()
    }
}

/// `COFFERDAM_<name>`, else `VAULT_<name>`; a variable that is set but empty counts as unset.
pub fn variable(env: &dyn Environment, name: &str) -> Option<String> {
    ["COFFERDAM_", "VAULT_"].iter().find_map(|prefix| env.get(&format!("{prefix}{name}")).filter(|v| !v.is_empty()))
}

/// Everything the client needs to know.
#[derive(Clone)]
pub struct Config {
    /// `http://` or `https://`, host, port, and perhaps a path that comes before `/v1/`.
    pub address: String,
    /// Certificates and names.
    pub tls: Tls,
    /// The token, if there is one.
    pub token: Option<SecretString>,
    /// The namespace, if one is set.
    pub namespace: Option<String>,
    /// Asks for wrapped answers.
    pub wrap_ttl: Option<String>,
    /// Second factors.
    pub mfa: Vec<String>,
    /// Sends `X-Vault-Policy-Override`.
    pub policy_override: bool,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// For one attempt.
    pub timeout: Duration,
    /// Attempts after the first.
    pub max_retries: u32,
    /// The shortest and the longest pause before another attempt.
    pub retry_wait: (Duration, Duration),
    /// Whether one redirect is followed.
    pub follow_redirect: bool,
    /// Proxies.
    pub proxy: ProxySettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: DEFAULT_ADDRESS.to_owned(),
            tls: Tls::default(),
            token: None,
            namespace: None,
            wrap_ttl: None,
            mfa: Vec::new(),
            policy_override: false,
            headers: Vec::new(),
            timeout: Duration::from_secs(60),
            max_retries: 2,
            retry_wait: (Duration::from_millis(1000), Duration::from_millis(1500)),
            follow_redirect: true,
            proxy: ProxySettings::default(),
        }
    }
}

impl fmt::Debug for Config {
    /// Without token, second factors and headers, which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("address", &self.address)
            .field("namespace", &self.namespace)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// The configuration that the environment describes.
    ///
    /// # Errors
    /// When a variable cannot be read as what it should be; the text names it.
    pub fn from_env(env: &dyn Environment) -> Result<Self> {
        let text = |name| variable(env, name);
        let mut config = Self::default();
        if let Some(address) = text("AGENT_ADDR").or_else(|| text("ADDR")) {
            config.address = address;
        }
        config.tls = Tls {
            ca_cert: text("CACERT").map(Into::into),
            ca_bytes: text("CACERT_BYTES"),
            ca_path: text("CAPATH").map(Into::into),
            client_cert: text("CLIENT_CERT").map(Into::into),
            client_key: text("CLIENT_KEY").map(Into::into),
            server_name: text("TLS_SERVER_NAME"),
            skip_verify: flag(env, "SKIP_VERIFY")?,
        };
        config.token = text("TOKEN").map(SecretString::from);
        config.namespace = text("NAMESPACE");
        config.wrap_ttl = text("WRAP_TTL");
        config.mfa = text("MFA").map(|m| m.split(',').map(|s| s.trim().to_owned()).collect()).unwrap_or_default();
        config.follow_redirect = !flag(env, "DISABLE_REDIRECTS")?;
        if let Some(timeout) = text("CLIENT_TIMEOUT") {
            let seconds = duration::parse_text(&timeout).ok().and_then(|s| u64::try_from(s).ok());
            config.timeout = seconds
                .map(Duration::from_secs)
                .ok_or_else(|| Error::Config(format!("could not parse VAULT_CLIENT_TIMEOUT {timeout:?}")))?;
        }
        if let Some(retries) = text("MAX_RETRIES") {
            config.max_retries =
                retries.parse().map_err(|_| Error::Config(format!("could not parse VAULT_MAX_RETRIES {retries:?}")))?;
        }
        config.proxy = ProxySettings::from_env(env, &config.address);
        Ok(config)
    }
}

/// A boolean variable, unset meaning false.
fn flag(env: &dyn Environment, name: &str) -> Result<bool> {
    match variable(env, name).as_deref() {
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some(_) => Err(Error::Config(format!("could not parse VAULT_{name}"))),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn our_prefix_wins_and_empty_is_unset() {
        let env = env(&[
            ("VAULT_ADDR", "http://vault:1"),
            ("COFFERDAM_ADDR", "http://ours:2"),
            ("COFFERDAM_TOKEN", ""),
            ("VAULT_TOKEN", "t"),
            ("VAULT_CLIENT_TIMEOUT", "5"),
            ("VAULT_MAX_RETRIES", "7"),
            ("VAULT_SKIP_VERIFY", "1"),
        ]);
        let config = Config::from_env(&env).unwrap();
        assert_eq!(config.address, "http://ours:2");
        assert_eq!(config.token.as_ref().map(|t| t.expose_secret()), Some("t"));
        assert_eq!(config.timeout, Duration::from_secs(5));
        assert_eq!(config.max_retries, 7);
        assert!(config.tls.skip_verify);
        assert!(!format!("{config:?}").contains("\"t\""));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (name, value) in
            [("VAULT_CLIENT_TIMEOUT", "soon"), ("VAULT_MAX_RETRIES", "-1"), ("VAULT_SKIP_VERIFY", "maybe")]
        {
            let error = Config::from_env(&env(&[(name, value)])).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
