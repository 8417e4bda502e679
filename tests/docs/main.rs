//! Runs what the documents tell people to type.

#![allow(missing_docs, reason = "a test binary has no readers of its interface")]

mod blocks;
mod commands;
mod tour;
