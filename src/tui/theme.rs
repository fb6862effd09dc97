//! The only place that knows colours. Views name what a text means (a token);
//! the theme says how that looks.
//!
//! Without colours (`NO_COLOR`) the mono theme uses modifiers and the
//! terminal's own colour only: with `NO_COLOR` set, crossterm 0.29 turns every
//! colour command into a full reset, which would erase reverse and bold. So a
//! mono style must not name any colour.

use ratatui::style::{Color, Modifier, Style};

/// A set of tokens by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeName {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds.
    Light,
    /// Without any colour.
    Mono,
}

impl ThemeName {
    /// The theme after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Mono,
            Self::Mono => Self::Dark,
        }
    }

    /// Its name on screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
        }
    }

    /// Its tokens.
    #[must_use]
    pub const fn tokens(self) -> Theme {
        match self {
            Self::Dark => Theme::coloured(&DARK),
            Self::Light => Theme::coloured(&LIGHT),
            Self::Mono => Theme::mono(),
        }
    }
}

/// How each kind of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Ordinary text.
    pub text: Style,
    /// What matters most.
    pub strong: Style,
    /// Labels and what matters less.
    pub dim: Style,
    /// Frames.
    pub border: Style,
    /// The frame that has the keys.
    pub focus: Style,
    /// Titles of frames.
    pub title: Style,
    /// The title of the frame that has the keys.
    pub title_focus: Style,
    /// The name of the app.
    pub brand: Style,
    /// Keys in hints and menus.
    pub key: Style,
    /// The chosen line of a list.
    pub selected: Style,
    /// Good.
    pub ok: Style,
    /// Not sure, or on its way.
    pub warn: Style,
    /// Bad.
    pub fail: Style,
    /// A fault made on purpose.
    pub chaos: Style,
    /// The canary.
    pub canary: Style,
    /// The stable release.
    pub stable: Style,
    /// Histories of figures.
    pub spark: Style,
    /// What a filter found.
    pub found: Style,
    /// The banner for a lost connection.
    pub banner: Style,
    /// What lies behind a dialog.
    pub behind: Style,
}

/// Colours of a theme, from the 256 that almost every terminal has.
struct Palette {
    text: u8,
    strong: u8,
    dim: u8,
    border: u8,
    accent: u8,
    selected: u8,
    ok: u8,
    warn: u8,
    fail: u8,
    chaos: u8,
    spark: u8,
    on_fail: u8,
}

const DARK: Palette = Palette {
    text: 252,
    strong: 255,
    dim: 245,
    border: 239,
    accent: 80,
    selected: 237,
    ok: 114,
    warn: 221,
    fail: 203,
    chaos: 213,
    spark: 74,
    on_fail: 16,
};

const LIGHT: Palette = Palette {
    text: 236,
    strong: 16,
    dim: 242,
    border: 248,
    accent: 25,
    selected: 253,
    ok: 28,
    warn: 130,
    fail: 160,
    chaos: 127,
    spark: 26,
    on_fail: 231,
};

const fn fg(colour: u8) -> Style {
    Style::new().fg(Color::Indexed(colour))
}

impl Theme {
    const fn coloured(p: &Palette) -> Self {
        let bold = Modifier::BOLD;
        Self {
            text: fg(p.text),
            strong: fg(p.strong).add_modifier(bold),
            dim: fg(p.dim),
            border: fg(p.border),
            focus: fg(p.accent),
            title: fg(p.text).add_modifier(bold),
            title_focus: fg(p.accent).add_modifier(bold),
            brand: fg(p.accent).add_modifier(bold),
            key: fg(p.accent).add_modifier(bold),
            selected: fg(p.strong).bg(Color::Indexed(p.selected)).add_modifier(bold),
            ok: fg(p.ok),
            warn: fg(p.warn),
            fail: fg(p.fail).add_modifier(bold),
            chaos: fg(p.chaos).add_modifier(bold),
            canary: fg(p.warn).add_modifier(bold),
            stable: fg(p.ok).add_modifier(bold),
            spark: fg(p.spark),
            found: fg(p.on_fail).bg(Color::Indexed(p.warn)),
            banner: fg(p.on_fail).bg(Color::Indexed(p.fail)).add_modifier(bold),
            behind: fg(p.border),
        }
    }

    const fn mono() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        let reverse = plain.add_modifier(Modifier::REVERSED);
        Self {
            text: plain,
            strong: bold,
            dim,
            border: dim,
            focus: bold,
            title: plain,
            title_focus: bold,
            brand: bold,
            key: bold,
            selected: reverse,
            ok: plain,
            warn: plain,
            fail: bold,
            chaos: bold,
            canary: bold,
            stable: plain,
            spark: plain,
            found: reverse,
            banner: reverse,
            behind: dim,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mono_theme_names_no_colour() {
        let shown = format!("{:?}", Theme::mono());
        assert!(!shown.contains("Some("), "{shown}");
        assert!(format!("{:?}", ThemeName::Dark.tokens()).contains("Indexed"));
    }

    #[test]
    fn themes_can_be_cycled_through() {
        assert_eq!(ThemeName::Dark.next().next().next(), ThemeName::Dark);
    }
}
