//! The life of a server: bind, build, serve, drain, end.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use cofferdam_api::Limits;
use cofferdam_core::Settings;
use cofferdam_model::SecretText;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::certificates::Certificates;
use crate::command::{Plan, say};
use crate::config::{Config, Store};
use crate::dev::{self, DevError};
use crate::files::PidFile;
use crate::harden;
use crate::listen::{Bound, ListenError};
use crate::logging::Log;
use crate::reload::Reload;
use crate::wire::{Vault, WireError};

/// How long requests that are under way may take when the server is told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// Why a server does not start, or stops by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// An address or its certificates.
    #[error("Error initializing listener: {0}")]
    Listen(#[from] ListenError),
    /// Store, sandbox or engines.
    #[error("Error starting the server: {0}")]
    Wire(#[from] WireError),
    /// The development server's own start.
    #[error("Error initializing dev mode: {0}")]
    Dev(#[from] DevError),
    /// The system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> RunError {
    move |source| RunError::System { what, source }
}

/// Runs the server to its end.
pub(crate) fn run(plan: Plan, log: Log) -> Result<(), RunError> {
    harden::limits();
    if !plan.config.swap_is_known && plan.dev.is_none() {
        harden::warn_of_swap();
    }
    #[cfg(feature = "failpoints")]
    crate::failpoints::arm().map_err(system("the failpoints' folder"))?;
    for warning in &plan.config.warnings {
        tracing::warn!("configuration: {warning}");
    }
    let bound: Vec<Bound> = plan.config.listeners.iter().cloned().map(Bound::bind).collect::<Result<_, _>>()?;
    say(&summary(&plan, &bound));
    let pid_file = plan.config.pid_file.as_deref().map(PidFile::write).transpose();
    let _pid_file = pid_file.map_err(system("the pid file"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("cofferdam")
        .build()
        .map_err(system("the runtime"))?;
    let ended = runtime.block_on(serve(plan, log, bound));
    // Blocking work that is still running holds nothing that matters any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn serve(plan: Plan, log: Log, bound: Vec<Bound>) -> Result<(), RunError> {
    let mut signals = Signals::new().map_err(system("signal handlers"))?;
    let url = bound.first().map(Bound::url).unwrap_or_default();
    let addresses: Vec<SocketAddr> = bound.iter().map(Bound::address).collect();
    let plugins = plan.dev.as_ref().and_then(|dev| dev.plugin_dir.as_deref());
    let vault = Vault::build(&plan.config, &plan.store, settings(&plan, &url), &addresses, plugins).await?;

    let mut ready = String::from("==> Cofferdam server started! Log data will stream in below:\n\n");
    if let Some(dev) = plan.dev {
        let authority = plan.certificates.as_ref().map(Certificates::authority);
        let secrets = dev::start(vault.core(), dev.root_token, dev.path.as_deref()).await?;
        ready.push_str(&dev::banner(&secrets, &url, authority.as_deref(), dev.path.as_deref()));
        if let Some(home) = dev.home
            && let Err(error) = dev::store_token(&home, &SecretText::new(secrets.root_token))
        {
            tracing::warn!("the root token was not stored for the command line: {error}");
        }
    }

    let handle = Handle::new();
    let certificates = bound.iter().filter_map(Bound::reloader).collect();
    let reload = Reload { certificates, log, level: plan.level };
    let shared = Arc::new(vault.clone());
    let mut listeners = JoinSet::new();
    for listener in bound {
        let service = cofferdam_api::service(Arc::clone(&shared), limits(&plan.config, &listener));
        listeners.spawn(listener.serve(service, handle.clone()));
    }
    // Sockets were bound before: whoever reads this line can connect.
    let _ = writeln!(ready, "api address: {url}");
    say(&ready);

    signals.wait(&reload).await;
    say("==> Cofferdam shutdown triggered\n");
    handle.graceful_shutdown(Some(DRAIN));
    let end = async {
        while listeners.join_next().await.is_some() {}
        tracing::debug!("no request is under way");
        vault.end().await;
        tracing::debug!("sealed and closed");
    };
    tokio::select! {
        () = end => {}
        () = signals.stop() => tracing::warn!("told to stop twice: what is under way is cut off"),
    }
    Ok(())
}

fn settings(plan: &Plan, url: &str) -> Settings {
    let config = &plan.config;
    Settings {
        default_lease_ttl: config.default_lease_ttl,
        max_lease_ttl: config.max_lease_ttl,
        cluster_name: config.cluster_name.clone(),
        api_addr: if config.api_addr.is_empty() { url.to_owned() } else { config.api_addr.clone() },
        dev: plan.dev.is_some(),
        prometheus: config.prometheus,
    }
}

fn limits(config: &Config, listener: &Bound) -> Limits {
    Limits {
        body: listener.config().max_request_size,
        duration: listener.config().max_request_duration.unwrap_or(config.max_request_duration),
        printable_paths: !config.disable_printable_check,
        open_metrics: listener.config().open_metrics,
        ..Limits::default()
    }
}

/// What is printed before anything can fail for another reason than its configuration.
fn summary(plan: &Plan, bound: &[Bound]) -> String {
    let mut text = String::from("==> Cofferdam server configuration:\n\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:>24}: {value}");
    };
    if !plan.config.api_addr.is_empty() {
        line("Api Address", &plan.config.api_addr);
    }
    for (i, listener) in bound.iter().enumerate() {
        let tls = if listener.config().tls.is_some() { "enabled" } else { "disabled" };
        line(&format!("Listener {}", i + 1), &format!("tcp (addr: {}, tls: {tls})", listener.address()));
    }
    line("Log Level", plan.config.log_level.as_deref().unwrap_or("info"));
    match &plan.store {
        Store::Memory => line("Storage", "inmem"),
        Store::Sqlite { path, .. } => line("Storage", &format!("sqlite ({path})")),
    }
    line("Version", &format!("Cofferdam v{}", env!("CARGO_PKG_VERSION")));
    for note in &plan.config.notes {
        line("Note", note);
    }
    text.push('\n');
    text
}

/// What the operator says to a running server.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    dump: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            dump: signal(SignalKind::user_defined2())?,
        })
    }

    /// Reloads as often as asked; returns when the server is to stop.
    async fn wait(&mut self, reload: &Reload) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => reload.run(),
                // Elsewhere this prints stacks; unhandled, it would end the process.
                _ = self.dump.recv() => tracing::info!("there are no stacks to print"),
            }
        }
    }

    /// Returns when the server is to stop.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
