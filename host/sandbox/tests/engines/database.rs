//! The database engine in the sandbox, with a listener in place of a database: what it reaches and what it does not.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cofferdam_model::SecretText;
use cofferdam_model::engine::{
    BackendAccess, CallError, Catalog as _, ConnectionLimits, Engine, EngineRequest, Grant, GrantOrigin, Protocol,
    Target,
};
use cofferdam_model::request::Operation;
use tokio::net::TcpListener;

use super::memory::{Memory, call};
use super::support::{Outcome as Done, catalog, component};

const POLICY: &str = include_str!("../../../../policies/database.toml");

/// A database that hangs up on everybody, and how many came.
async fn listener() -> std::io::Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let visitors = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&visitors);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    Ok((address, visitors))
}

/// What a configuration's write gives its call.
fn backend(host: &str, port: u16, grants: Vec<Grant>) -> BackendAccess {
    BackendAccess {
        name: "pg".to_owned(),
        target: Some(Target {
            generation: 1,
            host: host.to_owned(),
            port,
            location: url(host, port),
            endpoints: Vec::new(),
        }),
        grants,
        connections: ConnectionLimits::default(),
        secret: None,
    }
}

fn url(host: &str, port: u16) -> String {
    format!("postgresql://{{{{username}}}}:{{{{password}}}}@{host}:{port}/app?sslmode=disable")
}

/// Why the engine would not store the configuration: nobody there speaks its protocol.
async fn refusal(engine: &dyn Engine, host: &str, port: u16, grants: Vec<Grant>) -> Result<String, String> {
    let fields = serde_json::json!({
        "plugin_name": "postgresql-database-plugin",
        "connection_url": url(host, port),
        "username": "admin",
        "password": "hunter22hunter22",
        "allowed_roles": ["*"],
    });
    let request = EngineRequest {
        operation: Operation::Create,
        path: "config/pg".to_owned(),
        route: "config/{name}".to_owned(),
        params: vec![("name".to_owned(), "pg".to_owned())],
        fields: fields.to_string(),
    };
    let mut call = call(&Arc::new(Memory::default()), &[], Some(backend(host, port, grants)));
    call.secrets = vec![SecretText::new("hunter22hunter22")];
    match engine.handle(call, request, None).await {
        Err(CallError::Failure(failure)) => Ok(failure.message),
        other => Err(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reaches_its_grant_and_nothing_else() -> Done {
    let (sandbox, catalog) = catalog("database", component("engine-database")?, POLICY)?;
    let engine = catalog.engine("database").await?.ok_or("no engine")?;
    let description = engine.describe("m/", &[]).await?;
    assert!(description.find("config/pg").is_some_and(|(r, _)| r.backend.as_deref() == Some("{name}")));
    assert!(!description.kinds.is_empty());
    assert!(engine.names_targets("config/{name}") && !engine.names_targets("roles/{name}"));

    let (address, visitors) = listener().await?;
    let port = address.port();
    let derived =
        |host: &str, port| Grant { host: host.to_owned(), port, protocol: Protocol::Tcp, origin: GrantOrigin::Derived };
    let beside = if port == u16::MAX { 1 } else { port + 1 };
    for (host, grants) in [
        ("127.0.0.1", vec![]),
        ("127.0.0.1", vec![derived("127.0.0.1", beside)]),
        ("127.0.0.1", vec![derived("localhost", port)]),
        ("localhost", vec![]),
        ("localhost", vec![derived("127.0.0.1", port)]),
        ("localhost", vec![derived("localhost", beside)]),
    ] {
        let said = refusal(engine.as_ref(), host, port, grants).await?;
        assert!(!said.contains("hunter22"), "{said}");
    }
    assert_eq!(visitors.load(Ordering::SeqCst), 0, "nobody may have come");
    assert_eq!(sandbox.reports().first().map(|r| r.counts.connections), Some(0));
    assert!(sandbox.denials().iter().any(|d| d.mount == "m/" && d.attempt == "look up localhost"));
    assert!(sandbox.denials().iter().any(|d| d.attempt == format!("connect 127.0.0.1:{port}")));

    for (i, host) in ["127.0.0.1", "localhost"].into_iter().enumerate() {
        refusal(engine.as_ref(), host, port, vec![derived(host, port)]).await?;
        assert!(visitors.load(Ordering::SeqCst) > i, "the grant of {host} opens the way");
    }
    Ok(())
}
