//! Which addresses are shut for grants that no operator wrote as a literal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What is shut besides the classes of addresses below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shut {
    /// The server's own listeners and its store.
    pub(crate) own: Vec<SocketAddr>,
    /// Whether a database beside the server may be reached.
    pub(crate) allow_loopback: bool,
}

impl Shut {
    /// Why the address is shut, if it is. The address must be canonical.
    pub(crate) fn reason(&self, ip: IpAddr, port: u16) -> Option<&'static str> {
        if ip.is_loopback() && !self.allow_loopback {
            return Some("loopback is closed on this server");
        }
        if self.is_own(ip, port) {
            return Some("it belongs to this server itself");
        }
        class(ip)
    }

    fn is_own(&self, ip: IpAddr, port: u16) -> bool {
        self.own.iter().filter(|own| own.port() == port).any(|own| {
            let own = own.ip().to_canonical();
            own == ip || (own.is_unspecified() && is_local(ip)) || (own.is_loopback() && ip.is_loopback())
        })
    }
}

/// Whether the address is one of this machine: only then can it be bound. Nothing is sent.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

/// Why no backend lives at such an address. Private networks and loopback are fine.
fn class(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => class_v4(ip),
        IpAddr::V6(ip) => class_v6(ip),
    }
}

fn class_v4(ip: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, d] = ip.octets();
    match [a, b, c, d] {
        [0, ..] => Some("it is in 0.0.0.0/8"),
        [169, 254, 169, 254] | [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => {
            Some("it is a cloud's metadata address")
        }
        [169, 254, ..] => Some("it is link-local"),
        [224..=239, ..] => Some("it is multicast"),
        [240..=255, ..] => Some("it is reserved or broadcast"),
        _ => None,
    }
}

fn class_v6(ip: Ipv6Addr) -> Option<&'static str> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => None,
        [0, 0, 0, 0, 0, 0, _, _] => Some("it is unspecified or IPv4-compatible"),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            Some("it is a cloud's metadata address")
        }
        [0x64, 0xff9b, ..] => Some("it is NAT64"),
        [0x2002, ..] => Some("it is 6to4"),
        [0x2001, 0, ..] => Some("it is Teredo"),
        [0xfe80..=0xfebf, ..] => Some("it is link-local"),
        [0xfec0..=0xfeff, ..] => Some("it is site-local"),
        [0xff00..=0xffff, ..] => Some("it is multicast"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(shut: &Shut, text: &str, port: u16) -> Option<&'static str> {
        let ip: IpAddr = text.parse().ok()?;
        shut.reason(ip.to_canonical(), port)
    }

    #[test]
    fn metadata_and_special_networks_are_shut() {
        let shut = Shut { own: Vec::new(), allow_loopback: true };
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.1.1",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "fd00:ec2::254",
            "fd20:ce::254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:a9fe:a9fe::",
            "2001::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(reason(&shut, ip, 80).is_some(), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "127.0.0.1",
            "::1",
            "8.8.8.8",
            "2001:db8::1",
            "fd12::1",
            "100.64.0.1",
        ] {
            assert_eq!(reason(&shut, ip, 5432), None, "{ip}");
        }
    }

    #[test]
    fn loopback_can_be_closed() {
        let shut = Shut { own: Vec::new(), allow_loopback: false };
        for ip in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(reason(&shut, ip, 5432).is_some(), "{ip}");
        }
    }

    #[test]
    fn own_addresses_are_shut_on_every_name_of_this_machine() -> Result<(), Box<dyn std::error::Error>> {
        let shut = Shut { own: vec!["0.0.0.0:8200".parse()?, "10.1.1.1:5432".parse()?], allow_loopback: true };
        assert!(reason(&shut, "127.0.0.1", 8200).is_some());
        assert!(reason(&shut, "::ffff:127.0.0.1", 8200).is_some());
        assert!(reason(&shut, "127.0.0.1", 8201).is_none());
        assert!(reason(&shut, "10.1.1.1", 5432).is_some());
        assert!(reason(&shut, "10.1.1.2", 5432).is_none());
        assert!(reason(&shut, "8.8.8.8", 8200).is_none());
        Ok(())
    }
}
