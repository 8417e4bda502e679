//! The HTTP client of the command line and the agent: one address, one token, Vault's environment and envelope.
//!
//! The client opens no file by itself: certificates are read through [`Files`], which the program that owns the file
//! authority implements. An address of the form `unix://` is refused.

mod client;
mod config;
mod error;
mod proxy;
mod request;
mod secret;
mod tls;

pub use client::{Client, Response};
pub use config::{Config, DEFAULT_ADDRESS, Environment, variable};
pub use error::{Error, ResponseError, Result};
pub use request::{Method, Request, clean_path};
pub use secret::{Auth, Secret, WrapInfo};
pub use tls::{Files, Tls};
