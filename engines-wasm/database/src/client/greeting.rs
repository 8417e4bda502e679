//! Whether a server speaks PostgreSQL's protocol at all.
//!
//! sqlx believes the length that a message begins with, and makes room for it. Where a web server or an SSH server
//! listens, that length is made of letters: a gigabyte and more, which ends the instance, and nobody knows any longer
//! what became of the call. With TLS the first answer is one byte, so this is only asked where there is none.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Error;

/// The request for TLS: its length, and the code that no version of the protocol has.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Asks over a connection of its own, and leaves the server as it was.
///
/// # Errors
/// Unreachable: nobody there, or somebody else.
pub(super) async fn check(address: SocketAddr) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::unreachable(format!("connection failed: {error}"));
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.write_all(&REQUEST).await.map_err(failed)?;
    // Longer than the answer: what else is there belongs to another protocol.
    let mut answer = [0; 16];
    let length = stream.read(&mut answer).await.map_err(failed)?;
    if length == 0 {
        return Err(Error::unreachable("connection failed: the server closed it without an answer"));
    }
    if is_postgres(&answer[..length]) {
        return Ok(());
    }
    Err(Error::unreachable(format!("what listens at {address} does not answer as PostgreSQL does")))
}

/// "S": TLS may begin. "N": there is none. Nothing follows either.
fn is_postgres(answer: &[u8]) -> bool {
    matches!(answer, b"S" | b"N")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_postgres_answers_with_one_letter() {
        for answer in [&b"S"[..], b"N"] {
            assert!(is_postgres(answer));
        }
        let others =
            [&b"SSH-2.0-OpenSS"[..], b"HTTP/1.1 400 B", b"E", b"\x4a\x00\x00\x00\x0a8.0", b"", b"-ERR unknown", b"NN"];
        for answer in others {
            assert!(!is_postgres(answer), "{answer:?}");
        }
    }
}
