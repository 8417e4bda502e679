//! Killed a hundred times while users are made and ended: there is no user without a lease, at any time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use harness::{Api, Moto, Server, wait_at_most};
use serde_json::json;

use crate::common::{AwsMount, Credential, POLICY};

const KILLS: u64 = 100;
const CLIENTS: usize = 3;
/// Of one client.
const KEPT: usize = 4;
/// How long an answer may take on a busy machine.
const ANSWERED: Duration = Duration::from_secs(60);
/// An undecided create is looked at again after a minute; the rest is for a busy machine.
const SWEPT: Duration = Duration::from_secs(240);

#[test]
fn no_user_is_without_a_lease_over_a_hundred_kills() {
    // One of its own: many users make the others' questions slow.
    let moto = Moto::start();
    let mut server = Server::stored_for_aws();
    let mount = AwsMount::new(&server.api(), "aws", &moto.url());
    mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    let (stop, given) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (api, stop, given) = (server.api(), Arc::clone(&stop), Arc::clone(&given));
            thread::spawn(move || work(&api, &stop, &given))
        })
        .collect();
    for kill in 0..KILLS {
        // On a busy machine too, some are given or taken back in between.
        let before = given.load(Ordering::SeqCst);
        let more = || (given.load(Ordering::SeqCst) > before).then_some(());
        if kill.is_multiple_of(2) {
            wait_at_most(ANSWERED, "a user to be given or taken back", more);
        }
        // Spread over the time that a create or a revocation takes.
        thread::sleep(Duration::from_millis(kill * 37 % 300));
        server.crash_and_recover();
    }
    stop.store(true, Ordering::SeqCst);
    let (mut kept, mut revoked) = (Vec::new(), 0);
    for client in clients {
        let (mine, ended) = client.join().expect("a client ends well");
        kept.extend(mine);
        revoked += ended;
    }
    println!("{KILLS} kills; acknowledged: {} users kept, {revoked} revoked", kept.len());
    assert!(kept.len() > CLIENTS && revoked > 0, "there was no load to speak of");

    // Whatever was not handed out goes, and whatever was handed out stays.
    let mut lonely = Vec::new();
    let swept = || {
        lonely = undecided(&mount, &moto);
        lonely.is_empty().then_some(())
    };
    let swept = catch_unwind(AssertUnwindSafe(|| wait_at_most(SWEPT, "what nobody was given to go", swept)));
    assert!(swept.is_ok(), "{} users are nobody's, as {:?}", lonely.len(), lonely.first());
    let found = mount.users(&moto);
    for credential in &kept {
        let unique = credential.lease.rsplit('/').next().expect("a last part");
        assert!(found.iter().any(|(_, stamp)| stamp.ends_with(unique)), "{} has no user", credential.lease);
    }
    mount.api.put("sys/leases/revoke-prefix/aws", json!({ "sync": true })).expect(204);
    assert_eq!(mount.users(&moto), [], "users are left");
}

/// Users whose lease is not active: what nobody was given, or what has no lease at all.
fn undecided(mount: &AwsMount, moto: &Moto) -> Vec<(String, String)> {
    let leases = mount.leases("app");
    let of_lease = |stamp: &str| leases.iter().any(|lease| stamp.ends_with(lease.as_str()));
    mount.users(moto).into_iter().filter(|(_, stamp)| !of_lease(stamp)).collect()
}

fn work(api: &Api, stop: &AtomicBool, given: &AtomicUsize) -> (Vec<Credential>, usize) {
    let (mut kept, mut revoked) = (Vec::new(), 0);
    while !stop.load(Ordering::SeqCst) {
        match api.try_send("GET", "aws/creds/app", None) {
            Ok(reply) if reply.is_ok() => {
                kept.push(Credential::of(&reply.body));
                given.fetch_add(1, Ordering::SeqCst);
            }
            // Down or sealed: it will be back.
            _ => thread::sleep(Duration::from_millis(5)),
        }
        if kept.len() > KEPT {
            let credential: Credential = kept.swap_remove(0);
            let body = json!({ "lease_id": credential.lease, "sync": true });
            let asked = api.try_send("PUT", "sys/leases/revoke", Some(body));
            let ended = usize::from(asked.is_ok_and(|reply| reply.is_ok()));
            revoked += ended;
            given.fetch_add(ended, Ordering::SeqCst);
        }
    }
    (kept, revoked)
}
