//! A development server with TLS, by the lines that it prints.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::{Cli, Kept, binary, wait_until};
use rustix::process::Signal;

/// A server with these flags besides, and what it said when it was ready.
fn start(home: &Path, flags: &[&str]) -> (Kept, String) {
    let said = home.join("said");
    let mut command = Command::new(binary());
    command
        .args(["server", "-dev-root-token-id=root", "-dev-no-store-token", "-dev-listen-address=127.0.0.1:0"])
        .args(flags)
        .current_dir(home)
        .env("HOME", home)
        .stdout(Stdio::from(fs::File::create(&said).unwrap()))
        .stderr(Stdio::null());
    let server = Kept::start(&mut command, None);
    let text = wait_until("the server to be ready", || {
        let text = fs::read_to_string(&said).unwrap();
        text.contains("api address:").then_some(text)
    });
    (server, text)
}

/// What is to be exported under this name.
fn exported(said: &str, name: &str) -> String {
    let start = format!("    $ export {name}='");
    let line = said.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no {name}\n{said}"));
    line.trim_end_matches('\'').to_owned()
}

#[test]
fn a_development_server_speaks_tls() {
    let home = tempfile::tempdir().unwrap();
    let (mut server, said) = start(home.path(), &["-dev-tls"]);
    let (address, authority) = (exported(&said, "VAULT_ADDR"), exported(&said, "VAULT_CACERT"));
    assert!(address.starts_with("https://127.0.0.1:"), "{address}");

    let stranger = Cli::bare().with("VAULT_ADDR", &address).with("VAULT_TOKEN", "root");
    assert_ne!(stranger.run(&["secrets", "list"]).code, 0, "whoever does not know the authority believes nobody");
    let vault = stranger.with("VAULT_CACERT", &authority);
    vault.ok(&["kv", "put", "secret/a", "x=1"]);
    let named = address.replace("127.0.0.1", "localhost");
    assert_eq!(vault.with("VAULT_ADDR", &named).ok(&["kv", "get", "-field=x", "secret/a"]).trim(), "1");

    let folder = Path::new(&authority).parent().unwrap();
    assert_eq!(fs::metadata(folder.join("vault-key.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    server.signal(Signal::TERM);
    wait_until("the server to end", || (!server.alive()).then_some(()));
    assert!(!folder.exists(), "its certificates go with it");
}

#[test]
fn its_certificates_stay_where_they_are_wanted() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("certificates");
    let flags = [format!("-dev-tls-cert-dir={}", folder.display()), "-dev-tls-san=127.0.0.7".to_owned()];
    let (mut server, said) = start(home.path(), &["-dev-tls", &flags[0], &flags[1], "-dev-listen-address=0.0.0.0:0"]);
    let authority = exported(&said, "VAULT_CACERT");
    assert_eq!(Path::new(&authority), folder.join("vault-ca.pem"));
    let address = exported(&said, "VAULT_ADDR");
    let status = |host: &str| {
        let vault = Cli::bare().with("VAULT_CACERT", &authority);
        vault.with("VAULT_ADDR", &address.replace("127.0.0.1", host)).run(&["status"]).code
    };
    assert_eq!((status("127.0.0.7"), status("127.0.0.8")), (0, 1), "it is known by the names that it was given");
    server.signal(Signal::TERM);
    wait_until("the server to end", || (!server.alive()).then_some(()));
    assert!(folder.join("vault-cert.pem").is_file());

    let alone = Command::new(binary()).args(["server", "-dev", &flags[0]]).output().unwrap();
    assert!(String::from_utf8_lossy(&alone.stderr).contains("need -dev-tls"), "{alone:?}");
}
