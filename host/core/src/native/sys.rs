//! `sys`, unsealed: one table, one file a family.

mod capabilities;
mod fence;
mod internal;
mod inventory;
mod keys;
mod leases;
pub(crate) mod metrics;
mod mount_info;
mod mounts;
mod passwords;
mod policies;
mod pool;
mod remount;
mod sandbox;
mod seal;
mod tools;
mod tune;

use std::sync::OnceLock;

use super::{NativeRoute, Routes};

pub(super) fn routes() -> &'static [NativeRoute] {
    static ROUTES: OnceLock<Vec<NativeRoute>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        let families: [fn(Routes) -> Routes; 15] = [
            seal::routes,
            fence::routes,
            mounts::routes,
            remount::routes,
            policies::routes,
            passwords::routes,
            capabilities::routes,
            leases::routes,
            internal::routes,
            sandbox::routes,
            inventory::routes,
            pool::routes,
            metrics::routes,
            keys::routes,
            tools::routes,
        ];
        families.into_iter().fold(Routes::default(), |table, family| family(table)).done()
    })
}
