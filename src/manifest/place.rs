//! Where something stands in the manifest's text, in bytes, and how people
//! count it: lines and columns from 1, columns in characters.

/// A range of bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The first byte.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
}

impl Place {
    /// The text itself; empty where the range does not fit the text.
    pub(super) fn slice(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or("")
    }

    /// Line and column of the first byte.
    pub(super) fn line_and_column(self, text: &str) -> (usize, usize) {
        let start = floor_char_boundary(text, self.start);
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let in_line = before[line_start..].trim_start_matches(BYTE_ORDER_MARK);
        (line, in_line.chars().count() + 1)
    }

    /// The line that holds the first byte, without its line end.
    pub(super) fn line_text(self, text: &str) -> &str {
        let start = floor_char_boundary(text, self.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        text[line_start..line_end].trim_end_matches('\r').trim_start_matches(BYTE_ORDER_MARK)
    }

    /// How many characters to underline on the first line, at least one.
    pub(super) fn width_on_line(self, text: &str) -> usize {
        let slice = self.slice(text);
        let first_line = slice.split(['\n', '\r']).next().unwrap_or("");
        first_line.chars().count().max(1)
    }

    /// The place that a line and a column (both from 1) name.
    pub(super) fn from_line_and_column(text: &str, line: usize, column: usize) -> Self {
        let mut start = 0;
        for (index, part) in text.split_inclusive('\n').enumerate() {
            if index + 1 == line {
                let offset =
                    part.char_indices().nth(column.saturating_sub(1)).map_or(part.len(), |(at, _)| at);
                start += offset;
                break;
            }
            start += part.len();
        }
        Self { start, end: start }
    }
}

/// Some editors begin a UTF-8 file with it; it is not part of the first line.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_in_characters_and_ignore_the_byte_order_mark() {
        let text = "\u{feff}a: ü\r\nbé: x\n";
        let x = text.find('x').unwrap();
        let place = Place { start: x, end: x + 1 };
        assert_eq!(place.line_and_column(text), (2, 5));
        assert_eq!(place.line_text(text), "bé: x");
        assert_eq!(Place { start: 3, end: 4 }.line_and_column(text), (1, 1));
        assert_eq!(Place { start: 3, end: 4 }.line_text(text), "a: ü");
    }

    #[test]
    fn a_place_outside_the_text_is_harmless() {
        let place = Place { start: 99, end: 120 };
        assert_eq!(place.line_and_column("a: 1\nb"), (2, 2));
        assert_eq!(place.slice("a: 1"), "");
        assert_eq!(place.width_on_line("a: 1"), 1);
    }

    #[test]
    fn a_line_and_a_column_name_a_byte() {
        assert_eq!(Place::from_line_and_column("é: 1\nab: 2\n", 2, 3).start, 8);
        assert_eq!(Place::from_line_and_column("a", 7, 7).start, 1);
    }
}
