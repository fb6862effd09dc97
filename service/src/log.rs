//! What the service tells whoever reads its log: one line an event, with the
//! time in front. Requests are not logged, the proxy does that.

use std::fmt;
use std::io::Write as _;

use chrono::SecondsFormat;

use crate::clock;

/// Writes a line to standard error.
pub fn line(text: fmt::Arguments<'_>) {
    let time = clock::wall().to_rfc3339_opts(SecondsFormat::Millis, true);
    // A log that nobody reads any more must not take the service down.
    let _ = writeln!(std::io::stderr().lock(), "{time} {text}");
}
