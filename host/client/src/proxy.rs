//! Which proxy the environment asks for.

use reqwest::{NoProxy, Proxy};
use url::Url;

use crate::config::{Environment, variable};
use crate::error::{Error, Result};

/// Where to send requests instead of to the server itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProxySettings {
    /// A proxy named for this client alone; it serves every address.
    pub own: Option<String>,
    /// The system's proxy for this scheme; it does not serve loopback addresses.
    pub system: Option<String>,
    /// Hosts that the system's proxy does not serve.
    pub except: Option<String>,
}

impl ProxySettings {
    /// Reads `VAULT_PROXY_ADDR`, `VAULT_HTTP_PROXY` and, for the address's scheme, `HTTPS_PROXY` or `HTTP_PROXY`.
    pub fn from_env(env: &dyn Environment, address: &str) -> Self {
        let named = |name: &str| env.get(name).or_else(|| env.get(&name.to_lowercase())).filter(|v| !v.is_empty());
        let scheme = if address.starts_with("https:") { "HTTPS_PROXY" } else { "HTTP_PROXY" };
        Self {
            own: variable(env, "PROXY_ADDR").or_else(|| variable(env, "HTTP_PROXY")),
            system: named(scheme),
            except: named("NO_PROXY"),
        }
    }

    /// The proxy for a server, if one applies.
    pub(crate) fn proxy(&self, server: &Url) -> Result<Option<Proxy>> {
        let bad = |e: reqwest::Error| Error::Config(format!("unusable proxy address: {e}"));
        if let Some(own) = &self.own {
            return Proxy::all(own).map(Some).map_err(bad);
        }
        let Some(system) = self.system.as_deref().filter(|_| !is_loopback(server)) else {
            return Ok(None);
        };
        let except = self.except.as_deref().and_then(NoProxy::from_string);
        Proxy::all(system).map(|p| Some(p.no_proxy(except))).map_err(bad)
    }
}

fn is_loopback(server: &Url) -> bool {
    match server.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_clients_own_proxy_wins_and_loopback_skips_the_systems() {
        let env: HashMap<String, String> = [("https_proxy", "http://p:1"), ("VAULT_PROXY_ADDR", "http://own:2")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        let mut settings = ProxySettings::from_env(&env, "https://a");
        assert_eq!(settings.own.as_deref(), Some("http://own:2"));
        settings.own = None;
        assert!(settings.proxy(&Url::parse("https://127.0.0.1:8200").unwrap()).unwrap().is_none());
        assert!(settings.proxy(&Url::parse("https://vault.example:8200").unwrap()).unwrap().is_some());
    }
}
