//! The gate without any network: a resolver that answers from a table, and counts what it was asked.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::resolver::Found;
use super::*;
use crate::policy::tests::limits;

/// Answers from a table.
#[derive(Clone, Default)]
pub(crate) struct Table {
    pub(crate) names: Arc<Mutex<HashMap<String, Vec<IpAddr>>>>,
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Table {
    pub(crate) fn set(&self, name: &str, addresses: &[IpAddr]) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), addresses.to_vec());
    }
}

impl Resolver for Table {
    fn resolve(&self, name: String) -> Found {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = self.names.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

pub(crate) fn border(table: &Table) -> Arc<Border> {
    Arc::new(Border {
        shut: Shut { own: vec![SocketAddr::from(([10, 9, 9, 9], 8200))], allow_loopback: true },
        resolver: Box::new(table.clone()),
        ledger: Ledger::default(),
        tls: crate::net::http::tls::client(&[]).unwrap(),
        pool: Pool::default(),
    })
}

fn grant(host: &str, port: u16, origin: GrantOrigin) -> Grant {
    Grant { host: host.to_owned(), port, protocol: Protocol::Tcp, origin }
}

fn open(table: &Table, grants: Vec<Grant>) -> Gate {
    let gate = Gate::shut(border(table));
    gate.open(Origin::default(), grants, &Limits { sockets: 2, ..limits() }, Traffic::none());
    gate
}

fn connects(gate: &Gate, to: &str) -> bool {
    to.parse().is_ok_and(|a| gate.permits(a, SocketAddrUse::TcpConnect))
}

#[tokio::test]
async fn only_granted_names_are_asked_for() {
    let table = Table::default();
    table.set("db.corp", &[IpAddr::from([10, 0, 0, 5])]);
    table.set("secret.db.corp", &[IpAddr::from([10, 0, 0, 6])]);
    let gate = open(&table, vec![grant("db.corp", 5432, GrantOrigin::Derived)]);
    for name in ["secret.db.corp", "evil.example", "corp", "10.0.0.5", "2130706433", "127.1", "0x7f.1", "db.corp.", ""]
    {
        assert_eq!(gate.look_up(name).await, Err(LookupError::Denied), "{name}");
    }
    assert_eq!(table.asked.load(Ordering::Relaxed), 0);
    assert_eq!(gate.look_up("DB.corp").await, Ok(vec![IpAddr::from([10, 0, 0, 5])]));
    assert_eq!(table.asked.load(Ordering::Relaxed), 1);
    assert_eq!(gate.border.ledger.denials().len(), 9);
}

#[tokio::test]
async fn connects_only_to_what_a_look_up_gave() {
    let table = Table::default();
    table.set("db.corp", &[IpAddr::from([10, 0, 0, 5])]);
    let gate = open(&table, vec![grant("db.corp", 5432, GrantOrigin::Derived)]);
    assert!(!connects(&gate, "10.0.0.5:5432"), "never looked up");
    assert!(gate.look_up("db.corp").await.is_ok());
    assert!(connects(&gate, "10.0.0.5:5432"));
    assert!(!connects(&gate, "10.0.0.5:80"), "another port");
    assert!(!connects(&gate, "10.0.0.6:5432"), "another address");
    table.set("db.corp", &[IpAddr::from([10, 0, 0, 6])]);
    assert!(!connects(&gate, "10.0.0.6:5432"), "rebound, but not looked up");
    gate.close();
    assert!(!connects(&gate, "10.0.0.5:5432"), "the call is over");
}

#[tokio::test]
async fn a_name_that_points_at_metadata_is_refused() {
    let table = Table::default();
    for (i, ip) in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "64:ff9b::a9fe:a9fe", "10.9.9.9"]
        .iter()
        .enumerate()
    {
        let name = format!("n{i}.corp");
        table.set(&name, &ip.parse().into_iter().collect::<Vec<_>>());
        for origin in [GrantOrigin::Policy, GrantOrigin::Derived, GrantOrigin::Operator] {
            let gate = open(&table, vec![grant(&name, 8200, origin)]);
            assert_eq!(gate.look_up(&name).await, Err(LookupError::Denied), "{ip} {origin:?}");
            assert!(!connects(&gate, &format!("[{ip}]:8200")), "{ip}");
        }
    }
}

#[tokio::test]
async fn of_a_mixed_answer_only_the_open_addresses_remain() {
    let table = Table::default();
    table.set("db.corp", &[IpAddr::from([169, 254, 169, 254]), IpAddr::from([10, 0, 0, 5])]);
    let gate = open(&table, vec![grant("db.corp", 80, GrantOrigin::Derived)]);
    assert_eq!(gate.look_up("db.corp").await, Ok(vec![IpAddr::from([10, 0, 0, 5])]));
    assert!(!connects(&gate, "169.254.169.254:80"));
}

#[test]
fn literals_need_no_look_up_and_only_operators_open_what_is_shut() {
    let table = Table::default();
    let gate = open(&table, vec![grant("10.0.0.7", 5432, GrantOrigin::Derived)]);
    assert!(connects(&gate, "10.0.0.7:5432"));
    assert!(connects(&gate, "[::ffff:10.0.0.7]:5432"));
    assert!(!connects(&gate, "10.0.0.7:5433"));
    let gate = open(&table, vec![grant("169.254.169.254", 80, GrantOrigin::Derived)]);
    assert!(!connects(&gate, "169.254.169.254:80"));
    let gate = open(&table, vec![grant("169.254.169.254", 80, GrantOrigin::Operator)]);
    assert!(connects(&gate, "169.254.169.254:80"));
}

#[test]
fn nothing_but_outgoing_tcp() -> Result<(), Box<dyn std::error::Error>> {
    let table = Table::default();
    let gate = open(&table, vec![grant("10.0.0.7", 5432, GrantOrigin::Operator)]);
    let wildcard: SocketAddr = "0.0.0.0:0".parse()?;
    assert!(gate.permits(wildcard, SocketAddrUse::TcpBind));
    assert!(gate.permits("[::]:0".parse()?, SocketAddrUse::TcpBind));
    assert!(!gate.permits("0.0.0.0:80".parse()?, SocketAddrUse::TcpBind));
    assert!(!gate.permits("127.0.0.1:0".parse()?, SocketAddrUse::TcpBind));
    for purpose in [
        SocketAddrUse::TcpListen,
        SocketAddrUse::TcpAccept,
        SocketAddrUse::UdpBind,
        SocketAddrUse::UdpSend,
        SocketAddrUse::UdpReceive,
    ] {
        assert!(!gate.permits("10.0.0.7:5432".parse()?, purpose), "{purpose:?}");
        assert!(!gate.permits(wildcard, purpose), "{purpose:?}");
    }
    let none = open(&table, Vec::new());
    assert!(!none.permits(wildcard, SocketAddrUse::TcpBind), "a call without grants has no sockets");
    Ok(())
}

#[test]
fn sockets_are_counted() {
    let gate = open(&Table::default(), Vec::new());
    assert!(gate.take_socket());
    assert!(gate.take_socket());
    assert!(!gate.take_socket());
}

#[tokio::test]
async fn a_flood_of_attempts_is_counted_and_not_listed() {
    let table = Table::default();
    table.set("db.corp", &[IpAddr::from([10, 0, 0, 5])]);
    let gate = open(&table, vec![grant("db.corp", 5432, GrantOrigin::Derived)]);
    for _ in 0..1000 {
        assert!(!connects(&gate, "1.2.3.4:80"));
    }
    assert_eq!(gate.border.ledger.denials().len(), MAX_DENIALS as usize);
    assert_eq!(gate.border.ledger.reports().first().map(|r| r.counts.denials), Some(1000));
    let mut answered = 0;
    while gate.look_up("db.corp").await.is_ok() {
        answered += 1;
    }
    assert_eq!(answered, MAX_LOOKUPS);
}

#[tokio::test]
async fn grants_are_brought_into_one_form() {
    let gate = open(&Table::default(), vec![grant("[::FFFF:10.0.0.7]", 1, GrantOrigin::Operator)]);
    assert_eq!(gate.look_up("10.0.0.7").await, Ok(vec![IpAddr::from([10, 0, 0, 7])]));
    assert!(connects(&gate, "10.0.0.7:1"));
}

#[tokio::test]
async fn what_is_granted_to_http_is_not_open_to_sockets() {
    let table = Table::default();
    table.set("api.corp", &[IpAddr::from([10, 0, 0, 5])]);
    for protocol in [Protocol::Https, Protocol::Http] {
        let of = |host: &str| Grant { protocol, ..grant(host, 443, GrantOrigin::Operator) };
        let gate = open(&table, vec![of("api.corp"), of("10.0.0.7")]);
        assert_eq!(gate.look_up("api.corp").await, Err(LookupError::Denied));
        assert!(!connects(&gate, "10.0.0.5:443"));
        assert!(!connects(&gate, "10.0.0.7:443"));
    }
}
