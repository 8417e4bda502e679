//! The `connection_url` of a configuration: everything in it but where the server is, which the host says.

use percent_encoding::percent_decode_str;
use url::Url;

/// What a `connection_url` says besides host and port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    /// Written into the URL; none where a placeholder or nothing stands.
    pub(crate) username: Option<String>,
    /// Written into the URL. The host cuts it out of what it keeps.
    pub(crate) password: Option<String>,
    /// None: the one that has the user's name.
    pub(crate) database: Option<String>,
    pub(crate) security: Security,
    /// Settings of the session, by name.
    pub(crate) settings: Vec<(String, String)>,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Security {
    /// `sslmode=disable`: in clear, because the operator wrote so.
    Disable,
    /// Nothing, `allow` or `prefer` was written. The driver answers a request for the password in clear text, so
    /// falling back to no TLS would hand the password to whoever refuses TLS: TLS is required all the same.
    #[default]
    Implied,
    /// TLS with whoever answers; verified by `tls_ca`, if there is one.
    Require,
    /// TLS, and the certificate leads to a trusted authority.
    VerifyAuthority,
    /// TLS, and the certificate is valid for the host.
    VerifyFull,
}

impl Security {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "allow" | "prefer" => Self::Implied,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyAuthority,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

impl Location {
    /// Reads a URL.
    ///
    /// # Errors
    /// A text that says what is wrong with it; never the URL itself.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim()).map_err(|error| format!("connection_url is no URL: {error}"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err("connection_url must begin with postgresql://".to_owned());
        }
        let mut location = Self {
            username: literal(url.username())?,
            password: url.password().map(literal).transpose()?.flatten(),
            database: literal(url.path().trim_start_matches('/'))?,
            ..Self::default()
        };
        for (name, value) in url.query_pairs() {
            location.parameter(&name, &value)?;
        }
        Ok(location)
    }

    fn parameter(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "sslmode" => {
                self.security = Security::parse(value).ok_or_else(|| format!("unknown sslmode {value:?}"))?;
            }
            "host" | "hostaddr" | "port" | "user" | "password" | "dbname" | "service" | "servicefile" | "passfile" => {
                return Err(format!("connection_url must not override {name:?} in its query"));
            }
            "sslrootcert" => return Err("there are no files here: give the authority as tls_ca".to_owned()),
            "sslcert" | "sslkey" | "sslpassword" | "sslcrl" | "sslcrldir" => {
                return Err("there are no files here: give tls_certificate and private_key".to_owned());
            }
            "fallback_application_name" => self.settings.push(("application_name".to_owned(), value.to_owned())),
            // What only steers a client library, and not this one.
            "connect_timeout"
            | "target_session_attrs"
            | "channel_binding"
            | "gssencmode"
            | "client_encoding"
            | "binary_parameters"
            | "default_query_exec_mode"
            | "statement_cache_capacity"
            | "sslsni"
            | "sslcompression"
            | "sslnegotiation" => {}
            _ if name.starts_with("keepalives") || name.starts_with("pool_") || name.starts_with("tcp_") => {}
            _ if is_setting(name) && !value.contains('\0') => self.settings.push((name.to_owned(), value.to_owned())),
            _ => return Err(format!("connection_url has an unknown parameter {name:?}")),
        }
        Ok(())
    }
}

/// A part of the URL as it was meant; none where it is empty or a placeholder.
fn literal(part: &str) -> Result<Option<String>, String> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| "connection_url is not UTF-8".to_owned())?;
    Ok((!text.is_empty() && !text.contains("{{")).then(|| text.into_owned()))
}

/// A server setting's name: `search_path`, `my.setting`.
fn is_setting(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name != "options"
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_operators_write() {
        let templated =
            "postgresql://{{username}}:{{password}}@db.corp:5432/my%20app?sslmode=verify-full&search_path=a,b";
        let location = Location::parse(templated).unwrap();
        assert_eq!(location.database.as_deref(), Some("my app"));
        assert_eq!((location.username, location.password), (None, None));
        assert_eq!(location.security, Security::VerifyFull);
        assert_eq!(location.settings, [("search_path".to_owned(), "a,b".to_owned())]);

        let literal = Location::parse("postgres://ro%40ot:p%2Fw@127.0.0.1/").unwrap();
        assert_eq!(literal.username.as_deref(), Some("ro@ot"));
        assert_eq!(literal.password.as_deref(), Some("p/w"));
        assert_eq!((literal.database, literal.security), (None, Security::Implied));
    }

    #[test]
    fn never_falls_back_to_no_tls_unless_told() {
        for (written, want) in [
            ("", Security::Implied),
            ("?sslmode=prefer", Security::Implied),
            ("?sslmode=allow", Security::Implied),
            ("?sslmode=require", Security::Require),
            ("?sslmode=verify-ca", Security::VerifyAuthority),
            ("?sslmode=disable", Security::Disable),
        ] {
            let location = Location::parse(&format!("postgresql://h/d{written}")).unwrap();
            assert_eq!(location.security, want, "{written}");
        }
    }

    #[test]
    fn refuses_what_would_lead_elsewhere() {
        for text in [
            "postgresql://h/d?host=evil",
            "postgresql://h/d?hostaddr=10.0.0.1",
            "postgresql://h/d?port=1",
            "postgresql://h/d?user=x",
            "postgresql://h/d?password=x",
            "postgresql://h/d?dbname=x",
            "postgresql://h/d?sslrootcert=/etc/passwd",
            "postgresql://h/d?sslmode=maybe",
            "postgresql://h/d?options=-c%20x%3Dy",
            "postgresql://h/d?a%20b=c",
            "mysql://h/d",
            "host=h port=1",
        ] {
            assert!(Location::parse(text).is_err(), "{text}");
        }
    }
}
