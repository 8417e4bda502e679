//! Tests of deciding: the cases that the peers' answers were recorded for, and those between them.

use super::*;
use crate::template::{AliasField, NoIdentity, Selector};

const NOW: Timestamp = Timestamp(1_000);

fn acl(texts: &[&str]) -> Acl {
    with(texts, &NoIdentity)
}

fn with(texts: &[&str], identity: &dyn Identity) -> Acl {
    let policies: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| Arc::new(Policy::parse(&format!("p{i}"), text).expect("a policy")))
        .collect();
    Acl::new(&policies, identity, NOW)
}

fn ask(operation: Operation, path: &str) -> Ask<'_> {
    Ask { operation, path, data: None, wrap_ttl: None, needs_sudo: false }
}

fn allows(acl: &Acl, operation: Operation, path: &str) -> bool {
    acl.decide(&ask(operation, path)).allowed
}

fn body(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

use Operation::{Create, Delete, Head, Help, List, Patch, Read, Update};

#[test]
fn the_longest_prefix_decides_alone() {
    let acl = acl(&[r#"
        path "m/a/*" { capabilities = ["read","list"] }
        path "m/a/b/*" { capabilities = ["create","update"] }
        path "m/a/b/c/two" { capabilities = ["read"] }
        path "m/z*" { capabilities = ["read"] }
        path "m/z/shut" { capabilities = ["deny"] }"#]);
    for (operation, path, want) in [
        (Read, "m/a/one", true),
        (Read, "/m/a/one", true),
        (Read, "m/a/b/one", false),
        (Read, "m/a/b/c/two", true),
        (Update, "m/a/b/c/two", false),
        (Create, "m/a/b/new", true),
        (Delete, "m/a/b/new", false),
        (Read, "m/z/open", true),
        (Read, "m/z/shut", false),
        (Read, "m/zz", true),
        (Read, "m/z", true),
        (Read, "m/other", false),
        (List, "m/a/", true),
        (List, "m/a/b/", false),
        (List, "m/z/", false),
        (Head, "m/a/one", false),
        (Help, "m/other", true),
        (Patch, "m/a/b/new", false),
    ] {
        assert_eq!(allows(&acl, operation, path), want, "{operation:?} {path}");
    }
    let verdict = acl.decide(&ask(Read, "m/z/shut"));
    assert_eq!((verdict.reason, verdict.pattern), (Reason::Denied, Some("m/z/shut")));
    let verdict = acl.decide(&ask(Read, "m/a/b/x"));
    assert_eq!((verdict.reason, verdict.pattern), (Reason::Lacks(Capability::Read), Some("m/a/b/*")));
    assert_eq!(acl.decide(&ask(Read, "m/other")).reason, Reason::NoRule);
}

#[test]
fn the_later_wildcard_decides_alone() {
    let acl = acl(&[r#"
        path "m/+/b/one" { capabilities = ["read"] }
        path "m/a/+/one" { capabilities = ["update"] }
        path "m/+/open" { capabilities = ["read"] }
        path "m/z/*" { capabilities = ["deny"] }
        path "m/+/+/c/*" { capabilities = ["read"] }"#]);
    for (operation, path, want) in [
        (Read, "m/a/b/one", false),
        (Update, "m/a/b/one", true),
        (Read, "m/z/open", false),
        (Read, "m/y/open", true),
        (Read, "m/y/x/open", false),
        (Read, "m/a/b/c/two", true),
    ] {
        assert_eq!(allows(&acl, operation, path), want, "{operation:?} {path}");
    }
}

#[test]
fn the_same_pattern_adds_up_and_deny_wins() {
    let create = r#"path "m/v/*" { capabilities = ["create"] }"#;
    let update = r#"path "m/v/*" { capabilities = ["update"] }"#;
    let deny = r#"path "m/v/*" { capabilities = ["deny","read"] }"#;
    assert_eq!(acl(&[create]).could_create_or_update("m/v/x"), (true, false));
    assert_eq!(acl(&[update]).could_create_or_update("m/v/x"), (false, true));
    assert_eq!(acl(&[]).could_create_or_update("m/v/x"), (false, false));
    let both = acl(&[create, update]);
    assert_eq!(both.could_create_or_update("m/v/x"), (true, true));
    let verdict = both.decide(&ask(Update, "m/v/x"));
    assert!(verdict.allowed);
    assert_eq!(verdict.granting().collect::<Vec<_>>(), ["p1"]);
    assert!(!allows(&both, Read, "m/v/x"));
    for order in [[create, update, deny], [deny, create, update], [create, deny, update]] {
        let acl = acl(&order);
        assert!(![Create, Update, Read].iter().any(|operation| allows(&acl, *operation, "m/v/x")));
        assert_eq!(acl.capabilities("m/v/x"), ["deny"]);
    }
    let twice = acl(&[&format!("{create}\n{update}")]);
    assert_eq!(twice.capabilities("m/v/x"), ["create", "update"]);
}

#[test]
fn sudo_is_on_top_of_the_verb() {
    let su = |text: &str| acl(&[text]).decide(&Ask { needs_sudo: true, ..ask(List, "auth/token/accessors/") }).reason;
    assert_eq!(
        su(
            r#"path "auth/token/accessors" { capabilities=["list"] } path "auth/token/accessors/" { capabilities=["list"] }"#
        ),
        Reason::Lacks(Capability::Sudo)
    );
    assert_eq!(su(r#"path "auth/token/accessors/" { capabilities=["list","sudo"] }"#), Reason::Granted);
    assert_eq!(su(r#"path "auth/token/accessors" { capabilities=["list","sudo"] }"#), Reason::Granted);
    assert_eq!(su(r#"path "auth/token/accessors/" { capabilities=["sudo"] }"#), Reason::Lacks(Capability::List));
}

#[test]
fn parameters_are_bound() {
    let acl = acl(&[r#"
        path "p1/*" { capabilities=["create","update","read","delete"] allowed_parameters = { "colour" = ["red","b*"] "size" = [] } }
        path "p2/*" { capabilities=["create","update"] denied_parameters = { "Colour" = ["red"] "secret" = [] } }
        path "p3/*" { capabilities=["create","update","delete"] required_parameters = ["owner"] }
        path "p4/*" { capabilities=["create","update"] allowed_parameters = { "*" = [] "colour" = ["red"] } denied_parameters = { "size" = [] } }
        path "p5/*" { capabilities=["create","update"] denied_parameters = { "*" = [] } }
        path "p6/*" { capabilities=["update"] allowed_parameters = { "*" = [] } }"#]);
    for (path, sent, want) in [
        ("p1/x", json!({"colour": "red", "size": "any"}), true),
        ("p1/x", json!({"colour": "blue"}), true),
        ("p1/x", json!({"colour": "green"}), false),
        ("p1/x", json!({"colour": "red", "weight": 1}), false),
        ("p1/x", json!({"COLOUR": "red"}), true),
        ("p1/x", json!({"COLOUR": "green"}), false),
        ("p1/x", json!({}), true),
        ("p2/x", json!({"colour": "blue"}), true),
        ("p2/x", json!({"colour": "red"}), false),
        ("p2/x", json!({"cOLOUR": "red"}), false),
        ("p2/x", json!({"secret": "x"}), false),
        ("p3/x", json!({"v": 1}), false),
        ("p3/x", json!({}), false),
        ("p3/x", json!({"owner": "me"}), true),
        ("p3/x", json!({"Owner": "me"}), false),
        ("p4/x", json!({"colour": "red", "other": "x"}), true),
        ("p4/x", json!({"colour": "blue"}), false),
        ("p4/x", json!({"size": "1"}), false),
        ("p5/x", json!({"anything": 1}), false),
        ("p5/x", json!({}), true),
        ("p6/x", json!({"anything": 1}), true),
    ] {
        let data = body(sent.clone());
        let verdict = acl.decide(&Ask { data: Some(&data), ..ask(Update, path) });
        assert_eq!(verdict.allowed, want, "{path} {sent}: {}", verdict.reason);
    }
    let data = body(json!({"weight": 1}));
    assert!(allows(&acl, Read, "p1/x"));
    assert!(acl.decide(&Ask { data: Some(&data), ..ask(Delete, "p1/x") }).allowed, "a delete is not looked into");
    assert!(allows(&acl, Delete, "p3/x"));
}

#[test]
fn parameters_of_several_policies_merge() {
    let one =
        r#"path "p" { capabilities=["update"] allowed_parameters = { a = ["1"] b = [] } required_parameters = ["a"] }"#;
    let two = r#"path "p" { capabilities=["update"] allowed_parameters = { a = ["2"] b = ["3"] } required_parameters = ["a", "c"] }"#;
    for acl in [acl(&[one, two]), acl(&[two, one])] {
        for (sent, want) in [(json!({"a": "1", "c": 1}), false), (json!({"a": "2", "b": "any"}), false)] {
            let data = body(sent.clone());
            assert_eq!(acl.decide(&Ask { data: Some(&data), ..ask(Update, "p") }).allowed, want, "{sent}");
        }
    }
    let three = r#"path "p" { capabilities=["update"] allowed_parameters = { a = ["2"] b = ["3"] } }"#;
    let acl = acl(&[one, three]);
    for (sent, want) in [
        (json!({"a": "1", "b": "any"}), true),
        (json!({"a": "2"}), true),
        (json!({"a": "3"}), false),
        (json!({"b": "any"}), false),
    ] {
        let data = body(sent.clone());
        assert_eq!(acl.decide(&Ask { data: Some(&data), ..ask(Update, "p") }).allowed, want, "{sent}");
    }
}

#[test]
fn wrapping_is_bound() {
    let limits = r#"path "w" { capabilities=["read"] min_wrapping_ttl="1m" max_wrapping_ttl="1h" }"#;
    let acl1 = acl(&[limits]);
    for (ttl, want) in
        [(None, false), (Some(0), false), (Some(10), false), (Some(60), true), (Some(3600), true), (Some(7200), false)]
    {
        assert_eq!(acl1.decide(&Ask { wrap_ttl: ttl, ..ask(Read, "w") }).allowed, want, "{ttl:?}");
    }
    let shorter = r#"path "w" { capabilities=["read"] max_wrapping_ttl="30s" }"#;
    let impossible = acl(&[limits, shorter]);
    for ttl in [10, 30, 60, 600] {
        assert!(!impossible.decide(&Ask { wrap_ttl: Some(ttl), ..ask(Read, "w") }).allowed, "{ttl}");
    }
}

#[test]
fn templates_are_filled_or_dropped() {
    let text = r#"
        path "t/{{identity.entity.id}}/*" { capabilities=["update"] }
        path "n/{{identity.entity.metadata.team}}/*" { capabilities=["update"] }
        path "m/{{identity.entity.aliases.up_1.name}}" { capabilities=["update"] }"#;
    let eve = |selector: &Selector| match selector {
        Selector::EntityId => Some("e1".to_owned()),
        Selector::Alias { accessor, field: AliasField::Name } if accessor == "up_1" => Some("eve".to_owned()),
        _ => None,
    };
    let acl1 = with(&[text], &eve);
    for (path, want) in [("t/e1/x", true), ("t/other/x", false), ("m/eve", true), ("n/red/x", false), ("n//x", false)] {
        assert_eq!(allows(&acl1, Update, path), want, "{path}");
    }
    let nobody = acl(&[text]);
    assert!(!allows(&nobody, Update, "t/x/x") && !allows(&nobody, Update, "t//x"));
}

#[test]
fn capabilities_are_shown_as_the_peers_do() {
    let acl = acl(&[
        r#"path "c-a/*" { capabilities = ["read"] }"#,
        r#"path "c-a/x" { capabilities = ["create","update","sudo"] } path "c-d/*" { capabilities = ["deny"] }
           path "c-l/" { capabilities = ["list"] } path "c-m" { capabilities = ["list"] } path "c-e" { }"#,
    ]);
    for (path, want) in [
        ("c-a/x", &["create", "sudo", "update"][..]),
        ("c-a/y", &["read"]),
        ("c-d/z", &["deny"]),
        ("c-none", &["deny"]),
        ("c-l", &["deny"]),
        ("c-l/", &["list"]),
        ("c-m/", &["list"]),
        ("c-e", &["deny"]),
    ] {
        assert_eq!(acl.capabilities(path), want, "{path}");
    }
}

#[test]
fn root_stands_above() {
    let root = Arc::new(Policy::parse("root", "").expect("empty"));
    let other = Arc::new(Policy::parse("p", "path \"*\" { capabilities = [\"deny\"] }").expect("a policy"));
    let acl = Acl::new(&[other, root], &NoIdentity, NOW);
    assert!(acl.is_root());
    let verdict = acl.decide(&Ask { needs_sudo: true, ..ask(Delete, "sys/x") });
    assert!(verdict.allowed);
    assert_eq!(verdict.granting().collect::<Vec<_>>(), ["root"]);
    assert_eq!(acl.capabilities("x"), ["root"]);
    assert_eq!(acl.could_create_or_update("x"), (true, true));
    assert_eq!(acl.resultant(), json!({"root": true}));
    assert!(acl.touches("secret/"));
}

#[test]
fn the_resultant_is_what_was_merged() {
    let acl = acl(&[r#"
        path "auth/token/lookup-self" { capabilities = ["read"] }
        path "cubbyhole/*" { capabilities = ["list", "create"] max_wrapping_ttl = 5 allowed_parameters = { a = ["b"] } }
        path "a/+/b*" { capabilities = ["deny"] }"#]);
    assert_eq!(
        acl.resultant(),
        json!({
            "root": false,
            "exact_paths": {"auth/token/lookup-self": {"capabilities": ["read"]}},
            "glob_paths": {
                "cubbyhole/": {
                    "capabilities": ["create", "list"], "max_wrapping_ttl": 5, "allowed_parameters": {"a": ["b"]}
                },
                "a/+/b": {"capabilities": ["deny"]}
            }
        })
    );
}

#[test]
fn a_mount_is_touched_by_any_grant_in_it() {
    for (text, want) in [
        (r#"path "secret/data/a" { capabilities = ["read"] }"#, true),
        (r#"path "secret/data/a" { capabilities = ["deny"] }"#, false),
        (r#"path "secret/data/a" { }"#, false),
        (r#"path "secret/data/*" { capabilities = ["read"] }"#, true),
        (r#"path "secret" { capabilities = ["read"] }"#, true),
        (r#"path "secrets/a" { capabilities = ["read"] }"#, false),
        (r#"path "sec*" { capabilities = ["read"] }"#, true),
        (r#"path "*" { capabilities = ["read"] }"#, true),
        (r#"path "*" { capabilities = ["read"] } path "secret/*" { capabilities = ["deny"] }"#, false),
        (r#"path "*" { capabilities = ["deny"] } path "secret/x*" { capabilities = ["read"] }"#, true),
        (r#"path "+/data/x" { capabilities = ["read"] }"#, true),
        (r#"path "+/data/x" { capabilities = ["read"] } path "secret/*" { capabilities = ["deny"] }"#, false),
        (r#"path "secret/+/x" { capabilities = ["read"] } path "secret/*" { capabilities = ["deny"] }"#, true),
        (r#"path "secret/a/+" { capabilities = ["read"] } path "secret/*" { capabilities = ["deny"] }"#, true),
        (r#"path "other/+" { capabilities = ["read"] }"#, false),
    ] {
        assert_eq!(acl(&[text]).touches("secret/"), want, "{text}");
    }
    assert!(!acl(&[]).touches("secret/"));
}

#[test]
fn expired_stanzas_do_not_count() {
    let text = r#"
        path "old" { capabilities = ["read"] expiration = "1970-01-01T00:00:00Z" }
        path "new" { capabilities = ["read"] expiration = "2970-01-01T00:00:00Z" }
        path "always" { capabilities = ["read"] }"#;
    let acl1 = acl(&[text]);
    assert!(!allows(&acl1, Read, "old") && allows(&acl1, Read, "new") && allows(&acl1, Read, "always"));
    assert!(acl1.valid_until().is_some_and(|until| until > NOW));
    assert_eq!(acl(&[r#"path "a" { }"#]).valid_until(), None);
}

#[test]
fn pages_are_bound() {
    let text =
        r#"path "l/" { capabilities = ["list"] pagination_limit = 10 list_scan_response_keys_filter_path = "d" }"#;
    let acl1 = acl(&[text]);
    let verdict = acl1.decide(&ask(List, "l/"));
    assert_eq!((verdict.allowed, verdict.page_limit, verdict.list_filter), (true, Some(10), Some("d")));
    for (limit, want) in [
        (json!(10), true),
        (json!("3"), true),
        (json!(11), false),
        (json!(0), false),
        (json!(-1), false),
        (json!("x"), false),
    ] {
        let data = body(json!({"limit": limit}));
        let verdict = acl1.decide(&Ask { data: Some(&data), ..ask(List, "l/") });
        assert_eq!((verdict.allowed, verdict.page_limit), (want, None), "{limit}");
    }
    let strict = acl(&[text, r#"path "l/" { required_parameters = ["limit"] }"#]);
    assert_eq!(strict.decide(&ask(List, "l/")).reason, Reason::Parameter("limit".into()));
}

#[test]
fn lookups_agree_with_a_plain_search() {
    // Every pattern and path of up to three segments over a small alphabet, against the rules said in one breath.
    let words = ["a", "b", "ab", "+", "a*", "*"];
    let mut state = 7u64;
    let mut draw = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % n
    };
    for _ in 0..3_000 {
        let patterns: Vec<String> = (0..=draw(6))
            .map(|_| (0..=draw(3)).map(|_| words[draw(words.len())]).collect::<Vec<_>>().join("/"))
            .filter(|p| !p.contains("+*"))
            .collect();
        let text: String = patterns.iter().map(|p| format!("path \"{p}\" {{ capabilities = [\"read\"] }}\n")).collect();
        let acl = acl(&[&text]);
        for _ in 0..10 {
            let path = (0..=draw(3)).map(|_| ["a", "b", "ab", ""][draw(4)]).collect::<Vec<_>>().join("/");
            let path = path.trim_start_matches('/');
            let got = acl.decide(&ask(Read, path)).pattern.map(str::to_owned);
            assert_eq!(got, search(&patterns, path), "{patterns:?} {path}");
        }
    }
}

/// The winner by the letter of the rules, without any index.
fn search(patterns: &[String], path: &str) -> Option<String> {
    let exact = |p: &&String| !p.ends_with('*') && !p.split('/').any(|part| part == "+");
    if let Some(found) = patterns.iter().filter(exact).find(|p| *p == path) {
        return Some(found.clone());
    }
    let matches = |p: &&String| {
        let stem = p.strip_suffix('*');
        let want: Vec<_> = stem.unwrap_or(p).split('/').collect();
        let have: Vec<_> = path.split('/').collect();
        let fits = |(i, part): (usize, &&str)| {
            *part == "+" || *part == have[i] || (stem.is_some() && i + 1 == want.len() && have[i].starts_with(part))
        };
        have.len() >= want.len() && (stem.is_some() || have.len() == want.len()) && want.iter().enumerate().all(fits)
    };
    let key = |p: &&String| {
        let stem = p.strip_suffix('*').unwrap_or(p);
        let mut at = 0;
        let mut first = stem.len();
        for part in stem.split('/') {
            if part == "+" {
                first = at;
                break;
            }
            at += part.len() + 1;
        }
        let pluses = stem.split('/').filter(|part| *part == "+").count();
        (first, !p.ends_with('*'), usize::MAX - pluses, stem.len(), stem.to_owned())
    };
    patterns.iter().filter(|p| !exact(p)).filter(matches).max_by_key(key).cloned()
}
