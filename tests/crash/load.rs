//! Clients that write, ask for credentials and give them back, and remember what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use harness::{Api, Credential, Promised};
use serde_json::json;

/// Running clients.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Promised>>,
}

impl Load {
    /// Starts so many clients.
    pub(crate) fn start(api: &Api, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |number: usize| {
            let (api, stop) = (api.clone(), Arc::clone(&stop));
            thread::spawn(move || work(&api, number, &stop))
        };
        Self { clients: (0..clients).map(client).collect(), stop }
    }

    /// Ends them, and collects what they were promised.
    pub(crate) fn stop(self) -> Promised {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Promised::default();
        for client in self.clients {
            let one = client.join().expect("a client ends well");
            all.written.extend(one.written);
            all.kept.extend(one.kept);
            all.revoked.extend(one.revoked);
            all.undecided.extend(one.undecided);
        }
        all
    }
}

fn work(api: &Api, number: usize, stop: &AtomicBool) -> Promised {
    let mut promised = Promised::default();
    let mut round: u64 = 0;
    while !stop.load(Ordering::SeqCst) {
        round += 1;
        let key = format!("{number}-{round}");
        match api.try_send("PUT", &format!("kv/{key}"), Some(json!({ "round": round }))) {
            Ok(reply) if reply.is_ok() => {
                promised.written.insert(key, round);
            }
            // Down or sealed: it will be back.
            _ => thread::sleep(Duration::from_millis(5)),
        }
        if let Ok(reply) = api.try_send("GET", "db/creds/app", None)
            && reply.is_ok()
        {
            promised.kept.push(Credential::of(&reply.body));
        }
        if round.is_multiple_of(2) && promised.kept.len() > 2 {
            let credential = promised.kept.swap_remove(0);
            let body = json!({ "lease_id": credential.lease, "sync": true });
            match api.try_send("PUT", "sys/leases/revoke", Some(body)) {
                Ok(reply) if reply.is_ok() => promised.revoked.push(credential),
                _ => promised.undecided.push(credential),
            }
        }
    }
    promised
}
