//! Questions at the terminal whose answers are not shown.

use std::io::Write;

use crate::failure::{Failure, Result};
use crate::text::wrap;

/// Asks for a secret; without a terminal it says how else to give it.
pub(crate) fn hidden(
    terminal: &mut dyn Write,
    question: &str,
    what: &str,
    way_out: &str,
    interactive: bool,
) -> Result<String> {
    if !interactive {
        return Err(Failure::local(wrap(&format!("Refusing to ask for {what} with -non-interactive. {way_out}"))));
    }
    let _ = write!(terminal, "{question}");
    let _ = terminal.flush();
    let answer = rpassword::read_password();
    let _ = writeln!(terminal);
    match answer {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(e) => Err(Failure::local(format!(
            "{}\n\n{e}",
            wrap(&format!(
                "An error occurred attempting to ask for {what}. The raw error message is shown below, but usually \
                 this is because the command runs outside of a terminal (tty). {way_out} The raw error was:"
            ))
        ))),
    }
}
