//! Killed a hundred times while users are made and ended: there is no user without a lease, at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use harness::{Api, Moto, Server, wait_at_most};
use serde_json::json;

use crate::common::{AwsMount, Credential, POLICY, users};

const KILLS: u64 = 100;
const CLIENTS: usize = 3;
/// An undecided create is looked at again after a minute; the rest is for a busy machine.
const SWEPT: Duration = Duration::from_secs(240);

#[test]
fn no_user_is_without_a_lease_over_a_hundred_kills() {
    let moto = Moto::start();
    let mut server = Server::stored();
    let mount = AwsMount::new(&server.api(), "aws", &moto.url());
    mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (api, stop) = (server.api(), Arc::clone(&stop));
            thread::spawn(move || work(&api, &stop))
        })
        .collect();
    for kill in 0..KILLS {
        // Spread over the time that a create or a revocation takes.
        thread::sleep(Duration::from_millis(30 + kill * 37 % 300));
        server.kill();
        server.start_again();
        server.unseal();
    }
    stop.store(true, Ordering::SeqCst);
    let (mut kept, mut revoked) = (Vec::new(), 0);
    for client in clients {
        let (mine, ended) = client.join().expect("a client ends well");
        kept.extend(mine);
        revoked += ended;
    }
    println!("{KILLS} kills; acknowledged: {} users kept, {revoked} revoked", kept.len());
    assert!(kept.len() > 10 && revoked > 0, "there was no load to speak of");

    // A user that appears later has its lease by then.
    let found = users(&moto);
    let leases = mount.leases("app");
    let lonely = |stamp: &str| !leases.iter().any(|lease| stamp.ends_with(lease.as_str()));
    // Those that are still there after their lease was not: a sweep may have ended a user and its lease in between.
    let later = users(&moto);
    let lonely: Vec<_> = found.iter().filter(|user| lonely(&user.1) && later.contains(user)).collect();
    assert!(lonely.is_empty(), "users without a lease: {lonely:?}");
    // Whatever was not handed out goes, and whatever was handed out stays.
    let expected = kept.len();
    wait_at_most(SWEPT, "what nobody was given to go", || (undecided(&mount, &moto) == 0).then_some(()));
    let found = users(&moto);
    assert!(found.len() >= expected, "{} users of {expected}", found.len());
    for credential in &kept {
        let unique = credential.lease.rsplit('/').next().expect("a last part");
        assert!(found.iter().any(|(_, stamp)| stamp.ends_with(unique)), "{} has no user", credential.lease);
    }
    mount.api.put("sys/leases/revoke-prefix/aws", json!({ "sync": true })).expect(204);
    assert_eq!(users(&moto), [], "users are left");
}

/// Users whose lease is not active.
fn undecided(mount: &AwsMount, moto: &Moto) -> usize {
    let active = |stamp: &str| {
        let unique = stamp.rsplit('/').next().expect("a last part");
        let asked = mount.api.put("sys/leases/lookup", json!({ "lease_id": format!("aws/creds/app/{unique}") }));
        asked.status == 200 && asked.body["data"]["renewable"] == true
    };
    users(moto).iter().filter(|(_, stamp)| !active(stamp)).count()
}

fn work(api: &Api, stop: &AtomicBool) -> (Vec<Credential>, usize) {
    let (mut kept, mut revoked, mut round) = (Vec::new(), 0, 0_u32);
    while !stop.load(Ordering::SeqCst) {
        round += 1;
        match api.try_send("GET", "aws/creds/app", None) {
            Ok(reply) if reply.is_ok() => kept.push(Credential::of(&reply.body)),
            // Down or sealed: it will be back.
            _ => thread::sleep(Duration::from_millis(5)),
        }
        if round.is_multiple_of(2) && kept.len() > 2 {
            let credential: Credential = kept.swap_remove(0);
            let body = json!({ "lease_id": credential.lease, "sync": true });
            let asked = api.try_send("PUT", "sys/leases/revoke", Some(body));
            revoked += usize::from(asked.is_ok_and(|reply| reply.is_ok()));
        }
    }
    (kept, revoked)
}
