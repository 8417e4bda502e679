//! An engine that reaches for what nobody granted. What is granted it reaches: each refusal here has its twin.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use harness::Postgres;
use serde_json::json;

use crate::arena::arena;

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
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("[::1]:{port}"),
        format!("0.0.0.0:{port}"),
        format!("127.0.0.2:{granted}"),
        arena().listener().to_owned(),
        "169.254.169.254:80".to_owned(),
        "[fd00:ec2::254]:80".to_owned(),
        "[64:ff9b::a9fe:a9fe]:80".to_owned(),
        "1.1.1.1:443".to_owned(),
    ] {
        assert!(!done("net-other/reach/pg/connect", &address), "{address} was reached");
    }
    trap.is_untouched();
    arena().neighbour_is_well();
}

#[test]
fn no_name_is_looked_up_that_was_not_granted() {
    let port = Postgres::shared().port();
    arena().mount_with_backend("net-names", "network", port);
    for name in ["localhost", "secret.localhost", "example.org", "2130706433", "0x7f.1", "127.1"] {
        assert!(!done("net-names/reach/pg/look-up", &format!("{name}:{port}")), "{name} was looked up");
        assert!(!done("net-names/reach/pg/connect", &format!("{name}:{port}")), "{name} was reached");
    }
}

#[test]
fn a_call_without_a_backend_has_no_network() {
    let port = Postgres::shared().port();
    arena().mount_with_backend("net-alone", "network", port);
    assert!(!done("net-alone/alone/connect", &format!("127.0.0.1:{port}")));
    assert!(!done("net-alone/alone/look-up", &format!("localhost:{port}")));
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
    assert!(!done("net-a/reach/pg/connect", &address.to_string()), "the grant leaked to another backend");
    assert!(!done("net-b/reach/other/connect", &address.to_string()), "the grant leaked to another mount");
    arena().api().delete("net-a/config/other").expect(204);
    assert!(!done("net-a/reach/other/connect", &address.to_string()), "the grant outlived its configuration");
}

#[test]
fn nobody_listens_or_sends_datagrams() {
    let port = Postgres::shared().port();
    arena().mount_with_backend("net-listen", "network", port);
    assert!(!done("net-listen/reach/pg/listen", "127.0.0.1:0"));
    assert!(!done("net-listen/reach/pg/listen", "0.0.0.0:0"));
    assert!(!done("net-listen/reach/pg/datagram", &format!("127.0.0.1:{port}")));
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
        assert!(!done(&format!("net-urls/reach/{name}/connect"), &format!("127.0.0.1:{port}")), "{name} opened a hole");
        assert!(!done(&format!("net-urls/reach/{name}/connect"), "169.254.169.254:80"), "{name} opened a hole");
    }
    trap.is_untouched();
}

#[test]
fn a_socket_ends_with_its_grant() {
    let port = Postgres::shared().port();
    arena().mount_with_backend("net-hold", "network", port);
    assert!(done("net-hold/reach/pg/hold", &format!("127.0.0.1:{port}")), "the twin: a grant that stays");
    let held = thread::scope(|scope| {
        let attack = scope.spawn(|| done("net-hold/reach/pg/hold", &format!("127.0.0.1:{port}")));
        // The attack holds its socket for two seconds before it uses it.
        thread::sleep(Duration::from_millis(700));
        arena().api().delete("net-hold/config/pg").expect(204);
        attack.join().unwrap()
    });
    assert!(!held, "the socket survived its configuration");
}
