//! What lies on disk: unreadable to whoever reads it, refused when it was tampered with.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{DatabaseMount, Postgres, Server};
use serde_json::json;

/// Every regular file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn no_secret_reaches_the_disk_in_clear() {
    let cluster = Postgres::shared();
    let mut server = Server::stored();
    let api = server.api();
    api.mount("clear-kv", "kv");
    api.put("clear-kv/entry", json!({ "text": "a-very-secret-value" })).expect(204);
    let mount = DatabaseMount::new(&api, "clear-db", cluster);
    let credential = mount.credential("app");
    let child = api.child(&["default"], json!({ "ttl": "1h" }));
    server.stop();
    let data = server.folder().join("data");
    let all: Vec<u8> = files(&data).iter().flat_map(|f| fs::read(f).unwrap()).collect();
    // The twin: what must be indexed is plain, so this is where things are.
    assert!(holds(&all, "clear-db/creds/app/"), "the data is elsewhere");
    for secret in [
        "a-very-secret-value",
        cluster.password(),
        &credential.password,
        server.root(),
        child.token(),
        &server.keys()[0],
    ] {
        assert!(!holds(&all, secret), "{secret} is readable on disk");
    }
    let log = server.log();
    for secret in ["a-very-secret-value", cluster.password(), &credential.password, server.root(), child.token()] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::stored();
    for file in files(&server.folder().join("data")) {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is open to others: {mode:o}", file.display());
    }
}

#[test]
fn damaged_data_is_never_served() {
    let mut server = Server::stored();
    let api = server.api();
    api.mount("dmg", "kv");
    for n in 0..50 {
        api.put(&format!("dmg/{n}"), json!({ "v": n })).expect(204);
    }
    server.stop();
    let database = server.folder().join("data/cofferdam.db");
    let mut bytes = fs::read(&database).unwrap();
    let from = bytes.len() / 3;
    for byte in &mut bytes[from..] {
        *byte ^= 0x55;
    }
    fs::write(&database, bytes).unwrap();
    // It may refuse to start, refuse to unseal, or refuse to answer; it may not answer something else.
    let mut command = std::process::Command::new(harness::binary());
    command.arg("server").arg(format!("-config={}", server.folder().join("server.hcl").display()));
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut kept = harness::Kept::start(&mut command, None);
    let anyone = api.anonymous();
    let up = harness::wait_until("the server to answer or to give up", || {
        if anyone.try_send("GET", "sys/seal-status", None).is_ok() {
            Some(true)
        } else {
            (!kept.alive()).then_some(false)
        }
    });
    if !up {
        return;
    }
    let Ok(unsealed) = anyone.try_send("PUT", "sys/unseal", Some(json!({ "key": server.keys()[0] }))) else { return };
    if !unsealed.is_ok() {
        return;
    }
    for n in 0..50 {
        let Ok(reply) = api.try_send("GET", &format!("dmg/{n}"), None) else { return };
        assert!(!reply.is_ok() || reply.body["data"]["v"] == n, "entry {n} became {}", reply.body);
    }
}

/// What a server says that does not start on this store.
fn refusal(server: &Server) -> String {
    let said = server.folder().join("refusal");
    let mut command = std::process::Command::new(harness::binary());
    command.arg("server").arg(format!("-config={}", server.folder().join("server.hcl").display()));
    command.stdout(std::process::Stdio::null()).stderr(fs::File::create(&said).unwrap());
    let mut kept = harness::Kept::start(&mut command, None);
    harness::wait_until("the server to give up", || (!kept.alive()).then_some(()));
    fs::read_to_string(said).unwrap()
}

