//! One line that is typed.

use crate::tui::text;

/// Longest input; more is ignored.
const LONGEST: usize = 128;

/// One line that is typed. The cursor is at its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Input {
    text: String,
}

impl Input {
    /// What was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds what was typed or pasted, without control characters.
    pub fn type_text(&mut self, typed: &str) {
        let room = LONGEST.saturating_sub(self.text.chars().count());
        self.text.extend(text::clean(typed).chars().take(room));
    }

    /// Deletes the last character.
    pub fn erase(&mut self) {
        self.text.pop();
    }

    /// Deletes everything.
    pub fn clear(&mut self) {
        self.text.clear();
    }
}
