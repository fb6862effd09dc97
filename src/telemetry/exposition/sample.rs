//! A line with a sample.

use std::borrow::Cow;

use super::Format;
use super::cursor::{Cursor, Reason, excerpt};
use super::labels::{self, Braces};
use super::model::{Sample, Timestamp};
use super::number;

/// Reads `name{labels} value [timestamp]`, in OpenMetrics with an exemplar
/// behind it. The line's leading blanks are gone already.
pub(super) fn read(line: &str, format: Format, number: usize) -> Result<Sample<'_>, Reason> {
    let mut at = Cursor::new(line);
    let bare = at.metric_name().map(Cow::Borrowed);
    let has_gap = at.is_at(b' ') || at.is_at(b'\t');
    at.blanks();
    let (name, labels) = if at.eat(b'{') {
        let Braces { name: quoted, labels } = labels::read(&mut at)?;
        let name = match (bare, quoted) {
            (Some(name), None) | (None, Some(name)) => name,
            (Some(_), Some(_)) => return Err("two metric names, one before and one in the braces".to_owned()),
            (None, None) => return Err("no metric name".to_owned()),
        };
        (name, labels)
    } else {
        let name = bare.ok_or_else(|| format!("no metric name: {}", at.found()))?;
        if !has_gap && !at.is_done() {
            return Err(format!("no blank after the metric name {name:?}: {}", at.found()));
        }
        (name, Vec::new())
    };
    at.blanks();
    let value = number::value(at.word())?;
    at.blanks();
    let timestamp = match format {
        _ if at.is_done() || at.is_at(b'#') => None,
        Format::Text => Some(Timestamp::Millis(number::millis(at.word())?)),
        Format::OpenMetrics => Some(Timestamp::Seconds(number::seconds(at.word())?)),
    };
    at.blanks();
    if at.is_at(b'#') {
        if format == Format::Text {
            return Err("an exemplar, which only OpenMetrics has".to_owned());
        }
        read_over_exemplar(&mut at)?;
    }
    if !at.is_done() {
        return Err(format!("text after the sample: {}", excerpt(at.rest())));
    }
    Ok(Sample { name, labels, value, timestamp, line: number })
}

/// Checks `# {labels} value [timestamp]`. Nothing of it is kept: an exemplar
/// points to a trace and counts nothing.
fn read_over_exemplar(at: &mut Cursor<'_>) -> Result<(), Reason> {
    let in_exemplar = |reason: Reason| format!("exemplar: {reason}");
    at.eat(b'#');
    at.blanks();
    if !at.eat(b'{') {
        return Err(in_exemplar(format!("no opening brace: {}", at.found())));
    }
    if labels::read(at).map_err(in_exemplar)?.name.is_some() {
        return Err(in_exemplar("a metric name in the braces".to_owned()));
    }
    at.blanks();
    number::value(at.word()).map_err(in_exemplar)?;
    at.blanks();
    if !at.is_done() {
        number::seconds(at.word()).map_err(in_exemplar)?;
        at.blanks();
    }
    Ok(())
}
