//! Events as lines: for people, or as JSON. The only place that writes to
//! standard output, with the commands beside it.

mod explain;
mod json;
mod metrics;
mod people;
mod replay;
mod status;

use std::io::{self, IsTerminal, Write};

pub(super) use explain::{Told, explained};
pub(super) use json::{Json, error_line};
pub(super) use metrics::{figure_lines, group_json, group_lines};
pub(super) use people::{People, verdict};
pub(super) use replay::{changed_lines, replayed_lines};
pub(super) use status::{StatusView, status_json, status_lines};

use crate::engine::Event;

/// Turns events into output.
pub(super) trait Printer: Send {
    /// Prints an event.
    fn event(&mut self, event: &Event) -> io::Result<()>;
}

/// How to colour: tokens, never colours, in the printers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint {
    is_on: bool,
}

impl Paint {
    /// Colours on a terminal that wants them.
    pub(super) fn detect(no_color: bool) -> Self {
        let is_unwanted = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { is_on: !is_unwanted && io::stdout().is_terminal() }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(super) fn unsure(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }
}

/// Writes a line to standard output.
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes a line to standard error; where that fails there is nobody to tell.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Text from outside, without what could command a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect()
}
