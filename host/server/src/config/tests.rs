//! Configurations as operators write them.

use cofferdam_acl::hcl;

use super::*;

fn read(text: &str) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    config.apply(&hcl::parse(text)?)?;
    config.check()?;
    Ok(config)
}

fn refusal(text: &str) -> String {
    read(text).expect_err(text).to_string()
}

const PRODUCTION: &str = r#"
storage "raft" {
  path    = "/var/lib/vault"
  node_id = "one"
  machine_id = "north-1"
}
listener "tcp" {
  address       = "127.0.0.1:9200"
  tls_cert_file = "/tls/cert.pem"
  tls_key_file  = "/tls/key.pem"
  tls_min_version = "tls13"
  max_request_size = 1024
  max_request_duration = "30s"
  telemetry { unauthenticated_metrics_access = true }
}
listener "tcp" {
  address     = "127.0.0.1:9201"
  tls_disable = 1
}
api_addr          = "https://vault.example:9200"
cluster_addr      = "https://vault.example:9201"
cluster_name      = "north"
default_lease_ttl = "1h"
max_lease_ttl     = "10h"
disable_mlock     = true
ui                = true
log_level         = "debug"
telemetry { prometheus_retention_time = "30s" }
"#;

#[test]
fn what_runs_elsewhere_is_understood() {
    let config = read(PRODUCTION).expect("a good configuration");
    assert_eq!(
        config.store,
        Some(Store::Sqlite { path: "/var/lib/vault".to_owned(), machine_id: Some("north-1".to_owned()) })
    );
    assert_eq!(config.notes.len(), 1, "{:?}", config.notes);
    assert!(config.notes[0].contains("SQLite"));
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!((config.default_lease_ttl, config.max_lease_ttl), (3_600, 36_000));
    assert_eq!((config.cluster_name.as_str(), config.api_addr.as_str()), ("north", "https://vault.example:9200"));
    assert_eq!(config.log_level.as_deref(), Some("debug"));
    assert!(config.swap_is_known, "disable_mlock");
    let [tls, plain] = config.listeners.as_slice() else { panic!("{:?}", config.listeners) };
    let want = TlsFiles {
        certificate: "/tls/cert.pem".to_owned(),
        key: "/tls/key.pem".to_owned(),
        client_ca: None,
        require_client_certificate: false,
        oldest: TlsVersion::V13,
        newest: TlsVersion::V13,
    };
    assert_eq!(tls.tls.as_ref(), Some(&want));
    assert_eq!(tls.max_request_size, Some(1024));
    assert_eq!(tls.max_request_duration, Some(Duration::from_secs(30)));
    assert_eq!((plain.address.port(), plain.tls.as_ref()), (9201, None));
    assert_eq!(plain.max_request_size, Some(32 * 1024 * 1024));
}

#[test]
fn what_engines_may_reach_is_the_operators_word() {
    let usual = read("storage \"inmem\" {}").expect("a good configuration");
    assert_eq!((usual.allow_loopback, usual.backend_ca_file), (true, None));
    let own = "storage \"inmem\" {}\nallow_loopback_backends = false\nbackend_ca_file = \"/tls/ca.pem\"";
    let own = read(own).expect("a good configuration");
    assert_eq!((own.allow_loopback, own.backend_ca_file.as_deref()), (false, Some("/tls/ca.pem")));
    assert_eq!(own.warnings, Vec::<String>::new());
}

