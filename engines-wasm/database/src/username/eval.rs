//! From a template's pieces to a name.

use std::fmt;

use super::functions;
use super::parse::{Command, Operand, Piece, Pipeline};
use super::{Fields, MAX_BYTES};

/// A value within a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// Renders a template.
pub(super) fn render(pieces: &[Piece], fields: &Fields) -> Result<String, String> {
    let mut name = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Action(action) => name.push_str(&pipeline(action, fields)?.to_string()),
        }
    }
    // Enough for any encoding of a name; a template is no way to fill memory.
    match name.len() {
        length if length > 64 * MAX_BYTES => Err("the username_template makes too long a name".to_owned()),
        _ => Ok(name),
    }
}

fn pipeline(commands: &Pipeline, fields: &Fields) -> Result<Value, String> {
    let mut piped = None;
    for command in commands {
        piped = Some(run(command, piped, fields)?);
    }
    piped.ok_or_else(|| "the username_template has an empty action".to_owned())
}

fn run(command: &Command, piped: Option<Value>, fields: &Fields) -> Result<Value, String> {
    match command {
        Command::Value(_) if piped.is_some() => Err("the username_template pipes into a value".to_owned()),
        Command::Value(value) => operand(value, fields),
        Command::Call(name, arguments) => {
            let mut arguments =
                arguments.iter().map(|argument| operand(argument, fields)).collect::<Result<Vec<_>, _>>()?;
            arguments.extend(piped);
            functions::call(name, &arguments, fields.now)
        }
    }
}

fn operand(operand: &Operand, fields: &Fields) -> Result<Value, String> {
    match operand {
        Operand::Field(name) => match name.as_str() {
            "DisplayName" => Ok(Value::Text(fields.display_name.clone())),
            "RoleName" => Ok(Value::Text(fields.role_name.clone())),
            _ => Err(format!("the username_template has an unknown field .{name}")),
        },
        Operand::Text(text) => Ok(Value::Text(text.clone())),
        Operand::Number(number) => Ok(Value::Number(*number)),
        Operand::Function(name) => functions::call(name, &[], fields.now),
        Operand::Group(group) => pipeline(group, fields),
    }
}
