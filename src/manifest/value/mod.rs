//! The kinds of values that a manifest holds, each with its one rule: what
//! the reader accepts and what the JSON Schema says stand side by side.

mod choice;
mod list;
mod number;
mod text;
mod units;

pub(super) use choice::{Choice, Restart, TargetWord};
pub(super) use list::{List, Table};
pub(super) use number::Number;
pub(super) use text::{
    Address, Contact, Driver, EnvName, EnvValue, ImageRef, LabelName, MetricName, Name, NetworkName, Package,
    Plain, UrlPath, Version,
};
pub(super) use units::{Cpus, Memory, Time};

use super::problem::Complaint;
use super::scalar::{Scalar, Value};

/// The text of a scalar; anything else is told how to be written as text.
fn text_of(scalar: Scalar) -> Result<String, Complaint> {
    match scalar.value {
        Value::Text(text) => Ok(text),
        Value::Integer(_) | Value::Float(_) => {
            Err(Complaint::new(format!("expected text, found the number {}", scalar.spelling))
                .help(format!("put it in quotes: \"{}\"", scalar.spelling)))
        }
        Value::Bool(_) => {
            Err(Complaint::new(format!("expected text, found the truth value {}", scalar.spelling))
                .help(format!("put it in quotes if it is meant: \"{}\"", scalar.spelling)))
        }
    }
}

/// A text as a message shows it.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let rest = if short.len() < text.len() { "…" } else { "" };
    format!("`{short}{rest}`")
}
