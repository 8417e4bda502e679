//! The README's configuration, started as printed but for its places, and the commands that operators are told to run.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use harness::{Cli, Kept, wait_until};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

use crate::blocks::{blocks, document};

#[test]
fn the_printed_configuration_starts_a_server_that_is_operated_as_told() {
    let folder = tempfile::tempdir().expect("a folder for the server");
    let place = |name: &str| folder.path().join(name).display().to_string();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a key");
    fs::write(place("server.pem"), cert.pem()).expect("a certificate");
    fs::write(place("server.key"), signing_key.serialize_pem()).expect("a key");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let address = free.to_string();

    let printed = blocks(&document("README.md"), "hcl", Some("## Running it for real"));
    let [printed] = printed.as_slice() else { panic!("one configuration is printed: {printed:?}") };
    let mut config = printed.clone();
    for (theirs, ours) in [
        ("/var/lib/cofferdam", place("data")),
        ("0.0.0.0:8200", address.clone()),
        ("/etc/cofferdam/server.pem", place("server.pem")),
        ("/etc/cofferdam/server.key", place("server.key")),
    ] {
        assert!(config.contains(theirs), "{theirs} is not printed");
        config = config.replace(theirs, &ours);
    }
    fs::write(place("server.hcl"), config).expect("a configuration");
    let log = fs::File::create(place("log")).expect("a log");
    let mut command = Command::new(harness::binary());
    command.arg("server").arg(format!("-config={}", place("server.hcl")));
    command.stdout(log.try_clone().expect("a second handle")).stderr(Stdio::from(log));
    let mut server = Kept::start(&mut command, None);

    let cli = Cli::bare().with("VAULT_ADDR", &format!("https://{address}")).with("VAULT_CACERT", &place("server.pem"));
    wait_until("a server that is not initialised", || {
        assert!(server.alive(), "{}", fs::read_to_string(place("log")).unwrap_or_default());
        (cli.run(&["status"]).code == 2).then_some(())
    });
    let made = cli.json(&["operator", "init", "-format=json", "-key-shares=3", "-key-threshold=2"]);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    for share in 0..2 {
        cli.ok(&["operator", "unseal", &text(&made["unseal_keys_b64"][share])]);
    }
    let cli = cli.with("VAULT_TOKEN", &text(&made["root_token"]));
    assert!(cli.ok(&["status"]).contains("Sealed"));
    cli.ok(&["secrets", "enable", "database"]);
    cli.ok(&["operator", "fence"]);
    cli.ok(&["operator", "fence", "-only-copy"]);
    cli.ok(&["inventory", "list", "database"]);
    assert!(cli.ok(&["sandbox", "list"]).contains("database/"));
    cli.ok(&["sandbox", "grants"]);
    cli.ok(&["sandbox", "denials"]);
    assert!(cli.ok(&["read", "-format=raw", "sys/metrics", "format=prometheus"]).contains("cofferdam_"));
}
