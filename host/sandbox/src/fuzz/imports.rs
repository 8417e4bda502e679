//! Fuzz targets: the keys, names and places that guests ask the host for.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use cofferdam_model::engine::{Grant, GrantOrigin, Protocol};

use super::canonical;
use crate::imports::storage::{is_key, is_prefix};
use crate::net::gate::tests::{Table, border};
use crate::net::gate::{Border, Gate, LookupError};
use crate::net::http::Destination;
use crate::net::http::traffic::Traffic;
use crate::net::ledger::Origin;
use crate::policy::Limits;
use crate::policy::tests::limits;
use crate::target;

/// Keys and prefixes are those of the contract, and no others.
fn keys(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    assert_eq!(is_key(&text).is_ok(), is_inside(&text), "{text:?}");
    let folder = text.strip_suffix('/');
    assert_eq!(is_prefix(&text).is_ok(), text.is_empty() || folder.is_some_and(is_inside), "{text:?}");
}

/// Whether it is short, and a path in its shortest form that leads to something inside, as the system reads paths.
fn is_inside(text: &str) -> bool {
    let plain: PathBuf = Path::new(text).components().filter(|c| matches!(c, Component::Normal(_))).collect();
    (1..=1_024).contains(&text.len()) && !text.contains('\0') && plain.as_os_str() == text
}

/// The first line is the host that is granted, the second the name that is looked up: it is answered where both are
/// one, and nobody is asked for any other.
fn names(input: &[u8]) {
    const FOUND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 5));
    static PLACE: LazyLock<(Table, Arc<Border>, Limits)> = LazyLock::new(|| {
        let table = Table::default();
        let border = border(&table);
        (table, border, limits())
    });
    let input = String::from_utf8_lossy(input);
    let (granted, name) = input.split_once('\n').unwrap_or((&input, ""));
    let Ok(host) = target::host(granted) else { return };
    let (table, border, limits) = &*PLACE;
    table.names.lock().unwrap().clear();
    table.set(&host, &[FOUND]);
    let gate = Gate::shut(Arc::clone(border));
    let grant = Grant { host: host.clone(), port: 5432, protocol: Protocol::Tcp, origin: GrantOrigin::Policy };
    gate.open(Origin::default(), vec![grant], limits, Traffic::none());

    let literal: Option<IpAddr> = host.parse().ok();
    let before = table.asked.load(Ordering::Relaxed);
    let found = at_once(gate.look_up(name));
    let asked = table.asked.load(Ordering::Relaxed) - before;
    assert_eq!(asked, usize::from(found.is_ok() && literal.is_none()), "{name:?} where {host:?} is granted");
    match found {
        Ok(addresses) => {
            assert_eq!(canonical(name.trim_matches(['[', ']'])), host);
            assert_eq!(addresses, [literal.unwrap_or(FOUND)]);
        }
        Err(LookupError::Denied) => assert!(!name.eq_ignore_ascii_case(&host), "{name:?} is granted"),
        Err(error) => panic!("{name:?} where {host:?} is granted: {error:?}"),
    }
}

/// The table answers without waiting.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// The place of a request is the one that a URL parser reads, and has one name.
fn authorities(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for (protocol, scheme) in [(Protocol::Https, "https"), (Protocol::Http, "http")] {
        let Ok(to) = Destination::new(protocol, &text) else { continue };
        assert_eq!(Destination::new(protocol, &to.authority()).as_ref(), Ok(&to), "{text:?}");
        assert!(to.authority().bytes().all(|b| b.is_ascii_graphic()), "{text:?}");
        // A name that claims to be an encoded one, and is none, has no address either.
        let Ok(read) = url::Url::parse(&format!("{scheme}://{text}/path")) else { continue };
        let host = read.host_str().unwrap_or_default().trim_matches(['[', ']']);
        assert_eq!((canonical(host), read.port_or_known_default()), (to.host, Some(to.port)), "{text:?}");
        assert_eq!((read.username(), read.password(), read.path()), ("", None, "/path"), "{text:?}");
    }
}

#[test]
fn keys_hold() {
    cofferdam_fuzz::run("key", keys);
}

#[test]
fn names_hold() {
    cofferdam_fuzz::run("name", names);
}

#[test]
fn authorities_hold() {
    cofferdam_fuzz::run("authority", authorities);
}
