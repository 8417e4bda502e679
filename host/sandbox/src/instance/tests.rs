//! Limits, on components made of a few lines of text.

use std::time::Duration;

use cofferdam_model::engine::Lane;
use tokio::time::timeout;
use wasmtime::{ResourceLimiter as _, Trap};

use super::*;
use crate::SandboxError;
use crate::component::prepare;
use crate::policy::Policy;
use crate::sandbox::{Sandbox, SandboxConfig};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for what must end by itself.
const LONG: Duration = Duration::from_secs(60);

fn sandbox() -> Result<Arc<Sandbox>, SandboxError> {
    Sandbox::new(SandboxConfig {
        pool_size: 2,
        cache: None,
        shut: Vec::new(),
        allow_loopback: true,
        authorities: Vec::new(),
    })
}

fn policy(limits: &str) -> Result<Policy, SandboxError> {
    Policy::parse("kv", &format!("engine = 'kv'\nworld = 'secrets'\n[limits]\n{limits}"))
}

/// A component with one module, and its function `run`.
fn module(body: &str) -> String {
    format!(
        "(component (core module $m {body}) (core instance $i (instantiate $m))
         (func (export \"run\") (result u32) (canon lift (core func $i \"run\"))))"
    )
}

struct Guest {
    sandbox: Arc<Sandbox>,
    policy: Policy,
    pre: InstancePre<State>,
}

fn guest(sandbox: &Arc<Sandbox>, text: &str, limits: &str) -> Result<Guest, Box<dyn std::error::Error>> {
    let policy = policy(limits)?;
    let (_, pre) = prepare(&sandbox.linker, &sandbox.cache, &policy, &wat::parse_str(text)?, None)?;
    Ok(Guest { sandbox: Arc::clone(sandbox), policy, pre })
}

impl Guest {
    async fn start(&self) -> Result<Compartment, wasmtime::Error> {
        let Some(slot) = self.sandbox.slot(Lane::Serve).await else { return Err(wasmtime::Error::msg("no slot")) };
        let border = Arc::clone(&self.sandbox.border);
        Compartment::start(&self.sandbox.engine, &self.pre, border, &self.policy.limits, slot)
            .await
            .map_err(|e| e.error)
    }
}

async fn run(compartment: &mut Compartment) -> wasmtime::Result<u32> {
    let run = compartment.instance.get_typed_func::<(), (u32,)>(&mut compartment.store, "run")?;
    Ok(run.call_async(&mut compartment.store, ()).await?.0)
}

#[tokio::test]
async fn a_spin_ends_at_its_processor_time() -> Outcome {
    let spin = module("(func (export \"run\") (result i32) (loop (br 0)) unreachable)");
    let mut compartment = guest(&sandbox()?, &spin, "cpu_ms = 50")?.start().await?;
    let error = timeout(LONG, run(&mut compartment)).await?.err().ok_or("it came back")?;
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Interrupt));
    Ok(())
}

#[tokio::test]
async fn a_spin_gives_way_to_the_deadline() -> Outcome {
    let spin = module("(func (export \"run\") (result i32) (loop (br 0)) unreachable)");
    let mut compartment = guest(&sandbox()?, &spin, "cpu_ms = 3600000")?.start().await?;
    assert!(timeout(Duration::from_millis(100), run(&mut compartment)).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_looping_start_function_ends_too() -> Outcome {
    let start = module("(func $s (loop (br 0))) (start $s) (func (export \"run\") (result i32) (i32.const 1))");
    let sandbox = sandbox()?;
    let error = guest(&sandbox, &start, "cpu_ms = 50")?.start().await.err().ok_or("it started")?;
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Interrupt));
    let patient = guest(&sandbox, &start, "cpu_ms = 3600000")?;
    assert!(timeout(Duration::from_millis(100), patient.start()).await.is_err());
    Ok(())
}

