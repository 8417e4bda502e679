//! Opens connections, and keeps one for the next call of the same instance.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::{Duration, Instant};

use engine_sdk::types::Cause;
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use tokio::runtime::{Builder, Runtime};

use super::session::Session;
use super::{Error, greeting, tls};
use crate::location::{Location, Security};

/// A server that takes longer to let us in is not reachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Old connections are closed: the server's memory for one grows, and so does the time since TLS was verified.
const MAX_AGE: Duration = Duration::from_secs(300);

/// Where the server is, by the host's word, and what the operator said of the connection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) location: Location,
}

/// The root secret: what the engine itself logs in with. Kept in a slot of the host.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Root {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    /// Authorities in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_ca: Option<String>,
    /// The client's certificate in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_certificate: Option<String>,
    /// The client's key in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) private_key: Option<String>,
}

impl Root {
    /// Whom to log in as: a name in the URL counts more than the field.
    pub(crate) fn user<'a>(&'a self, location: &'a Location) -> Option<&'a str> {
        location.username.as_deref().or(self.username.as_deref())
    }
}

struct Kept {
    session: Session,
    endpoint: Endpoint,
    root: Root,
    opened: Instant,
}

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// Runs a future on the instance's own runtime, for so long at most.
fn block_on<T>(budget: Duration, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let future = async {
        tokio::time::timeout(budget, future).await.unwrap_or_else(|_| Err(Error::unreachable("no answer in time")))
    };
    RUNTIME.with(|cell| {
        if cell.get().is_none() {
            let runtime = Builder::new_current_thread().enable_all().build();
            let _ = cell.set(runtime.map_err(|error| Error::new(Cause::Internal, format!("no runtime: {error}")))?);
        }
        match cell.get() {
            Some(runtime) => runtime.block_on(future),
            None => Err(Error::new(Cause::Internal, "no runtime")),
        }
    })
}

/// Works over a connection, a kept one if there is one. The first thing that `work` asks must have no effect before the
/// server answered: if a kept connection turns out to be dead or silent by then, `work` is begun anew on a fresh one. So
/// where a server hangs it is the log-in that fails; whatever ends before the first answer has certainly left nothing.
pub(crate) fn run<T>(
    endpoint: &Endpoint,
    root: &Root,
    budget: Duration,
    work: impl AsyncFn(&mut Session) -> Result<T, Error>,
) -> Result<T, Error> {
    let answered = Rc::new(Cell::new(false));
    let worked = block_on(budget, async {
        if let Some((mut session, opened)) = take(endpoint, root, &answered) {
            let result = work(&mut session).await;
            if result.is_ok() || session.has_answered() {
                keep(session, endpoint, root, opened);
                return result;
            }
        }
        let mut session = open(endpoint, root, &answered).await?;
        let opened = Instant::now();
        let result = work(&mut session).await;
        keep(session, endpoint, root, opened);
        result
    });
    worked.map_err(|error| Error { untouched: error.untouched || !answered.get(), ..error })
}

/// Logs in anew, never over a kept connection, and works over that.
pub(crate) fn fresh<T>(
    endpoint: &Endpoint,
    root: &Root,
    budget: Duration,
    work: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
) -> Result<T, Error> {
    block_on(budget, async {
        let mut session = open(endpoint, root, &Rc::default()).await?;
        let result = work(&mut session).await;
        session.close().await;
        result
    })
}

fn take(endpoint: &Endpoint, root: &Root, answered: &Rc<Cell<bool>>) -> Option<(Session, Instant)> {
    let kept = KEPT.take()?;
    (kept.endpoint == *endpoint && kept.root == *root && kept.opened.elapsed() < MAX_AGE)
        .then(|| (kept.session.reuse(Rc::clone(answered)), kept.opened))
}

/// Keeps a session that nothing is open on; others are closed by being dropped.
fn keep(session: Session, endpoint: &Endpoint, root: &Root, opened: Instant) {
    if session.is_idle() {
        KEPT.set(Some(Kept { session, endpoint: endpoint.clone(), root: root.clone(), opened }));
    }
}

/// Logs in. Whatever goes wrong here leaves the server as it was.
async fn open(endpoint: &Endpoint, root: &Root, answered: &Rc<Cell<bool>>) -> Result<Session, Error> {
    let attempt = async {
        let mut last = Error::unreachable(format!("{:?} has no address", endpoint.host));
        for address in look_up(&endpoint.host, endpoint.port)? {
            match connect(endpoint, root, address).await {
                Ok(connection) => return Ok(Session::new(connection, Rc::clone(answered))),
                // Another address of the same server would say the same.
                Err(error) if error.code.is_some() => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    let late = || Error::unreachable(format!("{}:{} did not answer in time", endpoint.host, endpoint.port));
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, attempt).await.unwrap_or_else(|_| Err(late()));
    opened.map_err(|error| Error { untouched: true, ..error })
}

/// Tokio's own look-up needs threads, which a component has not.
fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, port).to_socket_addrs();
    Ok(found.map_err(|error| Error::unreachable(format!("cannot look {host:?} up: {error}")))?.collect())
}

async fn connect(endpoint: &Endpoint, root: &Root, address: SocketAddr) -> Result<PgConnection, Error> {
    let user = root.user(&endpoint.location).ok_or_else(|| Error::new(Cause::Invalid, "no username is configured"))?;
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&address.ip().to_string())
        .port(address.port())
        .username(user)
        .password(root.password.as_deref().unwrap_or_default())
        .database(endpoint.location.database.as_deref().unwrap_or(user))
        .application_name("cofferdam")
        // Poolers refuse what they do not know.
        .extra_float_digits(None)
        .options(endpoint.location.settings.iter().map(|(name, value)| (name, value)))
        .disable_statement_logging();
    if let (Some(certificate), Some(key)) = (&root.tls_certificate, &root.private_key) {
        options = options.ssl_client_cert_from_pem(certificate).ssl_client_key_from_pem(key);
    }
    let (mode, host) = match (endpoint.location.security, &root.tls_ca) {
        (Security::Disable, _) => (PgSslMode::Disable, None),
        (Security::Implied | Security::Require, None) => (PgSslMode::Require, None),
        (Security::Implied | Security::Require, Some(_)) | (Security::VerifyAuthority, _) => {
            (PgSslMode::VerifyCa, None)
        }
        (Security::VerifyFull, _) => (PgSslMode::VerifyCa, Some(endpoint.host.as_str())),
    };
    if matches!(mode, PgSslMode::Disable) {
        greeting::check(address).await?;
    }
    let guard = match mode {
        PgSslMode::VerifyCa => Some(tls::Guard::watch(host, root.tls_ca.as_deref())?),
        _ => None,
    };
    if let (Some(_), Some(authorities)) = (&guard, &root.tls_ca) {
        options = options.ssl_root_cert_from_pem(authorities.clone().into_bytes());
    }
    let result = PgConnection::connect_with(&options.ssl_mode(mode)).await;
    result.map_err(|error| match guard.and_then(|guard| guard.refusal()) {
        Some(refusal) => Error::unreachable(refusal),
        None => explain(error, endpoint),
    })
}

fn explain(error: sqlx::Error, endpoint: &Endpoint) -> Error {
    let refused_tls = matches!(&error, sqlx::Error::Tls(text) if text.to_string().contains("does not support TLS"));
    match endpoint.location.security {
        Security::Implied if refused_tls => Error::unreachable(
            "the server does not offer TLS, which is required unless connection_url says sslmode=disable",
        ),
        _ => error.into(),
    }
}
