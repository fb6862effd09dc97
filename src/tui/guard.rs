//! The terminal belongs to the person: whatever happens (return, error, panic,
//! signal), raw mode, alternate screen, bracketed paste and the cursor are put
//! back, and before anything is printed.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};
use ratatui::{Frame, Terminal};

use super::view::Measured;

/// Whether the terminal is ours now. The panic hook has no other way to know.
static IS_OURS: AtomicBool = AtomicBool::new(false);
/// Whether something panicked while the terminal was ours.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// Bytes collected before they are written: a whole frame, usually.
const BUFFER: usize = 64 * 1024;

/// Why the terminal app cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Input or output is a pipe or a file.
    #[error("the terminal app needs a terminal; input or output is not one")]
    NotATerminal,
    /// The terminal does not do what it is told.
    #[error("cannot {doing}")]
    Terminal {
        /// What was tried.
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A part of the program panicked; its message was printed.
    #[error("a part of swiftdeploy panicked; the stack was left as it was")]
    Panicked,
}

impl TuiError {
    /// What a person can do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NotATerminal => "use a command, for example `swiftdeploy status --once`; --help lists them",
            Self::Terminal { .. } => "try another terminal, or use the commands; --help lists them",
            Self::Panicked => "please report the message above; `swiftdeploy status --once` shows what runs",
        }
    }
}

/// Names what was tried when the terminal does not do it.
pub fn doing(doing: &'static str) -> impl FnOnce(io::Error) -> TuiError {
    move |source| TuiError::Terminal { doing, source }
}

/// The terminal while it is ours.
pub struct Guard {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    // Restores last: what the terminal still has to say in its own drop comes before.
    _restore: Restore,
}

/// Gives the terminal back when it is dropped.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        give_back();
    }
}

impl Guard {
    /// Takes the terminal.
    pub fn take() -> Result<Self, TuiError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(TuiError::NotATerminal);
        }
        HOOK.call_once(install_hook);
        let restore = Restore;
        take()?;
        let writer = BufWriter::with_capacity(BUFFER, io::stdout());
        let terminal = Terminal::new(CrosstermBackend::new(writer)).map_err(doing("open the terminal"))?;
        Ok(Self { terminal, _restore: restore })
    }

    /// Columns and rows.
    pub fn size(&self) -> Result<(u16, u16), TuiError> {
        let size = self.terminal.size().map_err(doing("ask the terminal for its size"))?;
        Ok((size.width, size.height))
    }

    /// Draws a frame, shown as a whole by terminals that can.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>) -> Measured) -> Result<Measured, TuiError> {
        let mut measured = Measured::default();
        // Flushed at once: should the view panic, nothing half-written is left in the buffer.
        execute!(self.terminal.backend_mut(), BeginSynchronizedUpdate)
            .map_err(doing("write to the terminal"))?;
        let drawn = self.terminal.draw(|frame| measured = view(frame)).map(|_| ());
        let ended = execute!(self.terminal.backend_mut(), EndSynchronizedUpdate);
        drawn.and(ended).map_err(doing("write to the terminal"))?;
        Ok(measured)
    }

    /// Forgets what the screen shows, so that the next frame is drawn whole.
    pub fn clear(&mut self) -> Result<(), TuiError> {
        // `Terminal::clear` would ask the terminal where its cursor is and fail when no answer comes.
        let size = self.terminal.size().map_err(doing("ask the terminal for its size"))?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size))).map_err(doing("clear the terminal"))
    }

    /// Gives the terminal back for a while.
    pub fn pause(&mut self) {
        // What is buffered belongs to our screen, not to the shell's.
        let _lost = self.terminal.backend_mut().flush();
        give_back();
    }

    /// Takes it again.
    pub fn resume(&mut self) -> Result<(), TuiError> {
        take()?;
        self.clear()
    }
}

/// Whether something panicked since the terminal was taken. The hook has given
/// it back then, and drawing on would spoil the shell's screen.
pub fn has_panicked() -> bool {
    HAS_PANICKED.load(Ordering::SeqCst)
}

fn take() -> Result<(), TuiError> {
    IS_OURS.store(true, Ordering::SeqCst);
    enable_raw_mode().map_err(doing("switch the terminal to raw mode"))?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)
        .map_err(doing("open the alternate screen"))
}

/// Puts everything back, once. Errors have nobody left to be told to.
fn give_back() {
    if !IS_OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let _gone =
        execute!(io::stdout(), EndSynchronizedUpdate, DisableBracketedPaste, Show, LeaveAlternateScreen);
    let _gone = disable_raw_mode();
}

/// Gives the terminal back before a panic's message is printed. A panic in a
/// background task ends the app as well: its message has to be read.
fn install_hook() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if IS_OURS.load(Ordering::SeqCst) {
            HAS_PANICKED.store(true, Ordering::SeqCst);
            give_back();
        }
        print(info);
    }));
}
