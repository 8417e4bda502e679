//! The yardstick of the benches: the server that the listeners run on, with an answer that is always the same.
//!
//! `static <file>` reads the body from a file, listens on a free port of 127.0.0.1 and prints the
//! address. Every request gets that body and the headers of every answer; nothing is authenticated, looked up or written.
#![expect(clippy::print_stdout, reason = "whoever starts it reads the address")]
#![expect(clippy::disallowed_methods, reason = "a tool of the benches reads a file of theirs")]

#[path = "parts/yardstick.rs"]
mod yardstick;

use axum::Router;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which answer?")?;
    let answer = yardstick::answer(&path)?;
    Ok(yardstick::serve(Router::new().fallback(move || std::future::ready(answer.clone()))).await?)
}
