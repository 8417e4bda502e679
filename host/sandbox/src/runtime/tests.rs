//! What the runtime does not even compile.

use wasmtime::component::Component;

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn starts_with_few_and_with_many_instances() -> Outcome {
    for size in [0, 1, 64] {
        engine(size)?;
    }
    Ok(())
}

/// Components of a few lines. The first of each pair uses what is switched off, the second is its harmless twin.
const FEATURES: [(&str, &str, &str); 20] = [
    ("memory64", "(core module (memory i64 1))", "(core module (memory 1))"),
    ("multi-memory", "(core module (memory 1) (memory 1))", "(core module (memory 1))"),
    ("custom page sizes", "(core module (memory 1 (pagesize 1)))", "(core module (memory 1))"),
    (
        "relaxed SIMD",
        "(core module (func (param v128 v128) (result v128)
           (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))",
        "(core module (func (param v128 v128) (result v128) (i8x16.swizzle (local.get 0) (local.get 1))))",
    ),
    (
        "wide arithmetic",
        "(core module (func (param i64 i64 i64 i64) (result i64 i64)
           (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))",
        "(core module (func (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1))))",
    ),
    ("tail calls", "(core module (func $f (return_call $f)))", "(core module (func $f (call $f)))"),
    (
        "stack switching",
        "(core module (type $f (func)) (type $c (cont $f)) (func (param (ref null $c))))",
        "(core module (type $f (func)) (func))",
    ),
    ("exceptions", "(core module (tag $t) (func (throw $t)))", "(core module (func (unreachable)))"),
    ("shared memory", "(core module (memory 1 1 shared))", "(core module (memory 1 1))"),
    (
        "atomics",
        "(core module (memory 1) (func (result i32) (i32.atomic.load (i32.const 0))))",
        "(core module (memory 1) (func (result i32) (i32.load (i32.const 0))))",
    ),
    (
        "function references",
        "(core module (type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0))))",
        "(core module (type $f (func)) (table 1 funcref) (func (call_indirect (type $f) (i32.const 0))))",
    ),
    (
        "GC structures",
        "(core module (type $s (struct (field i32))) (func (drop (struct.new_default $s))))",
        "(core module (func (drop (i32.const 0))))",
    ),
    ("GC integers", "(core module (func (drop (ref.i31 (i32.const 1)))))", "(core module (func (drop (i32.const 1))))"),
    (
        "asynchronous functions",
        "(component (core module $m (memory (export \"mem\") 1) (func (export \"f\")))
           (core instance $i (instantiate $m))
           (func (export \"f\") async (canon lift (core func $i \"f\") async)))",
        "(component (core module $m (func (export \"f\")))
           (core instance $i (instantiate $m)) (func (export \"f\") (canon lift (core func $i \"f\"))))",
    ),
    ("asynchronous built-ins", "(component (core func (canon task.cancel)))", "(component)"),
    ("streams", "(component (type (stream u8)))", "(component (type (list u8)))"),
    ("error contexts", "(component (core func (canon error-context.drop)))", "(component)"),
    ("threads of components", "(component (core func (canon thread.available_parallelism)))", "(component)"),
    (
        "two memories of two modules",
        "(component (core module $m (memory 1)) (core instance (instantiate $m)) (core instance (instantiate $m)))",
        "(component (core module $m (memory 1)) (core instance (instantiate $m)))",
    ),
    ("a memory beyond the largest", "(core module (memory 8193))", "(core module (memory 8192))"),
];

#[test]
fn what_no_engine_needs_does_not_load() -> Outcome {
    let engine = engine(2)?;
    let load = |text: &str| {
        let whole = if text.starts_with("(component") { text.to_owned() } else { instance(text) };
        let bytes = wat::parse_str(&whole).map_err(|e| format!("{text}: {e}"))?;
        Ok::<_, String>(Component::from_binary(&engine, &bytes).map_err(|e| format!("{e:#}")))
    };
    for (name, hostile, twin) in FEATURES {
        let refused = load(hostile)?.err().ok_or_else(|| format!("{name}: it loads"))?;
        assert!(!refused.is_empty());
        load(twin)?.map_err(|e| format!("the twin of {name}: {e}"))?;
    }
    Ok(())
}

/// A component with one instance of the module.
fn instance(module: &str) -> String {
    let named = module.replacen("(core module", "(core module $m", 1);
    format!("(component {named} (core instance (instantiate $m)))")
}
