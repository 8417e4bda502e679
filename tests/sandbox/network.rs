//! An engine that reaches for what nobody granted. What is granted it reaches: each refusal here has its twin.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use harness::Postgres;
use serde_json::json;

use crate::arena::{arena, names_the_culprit};

/// A listener that must never be reached.
struct Trap(TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    #[track_caller]
    fn is_untouched(&self) {
        let visitor = self.0.accept();
        assert_eq!(visitor.expect_err("somebody came through").kind(), ErrorKind::WouldBlock);
    }
}

/// Whether an attempt had its effect. An attempt that ends the call had none.
fn done(path: &str, address: &str) -> bool {
    let reply = arena().attack(path, json!({ "address": address }));
    reply.is_ok() && reply.body["data"]["done"] == true
}

/// That an attempt has no effect, and that reviewers are shown why; `shown` is part of what they read.
#[track_caller]
fn refused(path: &str, address: &str, shown: &str) {
    let came = arena().shows(&format!("{path} with {address}"), shown, || done(path, address));
    assert!(!came, "{path} with {address} had its effect");
}

/// An address as the server writes it.
fn as_shown(address: &str) -> String {
    address.parse::<SocketAddr>().unwrap().to_string()
}

/// The end of an address that every way of writing it has in common.
fn port_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| &address[host.len()..])
}

#[test]
fn what_the_operator_named_is_reached() {
    let port = Postgres::shared().port();
    arena().mount_with_backend("net-granted", "network", port);
    assert!(done("net-granted/reach/pg/connect", &format!("127.0.0.1:{port}")));
}

#[test]
fn no_other_address_is() {
    let trap = Trap::set();
    let granted = Postgres::shared().port();
    arena().mount_with_backend("net-other", "network", granted);
    let port = trap.port();
    for address in [
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        format!("127.0.0.2:{granted}"),
        arena().listener().to_owned(),
        "169.254.169.254:80".to_owned(),
        "[fd00:ec2::254]:80".to_owned(),
        "[64:ff9b::a9fe:a9fe]:80".to_owned(),
        format!("[64:ff9b::7f00:1]:{port}"),
        "100.100.100.200:80".to_owned(),
        "1.1.1.1:443".to_owned(),
    ] {
        refused("net-other/reach/pg/connect", &address, port_of(&address));
    }
    // The runtime takes these for mistakes, before the gate is asked.
    for address in [
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("[::127.0.0.1]:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
        format!("224.0.0.1:{port}"),
        format!("255.255.255.255:{port}"),
        "127.0.0.1:0".to_owned(),
    ] {
        refused("net-other/reach/pg/connect", &address, &format!("connect {}", as_shown(&address)));
    }
    trap.is_untouched();
}

#[test]
fn no_name_is_looked_up_that_was_not_granted() {
    let port = Postgres::shared().port();
    arena().mount_with_backend("net-names", "network", port);
    for name in ["localhost", "secret.localhost", "example.org", "2130706433", "0x7f.1", "127.1"] {
        for how in ["look-up", "connect"] {
            refused(&format!("net-names/reach/pg/{how}"), &format!("{name}:{port}"), &format!("look up {name}"));
        }
    }
}

#[test]
fn a_call_without_a_backend_has_no_network() {
    let port = Postgres::shared().port();
    arena().mount_with_backend("net-alone", "network", port);
    refused("net-alone/alone/connect", &format!("127.0.0.1:{port}"), "the call has no network");
    refused("net-alone/alone/look-up", &format!("localhost:{port}"), "look up localhost");
}

#[test]
fn a_grant_belongs_to_one_backend_of_one_mount() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = elsewhere.local_addr().unwrap();
    let granted = Postgres::shared().port();
    arena().mount_with_backend("net-a", "network", granted);
    arena().mount_with_backend("net-b", "network", granted);
    arena().configure("net-a", "other", address.port()).expect(204);
    assert!(done("net-a/reach/other/connect", &address.to_string()));
    // To another backend, to another mount, beyond its configuration.
    refused("net-a/reach/pg/connect", &address.to_string(), &format!("connect {address}"));
    refused("net-b/reach/other/connect", &address.to_string(), "the call has no network");
    arena().api().delete("net-a/config/other").expect(204);
    refused("net-a/reach/other/connect", &address.to_string(), "the call has no network");
}

#[test]
fn nobody_listens_or_sends_datagrams() {
    let port = Postgres::shared().port();
    arena().mount_with_backend("net-listen", "network", port);
    refused("net-listen/reach/pg/listen", "127.0.0.1:0", "bind 127.0.0.1:0");
    refused("net-listen/reach/pg/listen", "0.0.0.0:0", "listen");
    for address in ["[::ffff:127.0.0.1]:0", "224.0.0.1:0"] {
        refused("net-listen/reach/pg/listen", address, &format!("bind {address}"));
    }
    refused("net-listen/reach/pg/datagram", &format!("127.0.0.1:{port}"), "open a UDP socket");
}

