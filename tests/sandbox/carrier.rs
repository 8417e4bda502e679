//! An engine whose instances are kept between calls, and that carries along whatever it saw.

use harness::Postgres;
use serde_json::json;

use crate::arena::arena;

/// What the instance that answers had seen before.
fn seen(path: &str) -> Vec<String> {
    let told = arena().attack(path, json!({})).expect(200);
    told["data"]["seen"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_it_remembers_is_of_one_backend_of_one_mount() {
    let port = Postgres::shared().port();
    for mount in ["carrier-a", "carrier-b"] {
        arena().mount_with_backend(mount, "carrier", port);
        arena().configure(mount, "other", port).expect(204);
    }
    let places = ["carrier-a/attack/pg", "carrier-a/attack/other", "carrier-b/attack/pg", "carrier-b/attack/other"];
    let mut carried = 0;
    for _ in 0..10 {
        for path in places {
            let own = path.replacen("attack/", "", 1);
            for earlier in seen(path) {
                assert!(earlier.starts_with(&own), "{path} knows of {earlier:?}");
                carried += 1;
            }
            assert!(seen("carrier-a/other").is_empty(), "a call without a backend continued another one");
        }
    }
    assert!(carried > 0, "no instance was kept: nothing was tried");
}

#[test]
fn what_it_remembers_ends_with_the_secret_and_with_the_configuration() {
    let port = Postgres::shared().port();
    arena().mount_with_backend("carrier-c", "carrier", port);
    let (attack, secret) = ("carrier-c/attack/pg", "carrier-c/secret/pg");
    let kept = || assert!((0..10).any(|_| !seen(attack).is_empty()), "no instance was kept: nothing was tried");
    for password in ["first", "second"] {
        kept();
        arena().attack(secret, json!({ "password": password })).expect(200);
        let mut earlier: Vec<String> = (0..5).flat_map(|_| seen(attack)).collect();
        earlier.retain(|text| !text.contains(password));
        assert!(earlier.is_empty(), "after the secret was changed: {earlier:?}");
    }
    kept();
    // Nobody listens there, and nobody has to.
    arena().configure("carrier-c", "pg", 1).expect(204);
    assert!(seen(attack).is_empty(), "after the address was changed");
    kept();
    arena().api().delete("carrier-c/config/pg").expect(204);
    arena().configure("carrier-c", "pg", port).expect(204);
    assert!(seen(attack).is_empty(), "after the configuration was deleted and written again");
}
