//! What the two commands say, in one voice.

use std::io::IsTerminal as _;

/// A new stage.
pub(crate) fn stage(text: &str) {
    println!("\n{}", paint("1", &format!("== {text}")));
}

/// A remark.
pub(crate) fn note(text: &str) {
    println!("   {text}");
}

/// A command, as a person would type it.
pub(crate) fn command(line: &str) {
    println!("\n{}", paint("36", &format!("$ {line}")));
}

/// Something that was to be shown, and was.
pub(crate) fn shown(text: &str) {
    println!("{}", paint("32", &format!("   ✓ {text}")));
}

/// Why this ends here.
pub(crate) fn trouble(error: &str) {
    eprintln!("\n{}", paint("31", &format!("error: {error}")));
}

fn paint(code: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
