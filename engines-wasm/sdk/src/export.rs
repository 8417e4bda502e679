//! From the contract's exports to the engine's traits.

use std::marker::PhantomData;

use crate::__bindings::issuance::exports::cofferdam::engine::{credentials, rotation};
use crate::__bindings::secrets::exports::cofferdam::engine::{backend, descriptor, lifecycle};
use crate::__bindings::stock::exports::cofferdam::engine::inventory;
use crate::types::{Description, Ended, Failure, Issued, Lease, Outcome, Page, Renewed, Request};
use crate::{Context, Engine, Inventory, Issuer, Options};

/// An engine as the contract's exports see it.
#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Engine> descriptor::Guest for Exported<T> {
    fn describe(options: Vec<(String, String)>) -> Description {
        T::describe(Options::new(&options))
    }
}

impl<T: Engine> lifecycle::Guest for Exported<T> {
    fn migrate(stored_format: u32) -> Result<(), Failure> {
        T::migrate(&Context::of_guest(), stored_format)
    }
}

impl<T: Engine> backend::Guest for Exported<T> {
    fn exists(request: Request) -> Result<bool, Failure> {
        T::exists(&Context::of_guest(), &request)
    }

    fn handle(request: Request) -> Result<Outcome, Failure> {
        T::handle(&Context::of_guest(), &request)
    }
}

impl<T: Issuer> credentials::Guest for Exported<T> {
    fn create(intent: Lease, carry: String) -> Result<Issued, Failure> {
        T::create(&Context::of_guest(), &intent, &carry)
    }

    fn renew(lease: Lease) -> Result<Renewed, Failure> {
        T::renew(&Context::of_guest(), &lease)
    }

    fn revoke(leases: Vec<Lease>) -> Vec<Result<Ended, Failure>> {
        T::revoke(&Context::of_guest(), &leases)
    }
}

impl<T: Issuer> rotation::Guest for Exported<T> {
    fn propose(slot: String, current: String) -> Result<String, Failure> {
        T::propose(&Context::of_guest(), &slot, &current)
    }

    fn apply(slot: String, current: String, candidate: String) -> Result<Option<String>, Failure> {
        T::apply(&Context::of_guest(), &slot, &current, &candidate)
    }

    fn prove(slot: String, secret: String) -> Result<(), Failure> {
        T::prove(&Context::of_guest(), &slot, &secret)
    }

    fn retire(slot: String, old: String, new: String) -> Result<Option<String>, Failure> {
        T::retire(&Context::of_guest(), &slot, &old, &new)
    }
}

impl<T: Inventory> inventory::Guest for Exported<T> {
    fn browse(backend: String, mark: String, object: Option<String>, after: Option<String>) -> Result<Page, Failure> {
        T::browse(&Context::of_guest(), &backend, &mark, object.as_deref(), after.as_deref())
    }
}

/// Makes the crate a component of the world `secrets`. Expands to nothing on other targets than wasm32, where the same
/// crate is a library with native tests.
#[macro_export]
macro_rules! export_secrets {
    ($engine:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Component = $crate::__export::Exported<$engine>;
            $crate::__bindings::secrets::export_secrets_world!(
                Component with_types_in $crate::__bindings::secrets
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
            type Component = $crate::__export::Exported<$engine>;
            $crate::__bindings::secrets::export_secrets_world!(
                Component with_types_in $crate::__bindings::secrets
            );
            $crate::__bindings::issuance::export_issuance_world!(
                Component with_types_in $crate::__bindings::issuance
            );
        };
    };
}

/// Beside [`export_issuer!`]: the component tells what is in its backends.
#[macro_export]
macro_rules! export_inventory {
    ($engine:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Component = $crate::__export::Exported<$engine>;
            $crate::__bindings::stock::export_stock_world!(
                Component with_types_in $crate::__bindings::stock
            );
        };
    };
}
