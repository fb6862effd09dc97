//! Short messages that go away by themselves.

use std::time::{Duration, Instant};

/// At most this many at a time.
const MOST: usize = 3;

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Good to know.
    Info,
    /// It did not happen.
    Warn,
    /// It went wrong.
    Fail,
}

/// A short message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// What kind.
    pub tone: Tone,
    /// The text, clean.
    pub text: String,
    /// When it goes.
    pub until: Instant,
}

/// The messages that are shown, the newest last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Toasts {
    shown: Vec<Toast>,
}

impl Toasts {
    /// Shows a message, 4 to 8 seconds by its kind. The same text again only
    /// stays longer.
    pub fn show(&mut self, tone: Tone, text: impl Into<String>, now: Instant) {
        let text = text.into();
        let lasting = match tone {
            Tone::Info => Duration::from_secs(4),
            Tone::Warn => Duration::from_secs(6),
            Tone::Fail => Duration::from_secs(8),
        };
        self.shown.retain(|toast| toast.text != text);
        if self.shown.len() == MOST {
            self.shown.remove(0);
        }
        self.shown.push(Toast { tone, text, until: now + lasting });
    }

    /// Removes what has been shown long enough.
    pub fn expire(&mut self, now: Instant) {
        self.shown.retain(|toast| toast.until > now);
    }

    /// What is shown.
    #[must_use]
    pub fn shown(&self) -> &[Toast] {
        &self.shown
    }

    /// When the next one goes.
    #[must_use]
    pub fn next_end(&self) -> Option<Instant> {
        self.shown.iter().map(|toast| toast.until).min()
    }
}
