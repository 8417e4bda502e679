//! Fuzz target: templates of names.

use std::time::SystemTime;

use crate::{Fields, Template};

/// A template makes a short text or says why not.
fn templates(input: &[u8]) {
    let Ok(template) = Template::parse(&String::from_utf8_lossy(input)) else { return };
    let values = [("DisplayName", "token"), ("RoleName", "app"), ("Type", "STS"), ("Empty", "")];
    if let Ok(name) = template.render(&Fields { values: &values, now: SystemTime::UNIX_EPOCH }) {
        assert!(name.len() <= 4_096, "{} bytes", name.len());
    }
}

#[test]
fn templates_hold() {
    cofferdam_fuzz::run("template", templates);
}
