//! The gate is asked, and nothing else decides.

use cofferdam_model::engine::GrantOrigin;

use super::*;
use crate::net::gate::tests::Table;
use crate::{Builtin, Compiler, Sandbox, SandboxConfig};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

struct Nobody;

impl Compiler for Nobody {
    fn compile(&self, _: &[u8]) -> std::result::Result<Vec<u8>, String> {
        Err("nothing is loaded here".to_owned())
    }
}

fn catalog(table: &Table) -> std::result::Result<BuiltinCatalog, Box<dyn std::error::Error>> {
    let own = SocketAddr::from(([10, 9, 9, 9], 8200));
    let config =
        SandboxConfig { pool_size: 2, cache: None, shut: vec![own], allow_loopback: true, authorities: Vec::new() };
    let sandbox = Sandbox::with_resolver(config, Box::new(table.clone()))?;
    let database = Builtin {
        kind: "database",
        component: b"not looked at",
        policy: include_str!("../../../../policies/database.toml"),
    };
    let kv = Builtin { kind: "kv", policy: include_str!("../../../../policies/kv.toml"), ..database };
    let mut catalog = BuiltinCatalog::new(sandbox, vec![database])?;
    catalog.add(vec![kv], "in a folder", Arc::new(Nobody))?;
    Ok(catalog)
}

fn grant(host: &str, origin: GrantOrigin) -> Grant {
    Grant { host: host.to_owned(), port: 5432, protocol: Protocol::Tcp, origin }
}

#[tokio::test]
async fn the_gate_says_why() -> Outcome {
    let table = Table::default();
    table.set("db.corp", &[IpAddr::from([10, 0, 0, 5])]);
    table.set("odd.corp", &[IpAddr::from([169, 254, 169, 254])]);
    let catalog = catalog(&table)?;
    let derived = |host: &str| grant(host, GrantOrigin::Derived);
    let grants = [derived("db.corp"), derived("odd.corp"), derived("lost.corp"), derived("169.254.1.1")];
    for (host, port, allowed, reason) in [
        ("db.corp", 5432, true, ""),
        ("DB.corp", 5432, true, ""),
        ("db.corp", 80, false, "no grant names it"),
        ("10.0.0.5", 5432, false, "no grant names it"),
        ("evil.example", 5432, false, "no grant names this host"),
        ("odd.corp", 5432, false, "metadata"),
        ("169.254.1.1", 5432, false, "link-local"),
        ("lost.corp", 5432, false, "not known"),
        ("127.1", 5432, false, "no host name"),
    ] {
        let said = catalog.explain("database", Some(&grants), host, port).await?;
        assert_eq!(said.allowed, allowed, "{host}:{port}: {said:?}");
        assert!(said.reason.unwrap_or_default().contains(reason), "{host}:{port}");
    }
    let own_word = [grant("169.254.1.1", GrantOrigin::Operator)];
    assert!(catalog.explain("database", Some(&own_word), "169.254.1.1", 5432).await?.allowed);
    assert!(!catalog.explain("database", None, "db.corp", 5432).await?.allowed, "no backend");
    assert!(!catalog.explain("kv", Some(&grants), "db.corp", 5432).await?.allowed, "no sockets");
    assert!(catalog.explain("nothing", None, "db.corp", 1).await.is_err());
    assert!(catalog.denials().is_empty() && catalog.reports().is_empty(), "a question leaves no trace");
    Ok(())
}

#[tokio::test]
async fn an_engine_that_does_not_load_says_why() -> Outcome {
    let catalog = catalog(&Table::default())?;
    let kv = Review::engine(&catalog, "kv", false).await.ok_or("no kv")?;
    assert_eq!((kv.policy_origin.as_str(), kv.trouble, kv.imports), ("kv.toml, in a folder", None, None));
    assert_eq!((kv.size, kv.policy.world.as_str()), (13, "secrets"));
    let loaded = Review::engine(&catalog, "kv", true).await.ok_or("no kv")?;
    assert!(loaded.trouble.is_some_and(|t| t.contains("does not load")) && loaded.imports.is_none());
    assert_eq!(loaded.digest, kv.digest);
    assert!(Review::engine(&catalog, "nothing", true).await.is_none());
    Ok(())
}
