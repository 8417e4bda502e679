//! Hostile engines, each in a compartment of one server: what they try has no effect, and their neighbour keeps answering.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and writes files of its own"
)]

mod arena;
mod aws_twin;
mod carrier;
mod compile;
mod component;
mod cpu;
mod describe_loop;
mod greedy;
mod http;
mod lies;
mod memory;
mod neighbour;
mod network;
mod output;
mod peek;
mod plan;
mod policy;
mod reply;
mod residue;
mod start;
mod storage;
mod trap;
mod turncoat;
mod view;

mod guests {
    //! Written by the build script: a guest without a module of tests does not compile.
    #![allow(unused_imports, reason = "that they can be imported is all that is asked")]
    include!(concat!(env!("OUT_DIR"), "/guests.rs"));
}

#[test]
fn every_hostile_engine_has_a_policy() {
    for guest in guests::GUESTS {
        let policy = harness::hostile_engines().join(format!("{guest}.toml"));
        assert!(policy.is_file(), "{} is missing", policy.display());
    }
}
