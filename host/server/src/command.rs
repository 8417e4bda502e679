//! `cofferdam server`: from arguments to a configuration, and from failures to exit codes.

use std::io::Write as _;

use crate::certificates::Certificates;
use crate::config::{self, Config, ConfigError, Listener, Store};
use crate::flags::{self, Flags, HELP};
use crate::logging::Log;
use crate::reload::LevelSource;
use crate::run;

/// Where a development server listens if nothing else is said.
const DEV_ADDRESS: &str = "127.0.0.1:8200";

/// What to start.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Complete: with a listener at least.
    pub(crate) config: Config,
    /// Where the data live.
    pub(crate) store: Store,
    /// A development server.
    pub(crate) dev: Option<DevPlan>,
    /// Of a development server that speaks TLS.
    pub(crate) certificates: Option<Certificates>,
    /// Where the log's level is looked up again.
    pub(crate) level: LevelSource,
}

/// What a development server does besides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DevPlan {
    /// None: a random one.
    pub(crate) root_token: Option<String>,
    /// Where its data are kept, if not in memory.
    pub(crate) path: Option<String>,
    /// Engines besides the built-in ones.
    pub(crate) plugin_dir: Option<String>,
    /// Whose token file is written.
    pub(crate) home: Option<String>,
}

/// Runs the server until it is told to stop; returns the exit code.
pub(crate) fn server(args: Vec<String>) -> i32 {
    let env = |name: &str| std::env::var(name).ok();
    let flags = match Flags::parse(&args, &env) {
        Ok(flags) if flags.help => {
            say(HELP);
            return 0;
        }
        Ok(flags) => flags,
        Err(message) => return fail(&message),
    };
    let started = || -> Result<(), String> {
        let plan = plan(flags, &env).map_err(|e| e.to_string())?;
        let config = &plan.config;
        let log = Log::start(config.log_level.as_deref(), config.log_format.as_deref()).map_err(|e| e.to_string())?;
        run::run(plan, log).map_err(|e| e.to_string())
    };
    match started() {
        Ok(()) => 0,
        Err(message) => fail(&message),
    }
}

/// Brings flags, files and environment together.
fn plan(flags: Flags, env: &dyn Fn(&str) -> Option<String>) -> Result<Plan, ConfigError> {
    let wrong = |message: &str| Err(ConfigError(message.to_owned()));
    if flags.config.is_empty() && !flags.dev {
        return wrong("Must specify at least one config path using -config (or -dev)");
    }
    for (flag, value) in [("-dev-path", &flags.dev_path), ("-dev-plugin-dir", &flags.dev_plugin_dir)] {
        if !flags.dev && value.is_some() {
            return wrong(&format!("{flag} needs -dev"));
        }
    }
    if !flags.dev_tls && (flags.dev_tls_dir.is_some() || !flags.dev_tls_names.is_empty()) {
        return wrong("-dev-tls-cert-dir and -dev-tls-san need -dev-tls");
    }
    let mut config = config::load(&flags.config)?;
    let level = LevelSource { fixed: flags.log_level.clone(), files: flags.config };
    config.log_level = flags.log_level.or(config.log_level);
    config.log_format = flags.log_format.or(config.log_format);
    if let Some(address) = flags::variable(env, "API_ADDR") {
        config.api_addr = address;
    }
    if !flags.dev {
        let Some(store) = config.store.clone() else { return wrong("A storage backend must be specified") };
        if config.listeners.is_empty() {
            return wrong("At least one listener must be specified");
        }
        return Ok(Plan { config, store, dev: None, certificates: None, level });
    }
    let address = flags.dev_listen_address.as_deref().unwrap_or(DEV_ADDRESS);
    let mut listener = Listener::plain(config::resolve(address)?);
    let certificates = flags
        .dev_tls
        .then(|| Certificates::make(flags.dev_tls_dir.as_deref(), listener.address, &flags.dev_tls_names))
        .transpose()
        .map_err(|error| ConfigError(format!("-dev-tls: {error}")))?;
    listener.tls = certificates.as_ref().map(Certificates::files);
    config.listeners.insert(0, listener);
    let store = match (&flags.dev_path, config.store.take()) {
        (Some(path), None) => Store::Sqlite { path: path.clone(), machine_id: None },
        (Some(_), Some(_)) => return wrong("-dev-path and a storage stanza exclude each other"),
        (None, store) => store.unwrap_or(Store::Memory),
    };
    let path = match &store {
        Store::Memory => None,
        Store::Sqlite { path, .. } => Some(path.clone()),
    };
    let home = if flags.dev_no_store_token { None } else { env("HOME") };
    Ok(Plan {
        config,
        store,
        dev: Some(DevPlan { root_token: flags.dev_root_token, path, plugin_dir: flags.dev_plugin_dir, home }),
        certificates,
        level,
    })
}

/// Prints to standard output at once. A reader that went away is no reason to stop.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a line to standard error, and is the exit code of failures.
fn fail(message: &str) -> i32 {
    let _ = writeln!(std::io::stderr(), "{}", message.trim_end());
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(args: &[&str]) -> Result<Plan, ConfigError> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        plan(Flags::parse(&args, &env).map_err(ConfigError)?, &env)
    }

    #[test]
    fn a_development_server_needs_nothing_else() {
        let plan = planned(&["-dev", "-dev-root-token-id=root"]).unwrap();
        assert_eq!(plan.store, Store::Memory);
        assert_eq!(plan.config.listeners, [Listener::plain(([127, 0, 0, 1], 8200).into())]);
        let want = DevPlan {
            root_token: Some("root".to_owned()),
            path: None,
            plugin_dir: None,
            home: Some("/home/me".to_owned()),
        };
        assert_eq!(plan.dev, Some(want));
        let plan = planned(&["-dev", "-dev-path=/data", "-dev-no-store-token"]).unwrap();
        assert_eq!(plan.store, Store::Sqlite { path: "/data".to_owned(), machine_id: None });
        assert_eq!(
            plan.dev,
            Some(DevPlan { root_token: None, path: Some("/data".to_owned()), plugin_dir: None, home: None })
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        assert!(planned(&[]).unwrap_err().to_string().contains("-config"));
        assert!(planned(&["-dev-path=/x"]).unwrap_err().to_string().contains("-dev"));
        let dir = tempfile::tempdir().unwrap();
        let files = crate::files::directory(dir.path()).unwrap();
        let config = format!("-config={}", dir.path().join("c.hcl").display());
        for (text, want) in [("cluster_name = \"x\"", "storage"), ("storage \"inmem\" {}", "listener")] {
            files.write("c.hcl", text).unwrap();
            assert!(planned(&[&config]).unwrap_err().to_string().contains(want), "{text}");
        }
        files.write("c.hcl", "storage \"inmem\" {}").unwrap();
        assert!(planned(&["-dev", "-dev-path=/x", &config]).is_err());
        assert!(planned(&["-dev", &config]).is_ok());
    }
}
