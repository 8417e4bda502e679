//! Tests of the HCL reader and printer.

use super::*;

fn one(text: &str) -> Value {
    parse(&format!("x = {text}")).unwrap().items.remove(0).value
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[test]
fn reads_attributes_and_blocks() {
    let body = parse(
        r#"
        # a comment
        listener "tcp" { address = "127.0.0.1:8200" tls_disable = 1 }  // another
        storage "sqlite" {
            path = "/var/lib/x", /* and
            a third */ sync = true
        }
        a "b" c { } ui = false api_addr = "http://x"
        "#,
    )
    .unwrap();
    let seen: Vec<_> = body.items.iter().map(|i| (i.key.as_str(), i.labels.len(), i.line)).collect();
    assert_eq!(seen, [("listener", 1, 3), ("storage", 1, 4), ("a", 2, 8), ("ui", 0, 8), ("api_addr", 0, 8)]);
    let listeners = body.labelled("listener").unwrap();
    assert_eq!((listeners[0].label, listeners[0].line), ("tcp", 3));
    assert_eq!(listeners[0].body.attr_str("address").unwrap().as_deref(), Some("127.0.0.1:8200"));
    assert_eq!(listeners[0].body.attr_bool("tls_disable").unwrap(), Some(true));
    assert_eq!(body.attr_bool("ui").unwrap(), Some(false));
    assert_eq!(body.attr_bool("raw").unwrap(), None);
}

#[test]
fn members_may_be_separated_by_anything() {
    let want = parse("o = {\n a = 1\n \"b\" = [2, 3]\n c = \"d\"\n}").unwrap();
    for text in [
        "o = { a = 1, \"b\" = [2, 3], c = \"d\" }",
        "o = { a = 1 \"b\" = [2,3,] c = \"d\", }",
        "o = { a = 1\n, \"b\" = [\n2,\n3,\n]\r\n c = \"d\" }",
    ] {
        let strip = |b: &Body| b.items.iter().map(|i| format!("{:?}", read(&i.value))).collect::<Vec<_>>();
        assert_eq!(strip(&parse(text).unwrap()), strip(&want), "{text}");
    }
}

/// A value without its lines.
fn read(value: &Value) -> String {
    match value {
        Value::List(list) => format!("[{}]", list.iter().map(read).collect::<Vec<_>>().join(",")),
        Value::Object(body) => {
            let member = |i: &Item| format!("{}{:?}:{}", i.key, i.labels, read(&i.value));
            format!("{{{}}}", body.items.iter().map(member).collect::<Vec<_>>().join(","))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn reads_values() {
    assert_eq!(one("true"), Value::Bool(true));
    assert_eq!(one("-1.5e3"), Value::Number("-1.5e3".into()));
    assert_eq!(one("0x1F"), Value::Number("0x1F".into()));
    assert_eq!(one("[]"), Value::List(vec![]));
    assert_eq!(one(r#""a\"b\\c\n\tA\x42\103é😀""#), text("a\"b\\c\n\tABCé😀"));
    assert_eq!(one(r#""\ud83d\ude00""#), text("😀"));
    assert_eq!(one(r#""a ${ b "quoted {}" } c""#), text(r#"a ${ b "quoted {}" } c"#));
    assert_eq!(one(r#""{{identity.entity.id}}""#), text("{{identity.entity.id}}"));
    assert_eq!(one("<<EOF\n  a\n\n b\nEOF\n"), text("  a\n\n b\n"));
    assert_eq!(one("<<-EOF\n    a\n\n      b\n    EOF"), text("a\n\n  b\n"));
    assert_eq!(one("<<-EOF\n  a\n    EOF\n"), text("  a\n"));
    assert_eq!(one("[<<EOF\na\nEOF\n, \"b\"]"), Value::List(vec![text("a\n"), text("b")]));
}

#[test]
fn refuses_what_is_no_hcl_with_its_line() {
    for (text, line) in [
        ("a = ", 1),
        ("\na", 2),
        ("\n\na = [1 2]", 3),
        ("a = {", 1),
        ("a = }", 1),
        ("}", 1),
        ("a = \"b\nc\"", 1),
        ("a \"b\" = 1", 1),
        ("= 1", 1),
        ("a = 1.2.3", 1),
        ("a = 1x", 1),
        ("a = -", 1),
        ("a = yes", 1),
        ("a = null", 1),
        ("a = \"\\q\"", 1),
        ("a = \"\\ud800\"", 1),
        ("a = \"\\u12\"", 1),
        ("/* a", 1),
        ("a = <<EOF\nb", 1),
        ("a = << EOF\nb\n EOF", 1),
        ("a = [1,\n2", 2),
        ("a = @", 1),
        ("a = 1 /", 1),
        ("<<EOF\na\nEOF\n = 1", 1),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
    }
}

#[test]
fn json_says_the_same() {
    let hcl = parse("listener \"tcp\" { a = 1 }\nlistener \"unix\" { b = [\"c\", true] }").unwrap();
    let want: Vec<_> = hcl.labelled("listener").unwrap().iter().map(|b| (b.label, read_body(b.body))).collect();
    for text in [
        r#"{"listener": {"tcp": {"a": 1}, "unix": {"b": ["c", true]}}}"#,
        r#"{"listener": [{"tcp": {"a": 1}}, {"unix": [{"b": ["c", true]}]}]}"#,
        "\u{feff} {\n\"listener\":{\"tcp\":{\"a\":1}},\"listener\":{\"unix\":{\"b\":[\"c\",true]}}}\n",
    ] {
        let body = parse(text).unwrap();
        let got: Vec<_> = body.labelled("listener").unwrap().iter().map(|b| (b.label, read_body(b.body))).collect();
        assert_eq!(got, want, "{text}");
    }
    for bad in ["{", "{\"a\"}", "{\"a\":1,}", "{a:1}", "{\"a\"=1}", "{} x", "{\"a\":1 \"b\":2}", "{\"a\":\"\t\"}"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert_eq!(parse("{\"a\":null}").unwrap().items[0].value, Value::Null);
}

fn read_body(body: &Body) -> String {
    read(&Value::Object(body.clone()))
}

#[test]
fn readers_name_key_and_line() {
    let body = parse("a = 1\nb = \"x\"\na = 2\nc \"l\" {}\nd = [1]\ne {}\n").unwrap();
    let say = |e: HclError| e.to_string();
    assert_eq!(body.attr_int("a").map_err(say), Err("line 3: \"a\": is set twice".into()));
    assert_eq!(body.attr_int("b").map_err(say), Err("line 2: \"b\": \"x\" is no whole number".into()));
    assert!(body.attr_seconds("b").is_err());
    assert!(body.attr_str("c").is_err());
    assert!(body.attr_list("d").is_err());
    assert!(body.attr_list("b").is_err());
    assert!(body.blocks("c").is_err());
    assert!(body.labelled("a").is_err());
    assert!(body.labelled("b").is_err());
    assert_eq!(body.labelled("e").unwrap().len(), 0);
    assert_eq!(body.blocks("e").unwrap().len(), 1);
    assert_eq!(body.known(&["a", "b", "c", "d"]).map_err(say), Err("line 6: unknown key \"e\"".into()));
    assert_eq!(body.known(&["a", "b", "c", "d", "e"]), Ok(()));
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = |n: usize| format!("a = {}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(&deep(MAX_DEPTH)).is_ok());
    assert!(parse(&deep(MAX_DEPTH + 1)).is_err());
    assert!(parse(&"{\"a\":".repeat(100_000)).is_err());
    assert!(parse(&"a {".repeat(100_000)).is_err());
    assert!(parse(&" ".repeat(MAX_BYTES + 1)).is_err());
}

const MESSY: &str = r#"# Head
path "secret/*" { capabilities=["read" ,"list"] } path "a" {
capabilities = [
"read", # why
"list"
]
/* long
   comment */


allowed_parameters = { "x" = [], longer = ["y"] }
} # end
length=20
a-long-key   =   1


text = <<EOF
  kept
EOF
z /* odd */ = # here
 {}"#;

#[test]
fn formats_canonically() {
    let want = r#"# Head
path "secret/*" {
  capabilities = ["read", "list"]
}

path "a" {
  capabilities = [
    "read",
    # why
    "list",
  ]

  /* long
   comment */

  allowed_parameters = {
    "x"    = []
    longer = ["y"]
  }
} # end

length     = 20
a-long-key = 1

text = <<EOF
  kept
EOF

/* odd */
# here
z = {}
"#;
    assert_eq!(format(MESSY).unwrap(), want);
    assert_eq!(format(want).unwrap(), want, "formatting is stable");
    assert!(format("a = ").is_err() && format("{}").is_err());
    assert_eq!(format("").unwrap(), "");
}

#[test]
fn arbitrary_texts_never_panic_and_formatting_keeps_the_meaning() {
    let pieces = [
        "path",
        " ",
        "\n",
        "\"a\"",
        "\"${",
        "}",
        "{",
        "[",
        "]",
        "=",
        ",",
        "1",
        "-",
        "0x",
        "<<EOF\n",
        "<<-E\n",
        "EOF\n",
        "E",
        "#",
        "/*",
        "*/",
        "//",
        "true",
        "null",
        "\\",
        "\"",
        "é",
        "\r\n",
        ":",
        "a = 1\n",
        "b \"c\" {",
        "\\u00",
        "\u{0}",
        "[\"x\",",
        "x = <<E\n q\n  E\n",
        "\t",
        "0",
        ".",
        "e5",
    ];
    // A fixed linear congruential generator: the same texts at every run.
    let mut state = 42u64;
    let mut draw = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % n
    };
    let mut valid = 0;
    for round in 0..60_000 {
        let mut text: String = if round % 3 == 0 { "{".into() } else { String::new() };
        if round % 2 == 0 {
            text.push_str(MESSY);
            let at = (0..=text.len()).rev().find(|i| *i <= draw(MESSY.len()) && text.is_char_boundary(*i)).unwrap();
            text.truncate(at);
        }
        for _ in 0..draw(14) {
            text.push_str(pieces[draw(pieces.len())]);
        }
        let Ok(body) = parse(&text) else { continue };
        let Ok(formatted) = format(&text) else { continue };
        valid += 1;
        let again = parse(&formatted).unwrap_or_else(|e| panic!("{text:?} became {formatted:?}: {e}"));
        assert_eq!(read_body(&again), read_body(&body), "{text:?} became {formatted:?}");
        assert_eq!(format(&formatted).unwrap(), formatted, "{text:?}");
    }
    assert!(valid > 500, "only {valid} texts were valid");
}
