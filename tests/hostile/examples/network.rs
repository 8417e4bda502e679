//! Reaches for addresses and names that nobody granted.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

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
        // Keeps a socket that is allowed, and says something on it later: after the configuration is gone.
        "hold" => hold(address),
        _ => Err(std::io::Error::other("no such attempt")),
    };
    match outcome {
        Ok(what) => json!({ "done": true, "what": what }),
        Err(error) => json!({ "done": false, "what": error.to_string() }),
    }
}

fn hold(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    std::thread::sleep(Duration::from_secs(2));
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(format!("{answer:?}"))
}

hostile_guests::bindings::export_engine!(Network with_types_in hostile_guests::bindings);