#[tokio::test]
async fn memory_ends_at_the_limit() -> Outcome {
    // Grows page by page and tells how many pages it has in the end.
    let grow = module(
        "(memory 1) (func (export \"run\") (result i32)
           (block (loop (br_if 1 (i32.eq (memory.grow (i32.const 1)) (i32.const -1))) (br 0))) (memory.size))",
    );
    let mut compartment = guest(&sandbox()?, &grow, "memory_mib = 2")?.start().await?;
    assert!(!compartment.store.data().growth.was_refused());
    assert_eq!(run(&mut compartment).await?, 32);
    assert!(compartment.store.data().growth.was_refused());
    Ok(())
}

#[tokio::test]
async fn tables_end_at_the_limit() -> Outcome {
    // Grows by a thousand entries and tells how many it has in the end.
    let grow = module(
        "(table 0 funcref) (func (export \"run\") (result i32)
           (block (loop (br_if 1 (i32.eq (table.grow (ref.null func) (i32.const 1000)) (i32.const -1))) (br 0)))
           (table.size))",
    );
    let mut compartment = guest(&sandbox()?, &grow, "")?.start().await?;
    assert_eq!(run(&mut compartment).await?, 50_000);
    // The pool's slots end there too: what stands before them is asked by itself.
    let growth = &mut compartment.store.data_mut().growth;
    assert!(growth.table_growing(49_999, 50_000, None)?);
    assert!(!growth.table_growing(50_000, 50_001, None)?);
    Ok(())
}

#[tokio::test]
async fn what_can_never_start_is_refused_at_load() -> Outcome {
    let sandbox = sandbox()?;
    let refused = |text: &str| guest(&sandbox, text, "memory_mib = 2").err().map(|e| e.to_string()).unwrap_or_default();
    let large = refused(&module("(memory 64) (func (export \"run\") (result i32) (i32.const 1))"));
    assert!(large.contains("larger from the beginning"), "{large}");
    let memories = refused(
        "(component (core module $m (memory 1)) (core instance (instantiate $m)) (core instance (instantiate $m)))",
    );
    assert!(memories.contains("2 Wasm linear memories"), "{memories}");
    let tables = "(core instance (instantiate $m))".repeat(5);
    let tables = refused(&format!("(component (core module $m (table 1 funcref)) {tables})"));
    assert!(tables.contains("5 tables"), "{tables}");
    let modules = "(core instance (instantiate $m))".repeat(17);
    let modules = refused(&format!("(component (core module $m) {modules})"));
    assert!(modules.contains("17 core module instances"), "{modules}");
    let import = refused("(component (import \"wasi:sockets/tcp@0.2.0\" (instance)))");
    assert!(import.contains("does not allow the import wasi:sockets/tcp@0.2.0"), "{import}");
    let unknown = refused("(component (import \"evil:kit/escape\" (instance)))");
    assert!(unknown.contains("evil:kit/escape"), "{unknown}");
    for feature in [
        "(core module (memory i64 1))",
        "(core module (memory 1) (memory 1))",
        "(core module (func $f (return_call $f)))",
        "(core module (memory 1 1 shared))",
    ] {
        assert!(refused(&format!("(component {feature})")).contains("does not load"), "{feature}");
    }
    assert!(refused("(component (core module (func)))").is_empty(), "the twin: nothing wrong");
    Ok(())
}

