//! The built-in engines: components that the build script compiled, and the policies under which they run.

use cofferdam_sandbox::Builtin;

/// Everything that can be mounted without registering anything.
pub(crate) fn builtins() -> Vec<Builtin> {
    vec![
        Builtin {
            kind: "kv",
            component: include_bytes!(concat!(env!("OUT_DIR"), "/kv.wasm")),
            policy: include_str!("../../../policies/kv.toml"),
        },
        Builtin {
            kind: "database",
            component: include_bytes!(concat!(env!("OUT_DIR"), "/database.wasm")),
            policy: include_str!("../../../policies/database.toml"),
        },
        Builtin {
            kind: "aws",
            component: include_bytes!(concat!(env!("OUT_DIR"), "/aws.wasm")),
            policy: include_str!("../../../policies/aws.toml"),
        },
    ]
}
