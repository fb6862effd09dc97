//! What can be wrong with a body before its first line is read. Each has its
//! own reason, since each has its own cause: a cut connection, a login page,
//! a file edited on another system.

use super::Malformed;

/// The body as text, when it is complete and made of plain lines.
pub(super) fn readable(body: &[u8]) -> Result<&str, Malformed> {
    if body.is_empty() {
        return Err(Malformed::new(0, "empty body"));
    }
    let text = utf8(body)?;
    let Some(start) = text.find(|c: char| !c.is_whitespace()) else {
        return Err(Malformed::new(0, "empty: there are only blanks"));
    };
    if text.starts_with('\u{feff}') {
        return Err(Malformed::new(1, "starts with a byte order mark"));
    }
    if text[start..].starts_with('<') {
        return Err(Malformed::new(line_of(body, start), "an HTML page, not metrics"));
    }
    if let Some(nul) = body.iter().position(|&byte| byte == 0) {
        return Err(Malformed::new(line_of(body, nul), "NUL byte"));
    }
    if let Some(cr) = text.find("\r\n").or_else(|| text.ends_with('\r').then(|| text.len() - 1)) {
        return Err(Malformed::new(line_of(body, cr), "CR line end, only LF is allowed"));
    }
    if !text.ends_with('\n') {
        return Err(cut_off(body));
    }
    Ok(text)
}

fn utf8(body: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(body).map_err(|error| match error.error_len() {
        // Only the beginning of a character: the rest was not delivered.
        None => cut_off(body),
        Some(_) => Malformed::new(line_of(body, error.valid_up_to()), "not UTF-8"),
    })
}

fn cut_off(body: &[u8]) -> Malformed {
    Malformed::new(line_of(body, body.len()), "cut off: the last line has no line feed")
}

/// The line, counted from 1, in which a position lies.
fn line_of(body: &[u8], position: usize) -> usize {
    body.iter().take(position).filter(|&&byte| byte == b'\n').count() + 1
}
