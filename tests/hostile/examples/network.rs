//! Reaches for addresses and names that nobody granted.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use hostile_guests::{Attack, Failure, Outcome, Request, Route, field, param, route, told};
use serde_json::{Value, json};

struct Network;

impl Attack for Network {
    const NAME: &'static str = "network";
    const BACKENDS: bool = true;

    fn routes() -> Vec<Route> {
        vec![route("reach/{name}/{how}", Some("{name}")), route("alone/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        told(attempt(param(request, "how"), &field(request, "address")))
    }
}

fn attempt(how: &str, address: &str) -> Value {
    let outcome = match how {
        "connect" => TcpStream::connect(address).map(|_| "connected".to_owned()),
        "look-up" => address.to_socket_addrs().map(|found| format!("{:?}", found.collect::<Vec<_>>())),
        "listen" => TcpListener::bind(address).and_then(|l| l.local_addr()).map(|a| a.to_string()),
        "datagram" => UdpSocket::bind("0.0.0.0:0").and_then(|s| s.send_to(b"x", address)).map(|n| n.to_string()),
        // Waits on a socket that is allowed: perhaps until after the configuration is gone, perhaps for ever.
        "hold" => hold(address),
        "hoard" => hoard(address),
        _ => Err(std::io::Error::other("no such attempt")),
    };
    match outcome {
        Ok(what) => json!({ "done": true, "what": what }),
        Err(error) => json!({ "done": false, "what": error.to_string() }),
    }
}

fn hold(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"held")?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(format!("{answer:?}"))
}

/// As many connections as it can get; all of them must be refused for the attempt to fail.
fn hoard(address: &str) -> std::io::Result<String> {
    let mut held = Vec::new();
    while held.len() < 1_000 {
        match TcpStream::connect(address) {
            Ok(stream) => held.push(stream),
            Err(_) => break,
        }
    }
    Ok(held.len().to_string())
}

hostile_guests::bindings::export_engine!(Network with_types_in hostile_guests::bindings);
