//! Text from outside made safe and cut to measure. Widths are terminal
//! columns, not characters.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Longest text kept of one foreign line, in characters.
const LONGEST: usize = 4096;

/// Whether a character could change the terminal or the reading order.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Removes escape sequences, control characters and invisible direction marks;
/// a tab becomes blanks, a line end one blank. Cuts what is absurdly long.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().min(LONGEST));
    let mut chars = text.chars().peekable();
    let mut kept = 0;
    while let Some(c) = chars.next() {
        if kept >= LONGEST {
            out.push('…');
            break;
        }
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_csi(&mut chars),
            '\t' => {
                out.push_str("    ");
                kept += 4;
            }
            '\n' => {
                out.push(' ');
                kept += 1;
            }
            c if is_unsafe(c) => {}
            c => {
                out.push(c);
                kept += 1;
            }
        }
    }
    Cow::Owned(out)
}

/// Skips what follows an ESC.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_csi(chars);
        }
        // OSC, DCS, SOS, PM, APC: up to BEL or ST.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            while let Some(c) = chars.next() {
                if c == '\u{7}' || c == '\u{9c}' {
                    break;
                }
                if c == '\u{1b}' {
                    if chars.peek() == Some(&'\\') {
                        chars.next();
                    }
                    break;
                }
            }
        }
        // Two-character sequences, with intermediates (`ESC ( B`).
        Some(_) => {
            while chars.next_if(|c| ('\u{20}'..='\u{2f}').contains(c)).is_some() {}
            let _final = chars.next_if(|c| ('\u{30}'..='\u{7e}').contains(c));
        }
        None => {}
    }
}

/// Skips parameters, intermediates and the final character of a CSI sequence.
fn skip_csi(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
    let _final = chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
}

/// Columns that a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text in at most `columns`, with an ellipsis when it was cut.
#[must_use]
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    Cow::Owned(format!("{}…", head(text, columns - 1)))
}

/// The beginning of the text that fits into `columns`.
#[must_use]
pub fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (place, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[..place];
        }
    }
    text
}

/// The text in exactly `columns`, to the left.
#[must_use]
pub fn left(text: &str, columns: usize) -> String {
    let mut out = cut(text, columns).into_owned();
    let used = width(&out);
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    out
}

/// The text in exactly `columns`, to the right.
#[must_use]
pub fn right(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    let mut out = " ".repeat(columns.saturating_sub(width(&cut)));
    out.push_str(&cut);
    out
}

/// The text broken into lines of at most `columns`, between words where that
/// is possible. Never empty.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let w = width(word);
        if used > 0 && used + 1 + w > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        if w <= columns {
            line.push_str(word);
            used += w;
            continue;
        }
        // A word longer than a line is broken where the line ends.
        for c in word.chars() {
            let w = c.width().unwrap_or(0);
            if used > 0 && used + w > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += w;
        }
    }
    lines.push(line);
    lines
}

/// The text broken at the line ends, each line cleaned.
pub fn clean_lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(|line| clean(line).into_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::colour("\u{1b}[31mred\u{1b}[0m", "red")]
    #[case::title("\u{1b}]0;owned\u{7}text", "text")]
    #[case::title_with_st("\u{1b}]0;owned\u{1b}\\text", "text")]
    #[case::eight_bit_csi("\u{9b}2Jtext", "text")]
    #[case::charset("\u{1b}(Btext", "text")]
    #[case::reset("\u{1b}ctext", "text")]
    #[case::cut_off("text\u{1b}[", "text")]
    #[case::carriage_return("a\rb", "ab")]
    #[case::tab("a\tb", "a    b")]
    #[case::line_end("a\nb", "a b")]
    #[case::direction_mark("a\u{202e}b", "ab")]
    #[case::wide("漢字 ok", "漢字 ok")]
    fn foreign_text_loses_what_could_harm(#[case] raw: &str, #[case] expected: &str) {
        assert_eq!(clean(raw), expected);
    }

    #[test]
    fn absurdly_long_text_is_cut() {
        assert_eq!(clean(&"x".repeat(LONGEST + 10)).chars().count(), LONGEST + 1);
    }

    #[rstest]
    #[case("swift-deploy-1-node:latest", 10, "swift-dep…")]
    #[case("short", 10, "short")]
    #[case("漢字漢字", 5, "漢字…")]
    #[case("漢字漢字", 4, "漢…")]
    #[case("any", 0, "")]
    fn a_cut_is_shown_by_an_ellipsis(#[case] raw: &str, #[case] columns: usize, #[case] expected: &str) {
        assert_eq!(cut(raw, columns), expected);
    }

    #[rstest]
    #[case("漢字", 5)]
    #[case("漢字漢字", 5)]
    #[case("abc", 5)]
    fn padded_text_has_exactly_the_width(#[case] raw: &str, #[case] columns: usize) {
        assert_eq!(width(&left(raw, columns)), columns);
        assert_eq!(width(&right(raw, columns)), columns);
    }

    #[test]
    fn wrapping_breaks_between_words_and_inside_long_ones() {
        assert_eq!(wrap("error rate is above", 10), ["error rate", "is above"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
