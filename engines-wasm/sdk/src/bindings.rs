//! The generated side of the contract: private, re-exported name by name elsewhere in the crate.
//!
//! Three worlds are generated. `secrets` is the contract's own; `issuance` is what `issuer` adds to it, and `stock` what
//! an issuer may add to that. A component's
//! world is the union of those that its export macro names, so an engine that makes no credentials needs none of the
//! second, and both share one set of types.

/// The world of an engine without credentials.
pub mod secrets {
    wit_bindgen::generate!({
        world: "secrets",
        path: "../../wit",
        pub_export_macro: true,
        export_macro_name: "export_secrets_world",
        default_bindings_module: "engine_sdk::__bindings::secrets",
        additional_derives: [Clone, PartialEq],
    });
}

/// What an engine adds that tells what is in its backends.
pub mod stock {
    wit_bindgen::generate!({
        inline: "
            package cofferdam:engine-sdk;
            world stock {
                export cofferdam:engine/inventory@0.1.0-dev;
            }
        ",
        path: "../../wit",
        with: {
            "cofferdam:engine/types@0.1.0-dev": super::secrets::cofferdam::engine::types,
            "cofferdam:engine/inventory@0.1.0-dev": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_stock_world",
        default_bindings_module: "engine_sdk::__bindings::stock",
        additional_derives: [Clone, PartialEq],
    });
}

/// What an engine with credentials adds.
pub mod issuance {
    wit_bindgen::generate!({
        inline: "
            package cofferdam:engine-sdk;
            world issuance {
                import cofferdam:engine/slots@0.1.0-dev;
                export cofferdam:engine/credentials@0.1.0-dev;
                export cofferdam:engine/rotation@0.1.0-dev;
            }
        ",
        path: "../../wit",
        with: {
            "cofferdam:engine/types@0.1.0-dev": super::secrets::cofferdam::engine::types,
            "cofferdam:engine/slots@0.1.0-dev": generate,
            "cofferdam:engine/credentials@0.1.0-dev": generate,
            "cofferdam:engine/rotation@0.1.0-dev": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_issuance_world",
        default_bindings_module: "engine_sdk::__bindings::issuance",
        additional_derives: [Clone, PartialEq],
    });
}