#[test]
fn a_store_that_is_broken_or_gone_is_told_at_the_start() {
    let mut server = Server::stored();
    server.api().mount("gone", "kv");
    server.api().put("gone/a", json!({ "v": 1 })).expect(204);
    // Killed: what was acknowledged last is in the log, not yet in the database.
    server.kill();
    let database = server.folder().join("data/cofferdam.db");
    let log = server.folder().join("data/cofferdam.db-wal");
    let (whole, newest) = (fs::read(&database).unwrap(), fs::read(&log).unwrap());
    assert!(!newest.is_empty(), "nothing is in the log");
    fs::write(&database, "").unwrap();
    let said = refusal(&server);
    assert!(said.contains("cofferdam.db is missing or empty") && said.contains("put it back"), "{said}");
    fs::remove_file(&database).unwrap();
    assert_eq!(refusal(&server), said);
    assert_eq!(fs::read(&log).unwrap(), newest, "the log was thrown away");
    assert!(!database.exists(), "a new store was begun");

    fs::remove_file(&log).unwrap();
    fs::write(&database, "no database, whatever its name says, and longer than the head of one that is none").unwrap();
    let said = refusal(&server);
    assert!(said.contains("damaged: restore it from a backup"), "{said}");

    fs::write(&database, whole).unwrap();
    fs::write(&log, newest).unwrap();
    server.start_again();
    server.unseal();
    assert_eq!(server.api().get("gone/a").expect(200)["data"]["v"], 1, "put back, it is all there");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let server = Server::stored();
    let folder = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(server.folder().join("server.hcl")).unwrap();
    let address = server.url().trim_start_matches("http://");
    let other = folder.path().join("server.hcl");
    fs::write(&other, config.replace(address, "127.0.0.1:0")).unwrap();
    let mut command = std::process::Command::new(harness::binary());
    command.arg("server").arg(format!("-config={}", other.display()));
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut second = harness::Kept::start(&mut command, None);
    harness::wait_until("the second server to give up", || (!second.alive()).then_some(()));
    server.api().get("sys/mounts").expect(200);
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let mut server = Server::stored();
    let api = server.api();
    api.mount("full", "kv");
    api.put("full/before", json!({ "v": "before" })).expect(204);
    server.limit_files(Some(2_048));
    server.restart();

    let body = json!({ "v": "x".repeat(64 << 10) });
    let mut written = 0;
    let refused = loop {
        let Ok(reply) = api.try_send("PUT", &format!("full/{written}"), Some(body.clone())) else { break None };
        if !reply.is_ok() {
            break Some(reply);
        }
        written += 1;
        assert!(written < 10_000, "the limit was never met");
    };
    if let Some(reply) = refused {
        assert!((500..600).contains(&reply.status), "{}: {}", reply.status, reply.body);
        let said = reply.body["errors"].to_string();
        assert!(!said.contains("xxxx"), "an error shows what was to be written");
    }
    server.kill();

    server.limit_files(None);
    server.start_again();
    server.unseal();
    assert_eq!(api.get("full/before").expect(200)["data"]["v"], "before");
    for n in 0..written {
        assert_eq!(api.get(&format!("full/{n}")).expect(200)["data"], body, "entry {n} was acknowledged");
    }
    api.put("full/after", json!({ "v": "after" })).expect(204);
}

#[test]
fn compiled_code_that_was_tampered_with_is_not_run() {
    let mut server = Server::stored();
    let api = server.api();
    api.mount("cached", "kv");
    api.put("cached/a", json!({ "v": 1 })).expect(204);
    let engines = api.get("sys/sandbox").expect(200)["data"]["engines"].clone();
    let kv = engines.as_array().unwrap().iter().find(|e| e["type"] == "kv").unwrap()["digest"].clone();
    server.stop();
    let is_kv = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with(kv.as_str().unwrap());
    let file = files(&server.folder().join("data/compiled")).into_iter().find(is_kv).expect("a file to tamper with");
    let mut tampered = fs::read(&file).unwrap();
    let middle = tampered.len() / 2;
    tampered[middle] ^= 1;
    fs::write(&file, &tampered).unwrap();
    server.start_again();
    server.unseal();
    assert_eq!(api.get("cached/a").expect(200)["data"]["v"], 1);
    assert!(fs::read(&file).unwrap() != tampered, "{} was taken as it was", file.display());
}
