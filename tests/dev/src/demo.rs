//! `cargo demo`: a development server and a PostgreSQL, walked through, then left to the visitor.

use std::fs;
use std::io::IsTerminal as _;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::postgres::{self, Postgres};
use crate::run::{Kept, Outcome, show, succeeds, wait_for};
use crate::walk::{self, Tour};
use crate::{setup, talk};

/// Shows the main job; then stays up if `wait`.
pub(crate) fn demo(wait: bool) -> Outcome<()> {
    setup::prepare()?;
    // As for the tests: one that is there already.
    let binary = match std::env::var_os("COFFERDAM_BIN") {
        Some(binary) => PathBuf::from(binary),
        None => {
            talk::stage("building the server (the first build takes some minutes)");
            build()?
        }
    };
    let tools = tools(&binary)?;

    talk::stage("starting a private PostgreSQL");
    let database = Postgres::get()?;
    talk::note(&format!("listening on {}:{}", database.host, database.port));

    talk::stage("starting a development server");
    let folder = std::env::temp_dir().join(format!("cofferdam-demo-server-{}", std::process::id()));
    fs::create_dir(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let address = listen_address()?;
    let log_file = folder.join("log");
    let log = fs::File::create(&log_file).map_err(|e| format!("cannot write {}: {e}", log_file.display()))?;
    let error_log = log.try_clone().map_err(|e| format!("cannot write {}: {e}", log_file.display()))?;
    let mut server = Kept::start(
        Command::new(tools.join("cofferdam"))
            .args(["server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token"])
            .arg(format!("-dev-path={}", folder.join("data").display()))
            .arg(format!("-dev-listen-address={address}"))
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(error_log)),
        "TERM",
        &folder,
    )?;
    let tour = Tour::new(tools, format!("http://{address}"), database);
    let ready = wait_for("the server to answer", Duration::from_secs(60), || {
        if server.alive() { succeeds(&mut tour.vault(&["status"])).then_some(true) } else { Some(false) }
    });
    if ready != Ok(true) {
        let said = fs::read_to_string(&log_file).unwrap_or_default();
        return Err(format!("the server did not come up; it said:\n{said}"));
    }

    walk::walk(&tour)?;

    if !wait {
        return Ok(());
    }
    talk::stage("now it is yours");
    println!("{}", tour.invitation(&log_file));
    stay(&mut server);
    talk::note("stopped");
    Ok(())
}

fn stay(server: &mut Kept) {
    if std::io::stdin().is_terminal() {
        talk::note("Press Enter to stop both servers.");
        let mut line = String::new();
        // Whatever comes, a line or the end of input: time to go.
        let _ = std::io::stdin().read_line(&mut line);
        return;
    }
    talk::note("End this process to stop both servers.");
    while server.alive() {
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn build() -> Outcome<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    show(Command::new(cargo).args(["build", "--package", "cofferdam-server"]).current_dir(setup::checkout()?))?;
    let myself = std::env::current_exe().map_err(|e| format!("where am I? {e}"))?;
    let binary = myself.with_file_name("cofferdam");
    if binary.is_file() { Ok(binary) } else { Err(format!("the build left no {}", binary.display())) }
}

/// A folder with the binary under its two names.
fn tools(binary: &Path) -> Outcome<PathBuf> {
    let folder = binary.with_file_name("demo-bin");
    let failed = |e: std::io::Error| format!("cannot fill {}: {e}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    for name in ["cofferdam", "vault"] {
        let link = folder.join(name);
        if fs::symlink_metadata(&link).is_ok() {
            fs::remove_file(&link).map_err(failed)?;
        }
        symlink(binary, &link).map_err(failed)?;
    }
    Ok(folder)
}

/// The usual address if it is free.
fn listen_address() -> Outcome<String> {
    let usual = "127.0.0.1:8200";
    if TcpListener::bind(usual).is_ok() {
        return Ok(usual.to_owned());
    }
    Ok(format!("127.0.0.1:{}", postgres::free_port()?))
}