#[tokio::test]
async fn the_same_text_many_times_is_not_copied_out() -> Outcome {
    // A list of so many times the same four KiB, which a guest of two MiB can hold.
    let list = |entries: u32| {
        format!(
            "(component (core module $m (memory (export \"mem\") 32)
               (func (export \"run\") (result i32) (local $i i32)
                 (loop
                   (i32.store offset=65540 (i32.mul (local.get $i) (i32.const 8)) (i32.const 4096))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br_if 0 (i32.lt_u (local.get $i) (i32.const {entries}))))
                 (i32.store (i32.const 8192) (i32.const 65536))
                 (i32.store (i32.const 8196) (i32.const {entries}))
                 (i32.const 8192)))
             (core instance $i (instantiate $m))
             (func (export \"run\") (result (list string)) (canon lift (core func $i \"run\") (memory (core memory $i \"mem\")))))"
        )
    };
    let sandbox = sandbox()?;
    for (entries, fits) in [(100, true), (100_000, false)] {
        let mut compartment = guest(&sandbox, &list(entries), "")?.start().await?;
        let run = compartment.instance.get_typed_func::<(), (Vec<String>,)>(&mut compartment.store, "run")?;
        assert_eq!(run.call_async(&mut compartment.store, ()).await.is_ok(), fits, "{entries}");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_of_an_instance_for_the_next() -> Outcome {
    let sandbox = sandbox()?;
    // Fills 1 MiB, having looked whether it was empty.
    let dirty = module(
        "(memory 16) (func (export \"run\") (result i32) (local $p i32) (local $seen i32)
           (loop
             (local.set $seen (i32.or (local.get $seen) (i32.load (local.get $p))))
             (i32.store (local.get $p) (i32.const -1))
             (local.set $p (i32.add (local.get $p) (i32.const 4)))
             (br_if 0 (i32.lt_u (local.get $p) (i32.const 1048576))))
           (local.get $seen))",
    );
    let guest = guest(&sandbox, &dirty, "")?;
    for _ in 0..8 {
        let mut compartment = guest.start().await?;
        assert_eq!(run(&mut compartment).await?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_slot_is_free_once_the_instance_is_gone() -> Outcome {
    let sandbox = sandbox()?;
    let guest = guest(&sandbox, &module("(func (export \"run\") (result i32) (i32.const 7))"), "")?;
    let mut first = guest.start().await?;
    assert!(timeout(Duration::from_millis(50), guest.start()).await.is_err(), "the other slot only revokes");
    assert_eq!(run(&mut first).await?, 7);
    drop(first);
    assert_eq!(run(&mut guest.start().await?).await?, 7);
    Ok(())
}

mod kept {
    //! Instances that wait for their next call.

    use cofferdam_model::SecretText;
    use cofferdam_model::engine::{BackendAccess, ConnectionLimits, GrantOrigin, Protocol, Target};

    use super::*;
    use crate::memory::{Memory, call};

    fn key(change: impl FnOnce(&mut BackendAccess)) -> Option<WarmKey> {
        let mut backend = BackendAccess {
            name: "pg".to_owned(),
            target: Some(Target {
                generation: 1,
                host: "db".to_owned(),
                port: 1,
                location: String::new(),
                endpoints: Vec::new(),
            }),
            grants: vec![Grant {
                host: "db".to_owned(),
                port: 1,
                protocol: Protocol::Tcp,
                origin: GrantOrigin::Derived,
            }],
            connections: ConnectionLimits::default(),
            secret: Some(SecretText::new("{}")),
        };
        change(&mut backend);
        WarmKey::of(&call(&Arc::new(Memory::default()), &[], Some(backend)))
    }

    fn usual(guest: &Guest) -> Allowance {
        Allowance::of(ConnectionLimits::default(), None, &guest.policy.limits)
    }

    async fn one(sandbox: &Arc<Sandbox>, limits: &str) -> Result<(Guest, Compartment), Box<dyn std::error::Error>> {
        let guest = guest(sandbox, &module("(func (export \"run\") (result i32) (i32.const 7))"), limits)?;
        let compartment = guest.start().await?;
        Ok((guest, compartment))
    }

    #[tokio::test]
    async fn only_the_same_world_is_continued() -> Outcome {
        let sandbox = sandbox()?;
        let (guest, compartment) = one(&sandbox, "warm = true").await?;
        let (kept, digest) = (&sandbox.kept, Arc::from("d"));
        let same = key(|_| {}).ok_or("no key")?;
        kept.check_in(&digest, same.clone(), compartment, &usual(&guest), &guest.policy.limits);
        for other in [
            key(|b| b.name = "other".to_owned()),
            key(|b| b.target.iter_mut().for_each(|t| t.generation = 2)),
            key(|b| b.target = None),
            key(|b| b.grants.clear()),
            key(|b| b.grants.iter_mut().for_each(|g| g.origin = GrantOrigin::Operator)),
            key(|b| b.secret = Some(SecretText::new("{\"a\":1}"))),
        ] {
            assert!(kept.check_out("d", &other.ok_or("no key")?).is_none());
        }
        assert!(kept.check_out("another digest", &same).is_none());
        assert!(kept.check_out("d", &same).is_some());
        assert!(kept.check_out("d", &same).is_none(), "checked out exclusively");
        assert!(WarmKey::of(&call(&Arc::new(Memory::default()), &[], None)).is_none(), "no backend, no connection");
        Ok(())
    }

    #[tokio::test]
    async fn they_go_when_their_world_does() -> Outcome {
        let sandbox = sandbox()?;
        let same = key(|_| {}).ok_or("no key")?;
        let kept = &sandbox.kept;
        let is_kept = |limits: &'static str, end: fn(&Kept)| {
            let (sandbox, same) = (Arc::clone(&sandbox), same.clone());
            async move {
                let (guest, compartment) = one(&sandbox, limits).await?;
                sandbox.kept.check_in(&Arc::from("d"), same.clone(), compartment, &usual(&guest), &guest.policy.limits);
                end(&sandbox.kept);
                Ok::<_, Box<dyn std::error::Error>>(sandbox.kept.check_out("d", &same).is_some())
            }
        };
        assert!(is_kept("warm_instances = 1", |_| {}).await?);
        assert!(is_kept("", |k| k.forget_mount("another")).await?);
        assert!(!is_kept("", |k| k.forget_mount("a1")).await?);
        assert!(is_kept("", |k| k.forget_target("a1", "pg", 0)).await?, "an earlier generation");
        assert!(!is_kept("", |k| k.forget_target("a1", "pg", 1)).await?);
        assert!(!is_kept("", |k| assert!(k.evict())).await?);
        assert!(!is_kept("warm_instances = 0", |_| {}).await?);
        assert!(!is_kept("warm_lifetime_s = 0", |_| {}).await?);
        assert!(!is_kept("warm_idle_s = 0", |_| {}).await?);
        assert!(!kept.evict(), "nothing is left");
        Ok(())
    }

    #[tokio::test]
    async fn a_backend_keeps_no_more_than_it_may_whatever_they_know() -> Outcome {
        // A pool in which nobody has to make way for the next one.
        let config = SandboxConfig {
            pool_size: 16,
            cache: None,
            shut: Vec::new(),
            allow_loopback: true,
            authorities: Vec::new(),
        };
        let sandbox = Sandbox::new(config)?;
        let digest = Arc::from("d");
        let (old, new, other) = (key(|_| {}), key(|b| b.secret = None), key(|b| b.name = "other".to_owned()));
        let (old, new, other) = (old.ok_or("no key")?, new.ok_or("no key")?, other.ok_or("no key")?);
        for key in [&old, &old, &new, &other] {
            let (guest, compartment) = one(&sandbox, "warm = true").await?;
            let two = Allowance { idle: 2, ..usual(&guest) };
            sandbox.kept.check_in(&digest, key.clone(), compartment, &two, &guest.policy.limits);
        }
        let has = |key: &WarmKey| sandbox.kept.check_out("d", key);
        assert!(has(&new).is_none(), "there are two already");
        sandbox.kept.trim(&new, 1);
        assert!(has(&old).is_some(), "one may stay");
        assert!(has(&old).is_none(), "the other had to go");
        assert!(has(&other).is_some(), "another backend is not concerned");
        Ok(())
    }

    #[tokio::test]
    async fn they_make_way_for_calls() -> Outcome {
        let sandbox = sandbox()?;
        let (guest, compartment) = one(&sandbox, "warm = true").await?;
        let same = key(|_| {}).ok_or("no key")?;
        sandbox.kept.check_in(&Arc::from("d"), same.clone(), compartment, &usual(&guest), &guest.policy.limits);
        let mut next = timeout(LONG, guest.start()).await??;
        assert_eq!(run(&mut next).await?, 7);
        assert!(sandbox.kept.check_out("d", &same).is_none());
        Ok(())
    }
}
