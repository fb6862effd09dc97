//! The full-screen terminal app, Elm style: [`state::State`] is everything
//! that is shown, [`update::update`] is the only thing that changes it (pure:
//! no clock, no I/O), [`view::draw`] only draws it, and [`run`] is the one loop
//! that waits, asks the [`Backend`] and writes to the terminal.
//!
//! Invariants: keys, footer hints and help come from one table ([`keymap`]);
//! colours only from [`theme`] tokens; text from outside passes [`text::clean`]
//! and lives in bounded rings; the terminal is restored on every way out
//! ([`guard`]).

pub mod backend;
mod catalog;
mod choose;
mod command;
mod effect;
mod engine;
mod farewell;
mod format;
mod guard;
mod keymap;
mod layout;
mod message;
mod moment;
mod options;
mod run;
mod signals;
mod state;
mod text;
mod theme;
mod update;
mod view;

#[cfg(test)]
mod tests;

pub use backend::{Backend, Header};
pub use choose::choose_target;
pub use farewell::Farewell;
pub use guard::TuiError;
pub use options::Options;
pub use run::run;
pub use theme::ThemeName;