/// A body that names two addresses: the host and the engine take the same one, the last.
#[test]
fn a_member_that_comes_twice_opens_one_address() {
    let trap = Trap::set();
    let (granted, other) = (Postgres::shared().port(), trap.port());
    arena().mount("net-twice", "network");
    let api = arena().api();
    let url = |port| format!(r#""connection_url":"postgresql://u:p@127.0.0.1:{port}/x?sslmode=disable""#);
    let body = format!("{{{},{}}}", url(other), url(granted));
    let headers = [("X-Vault-Token".to_owned(), api.token().to_owned())];
    api.exchange("PUT", "net-twice/config/pg", &headers, Some(body.into_bytes())).unwrap().expect(204);
    let (first, last) = (format!("127.0.0.1:{other}"), format!("127.0.0.1:{granted}"));
    refused("net-twice/reach/pg/connect", &first, &format!("connect {first}"));
    assert!(done("net-twice/reach/pg/connect", &last));
    trap.is_untouched();
}

#[test]
fn addresses_that_say_two_things_are_refused() {
    let trap = Trap::set();
    let granted = Postgres::shared().port();
    arena().mount("net-urls", "network");
    let port = trap.port();
    for (name, url) in [
        ("host", format!("postgresql://u:p@127.0.0.1:{granted}/x?host=127.0.0.1&port={port}")),
        ("hostaddr", format!("postgresql://u:p@127.0.0.1:{granted}/x?hostaddr=127.0.0.2")),
        ("backslash", format!("postgresql://u:p@127.0.0.1:{port}\\@127.0.0.1:{granted}/x")),
        ("list", format!("postgresql://u:p@127.0.0.1:{granted},127.0.0.1:{port}/x")),
        ("socket", "postgresql://u:p@%2Fvar%2Frun%2Fpostgresql/x".to_owned()),
        ("none", "postgresql:///x".to_owned()),
        ("metadata", "postgresql://u:p@169.254.169.254:80/x".to_owned()),
        ("template", format!("postgresql://u:p@{{{{username}}}}:{port}/x")),
    ] {
        let body = json!({ "connection_url": url });
        let reply = arena().api().put(&format!("net-urls/config/{name}"), body);
        // Where the address is one thing after all, it is stored, and the gate refuses to go there.
        assert!(reply.status == 400 || reply.is_ok(), "{name}: {} {}", reply.status, reply.body);
        for address in [format!("127.0.0.1:{port}"), "169.254.169.254:80".to_owned()] {
            refused(&format!("net-urls/reach/{name}/connect"), &address, "");
        }
    }
    trap.is_untouched();
}

/// A backend that the test plays itself, mounted and configured at `mount`.
fn own_backend(mount: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    arena().mount_with_backend(mount, "network", address.port());
    (listener, address.to_string())
}

/// The next visitor, after it said that it holds its socket.
fn visitor(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let mut said = [0; 4];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"held");
    stream
}

#[test]
fn a_socket_ends_with_its_grant() {
    let (listener, address) = own_backend("net-hold");
    let hold = || done("net-hold/reach/pg/hold", &address);
    thread::scope(|scope| {
        let twin = scope.spawn(hold);
        visitor(&listener).write_all(b"!").unwrap();
        assert!(twin.join().unwrap(), "a grant that stays");
        let withdraw = || {
            let attack = scope.spawn(hold);
            let mut held = visitor(&listener);
            arena().api().delete("net-hold/config/pg").expect(204);
            // The server ends the socket: there is nobody left to take the answer.
            assert!(matches!(held.read(&mut [0]), Ok(0) | Err(_)), "the socket survived its configuration");
            assert!(!attack.join().unwrap(), "the call went on without its configuration");
        };
        arena().shows("net-hold/", "call ended: withdrawn: ", withdraw);
    });
}

#[test]
fn a_backend_that_never_answers_holds_one_call_until_its_deadline() {
    let (listener, address) = own_backend("net-wait");
    let wait = || {
        thread::scope(|scope| {
            let attack = scope.spawn(|| arena().attack("net-wait/reach/pg/hold", json!({ "address": address })));
            let held = visitor(&listener);
            names_the_culprit(&attack.join().unwrap(), "net-wait/");
            drop(held);
        });
    };
    arena().shows("net-wait/", "call ended: deadline: ", wait);
}

#[test]
fn connections_are_counted() {
    let (_listener, address) = own_backend("net-hoard");
    let hoard = || arena().attack("net-hoard/reach/pg/hoard", json!({ "address": address }));
    let reply = arena().shows("net-hoard/", "the call has used up its sockets", hoard);
    // The policy allows four.
    assert!(!reply.is_ok() || reply.body["data"]["what"] == "4", "{}", reply.body);
}

#[test]
fn a_named_backend_is_reached_by_its_name_only_where_the_name_points() {
    let (listener, address) = own_backend("net-named");
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgresql://u:p@localhost:{port}/x?sslmode=disable");
    arena().api().put("net-named/config/named", json!({ "connection_url": url })).expect(204);
    // An address that was never looked up.
    refused("net-named/reach/named/connect", &address, &format!("connect {address}"));
    assert!(done("net-named/reach/named/connect", &format!("localhost:{port}")), "the name itself");
    for name in ["key.localhost", "localhost.localhost", "localhost.example", "xlocalhost"] {
        refused("net-named/reach/named/look-up", &format!("{name}:{port}"), &format!("look up {name}"));
    }
}
