//! From a template's pieces to a name.

use std::fmt;

use super::Fields;
use super::functions;
use super::parse::{Command, Operand, Piece, Pipeline};

/// Enough for any encoding of a name; a template is no way to fill memory.
pub(super) const MAX_BYTES: usize = 4_096;

/// A value within a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Truth(bool),
}

impl Value {
    /// Go's notion of it: what is not empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0,
            Self::Truth(truth) => *truth,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Truth(truth) => write!(f, "{truth}"),
        }
    }
}

/// Renders a template.
pub(super) fn render(pieces: &[Piece], fields: &Fields<'_>) -> Result<String, String> {
    let mut name = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Action(action) => name.push_str(&pipeline(action, fields)?.to_string()),
            Piece::If(condition, then, otherwise) => {
                let way = if pipeline(condition, fields)?.is_true() { then } else { otherwise };
                name.push_str(&render(way, fields)?);
            }
        }
        if name.len() > MAX_BYTES {
            return Err("the username_template makes too long a name".to_owned());
        }
    }
    Ok(name)
}

fn pipeline(commands: &Pipeline, fields: &Fields<'_>) -> Result<Value, String> {
    let mut piped = None;
    for command in commands {
        piped = Some(run(command, piped, fields)?);
    }
    piped.ok_or_else(|| "the username_template has an empty action".to_owned())
}

fn run(command: &Command, piped: Option<Value>, fields: &Fields<'_>) -> Result<Value, String> {
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

fn operand(operand: &Operand, fields: &Fields<'_>) -> Result<Value, String> {
    match operand {
        Operand::Field(name) => match fields.values.iter().find(|(known, _)| known == name) {
            Some((_, value)) => Ok(Value::Text((*value).to_owned())),
            None => Err(format!("the username_template has an unknown field .{name}")),
        },
        Operand::Text(text) => Ok(Value::Text(text.clone())),
        Operand::Number(number) => Ok(Value::Number(*number)),
        Operand::Function(name) => functions::call(name, &[], fields.now),
        Operand::Group(group) => pipeline(group, fields),
    }
}