#[test]
fn json_means_the_same() {
    let text = r#"{
      "listener": [{"tcp": {"address": "127.0.0.1:0", "tls_disable": true, "max_request_size": -1}}],
      "storage": {"sqlite": {"path": "/data"}},
      "default_lease_ttl": 60, "max_lease_ttl": "120"
    }"#;
    let config = read(text).expect("a good configuration");
    assert_eq!(config.store, Some(Store::Sqlite { path: "/data".to_owned(), machine_id: None }));
    assert_eq!(config.listeners[0].max_request_size, None);
    assert_eq!((config.default_lease_ttl, config.max_lease_ttl), (60, 120));
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    for (text, want) in [
        (r#"storage "consul" { path = "x" }"#, "consul"),
        (r#"storage "sqlite" {}"#, "path is required"),
        (r#"listener "unix" { address = "/run/x" }"#, "unix"),
        (r#"listener "tcp" { address = "127.0.0.1:1" }"#, "tls_cert_file and tls_key_file"),
        (r#"listener "tcp" { tls_disable = "maybe" }"#, "tls_disable"),
        (r#"listener "tcp" { tls_min_version = "tls09" tls_disable = true }"#, "tls09"),
        (r#"listener "tcp" { tls_max_version = "tls11" tls_disable = true }"#, "tls11"),
        (
            "storage \"inmem\" {}\nstorage \"sqlite\" { path = \"x\" }",
            "line 2: storage \"sqlite\": there is another one",
        ),
        ("storage \"inmem\" {}\nbackend \"inmem\" {}", "there is another one"),
        (r#"listener "tcp" { tls_disable = true address = "no such host at all:1" }"#, "no such host"),
        (r#"seal "awskms" { kms_key_id = "k" }"#, "awskms"),
        (r#"default_lease_ttl = "2h" max_lease_ttl = "1h""#, "greater than max_lease_ttl"),
        (r#"default_lease_ttl = "soon""#, "default_lease_ttl"),
        (
            r#"listener "tcp" { tls_cert_file = "c" tls_key_file = "k" tls_require_and_verify_client_cert = true }"#,
            "tls_client_ca_file",
        ),
    ] {
        assert!(refusal(text).contains(want), "{text}: {}", refusal(text));
    }
    assert!(read(r#"seal "shamir" {}"#).is_ok());
}

#[test]
fn the_unknown_is_warned_about_and_the_meaningless_is_not() {
    let text = r#"
        disable_mlock = true
        storagge = "x"
        audit "file" "a" { options { file_path = "/x" } }
        listener "tcp" { tls_disable = true tls_cipher_suites = "x" adress = "y" }
        storage "sqlite" { path = "/x" sync = "off" }"#;
    let config = read(text).expect("a usable configuration");
    let warned = config.warnings.join("\n");
    assert_eq!(config.warnings.len(), 5, "{warned}");
    for key in ["storagge", "audit", "tls_cipher_suites", "adress", "sync"] {
        assert!(warned.contains(key), "{key}: {warned}");
    }
}

#[test]
fn protection_that_is_not_there_is_warned_about() {
    let text = r#"
        listener "tcp" {
          tls_cert_file = "c"
          tls_key_file = "k"
          tls_min_version = "tls11"
          redact_version = true
          redact_addresses = true
          redact_cluster_name = false
          custom_response_headers { "default" = { "X-Frame-Options" = ["DENY"] } }
        }"#;
    let config = read(text).expect("a usable configuration");
    assert_eq!(config.listeners[0].tls.as_ref().map(|tls| tls.oldest), Some(TlsVersion::V12));
    let warned = config.warnings.join("\n");
    assert_eq!(config.warnings.len(), 4, "{warned}");
    for key in ["tls_min_version", "redact_version", "redact_addresses", "custom_response_headers"] {
        assert!(warned.contains(key), "{key}: {warned}");
    }
}

#[test]
fn addresses_to_listen_on() {
    for (text, want) in [
        ("127.0.0.1:8200", "127.0.0.1:8200"),
        (":8200", "0.0.0.0:8200"),
        ("[::1]:80", "[::1]:80"),
        ("127.0.0.1", "127.0.0.1:8200"),
        ("[::]", "[::]:8200"),
    ] {
        assert_eq!(resolve(text).expect(text).to_string(), want);
    }
    assert!(resolve("127.0.0.1:http").is_err());
}

#[test]
fn files_and_directories_are_merged_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let base = cap_std::fs::Dir::open_ambient_dir(dir.path(), cap_std::ambient_authority()).expect("it opens");
    let put = |name: &str, text: &str| base.write(name, text).expect("it is written");
    put("one.hcl", "storage \"inmem\" {}\ncluster_name = \"first\"\nlog_level = \"warn\"\n");
    base.create_dir("more").expect("it is made");
    put("more/b.json", r#"{"cluster_name": "third"}"#);
    put("more/a.hcl", "cluster_name = \"second\"\nlistener \"tcp\" { tls_disable = true }\n");
    put("more/ignored.txt", "not a configuration");
    let path = |name: &str| dir.path().join(name).display().to_string();

    let config = load(&[path("one.hcl"), path("more")]).expect("it loads");
    assert_eq!(config.cluster_name, "third");
    assert_eq!(config.log_level.as_deref(), Some("warn"));
    assert_eq!(config.store, Some(Store::Memory));
    assert_eq!(config.listeners.len(), 1);

    put("broken.hcl", "listener \"tcp\" {\n  address = \n}");
    let message = load(&[path("broken.hcl")]).expect_err("a broken file").to_string();
    assert!(message.contains("broken.hcl: line "), "{message}");
    assert!(load(&[path("none.hcl")]).expect_err("no file").to_string().contains("none.hcl"));
}
