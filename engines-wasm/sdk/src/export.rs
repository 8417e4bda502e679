//! From the contract's exports to the engine's traits.

use std::marker::PhantomData;

use crate::__bindings::issuance::exports::cofferdam::engine::{credentials, rotation};
use crate::__bindings::secrets::exports::cofferdam::engine::{backend, descriptor, lifecycle};
use crate::host::Imports;
use crate::types::{Description, Ended, Failure, Issued, Lease, Outcome, Renewed, Request};
use crate::{Context, Engine, Issuer, Options};

/// Which world an engine is exported to: the difference is in what its context can reach.
#[doc(hidden)]
pub trait World {
    /// The engine.
    type Engine: Engine;
    /// The context of one call.
    fn context() -> Context;
}

/// An engine in the world `secrets`.
#[doc(hidden)]
pub struct Secrets<T>(PhantomData<T>);

impl<T: Engine> World for Secrets<T> {
    type Engine = T;
    fn context() -> Context {
        Context::new(Imports)
    }
}

/// An engine in the world `issuer`.
#[doc(hidden)]
pub struct Issuing<T>(PhantomData<T>);

impl<T: Issuer> World for Issuing<T> {
    type Engine = T;
    fn context() -> Context {
        Context::with_slots(Imports)
    }
}

impl<W: World> descriptor::Guest for W {
    fn describe(options: Vec<(String, String)>) -> Description {
        W::Engine::describe(Options::new(&options))
    }
}

impl<W: World> lifecycle::Guest for W {
    fn migrate(stored_format: u32) -> Result<(), Failure> {
        W::Engine::migrate(&W::context(), stored_format)
    }
}

impl<W: World> backend::Guest for W {
    fn exists(request: Request) -> Result<bool, Failure> {
        W::Engine::exists(&W::context(), &request)
    }

    fn handle(request: Request) -> Result<Outcome, Failure> {
        W::Engine::handle(&W::context(), &request)
    }
}

impl<W: World<Engine: Issuer>> credentials::Guest for W {
    fn create(intent: Lease, carry: String) -> Result<Issued, Failure> {
        W::Engine::create(&W::context(), &intent, &carry)
    }

    fn renew(lease: Lease) -> Result<Renewed, Failure> {
        W::Engine::renew(&W::context(), &lease)
    }

    fn revoke(leases: Vec<Lease>) -> Vec<Result<Ended, Failure>> {
        W::Engine::revoke(&W::context(), &leases)
    }
}

impl<W: World<Engine: Issuer>> rotation::Guest for W {
    fn propose(slot: String, current: String) -> Result<String, Failure> {
        W::Engine::propose(&W::context(), &slot, &current)
    }

    fn apply(slot: String, current: String, candidate: String) -> Result<(), Failure> {
        W::Engine::apply(&W::context(), &slot, &current, &candidate)
    }

    fn prove(slot: String, secret: String) -> Result<(), Failure> {
        W::Engine::prove(&W::context(), &slot, &secret)
    }
}

/// Makes the crate a component of the world `secrets`. Expands to nothing on other targets than wasm32, where the same
/// crate is a library with native tests.
#[macro_export]
macro_rules! export_secrets {
    ($engine:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::__export::Secrets<$engine>;
            $crate::__bindings::secrets::export_secrets_world!(
                Exported with_types_in $crate::__bindings::secrets
            );
        };
    };
}

/// Makes the crate a component of the world `issuer`; otherwise as [`export_secrets!`].
#[macro_export]
macro_rules! export_issuer {
    ($engine:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::__export::Issuing<$engine>;
            $crate::__bindings::secrets::export_secrets_world!(
                Exported with_types_in $crate::__bindings::secrets
            );
            $crate::__bindings::issuance::export_issuance_world!(
                Exported with_types_in $crate::__bindings::issuance
            );
        };
    };
}
