//! What the command line decides about the terminal app.

use super::theme::ThemeName;

/// What the command line decides about the terminal app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// No colours: `--no-color`, or `NO_COLOR` in the environment. Wins over
    /// `theme`.
    pub no_color: bool,
    /// The colours to start with.
    pub theme: ThemeName,
}

impl Options {
    /// The theme that these options mean.
    #[must_use]
    pub(super) const fn theme_name(self) -> ThemeName {
        if self.no_color { ThemeName::Mono } else { self.theme }
    }
}
