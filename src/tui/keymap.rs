//! One table a mode: it dispatches the keys, fills the help and gives the
//! footer its hints, so a hint cannot lie.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::command::{Ask, Command, LogCommand, Move, Open, Pane};

/// A key with its modifiers. Shift is part of the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    /// The key.
    pub code: KeyCode,
    /// With Ctrl.
    pub ctrl: bool,
}

impl Chord {
    /// The chord of a key event; `None` for what cannot be bound (Alt, Super).
    #[must_use]
    pub fn of(event: &KeyEvent) -> Option<Self> {
        let foreign = KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META | KeyModifiers::HYPER;
        if event.modifiers.intersects(foreign) {
            return None;
        }
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        // Terminals tell Shift-Tab in two ways.
        let code = match event.code {
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        Some(Self { code, ctrl })
    }

    /// The character to type, where it is one.
    #[must_use]
    pub const fn typed(self) -> Option<char> {
        match (self.code, self.ctrl) {
            (KeyCode::Char(c), false) => Some(c),
            _ => None,
        }
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("Ctrl-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if self.ctrl => write!(f, "{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            other => write!(f, "{other}"),
        }
    }
}

/// A line of a table.
#[derive(Debug, Clone, Copy)]
pub struct Bind {
    /// The key.
    pub chord: Chord,
    /// What it means.
    pub command: Command,
    /// One word for the footer; empty where the footer has no room for it.
    pub hint: &'static str,
    /// A few words for the help.
    pub help: &'static str,
}

const fn on(code: KeyCode, command: Command, hint: &'static str, help: &'static str) -> Bind {
    Bind { chord: Chord { code, ctrl: false }, command, hint, help }
}

const fn key(c: char, command: Command, hint: &'static str, help: &'static str) -> Bind {
    on(KeyCode::Char(c), command, hint, help)
}

const fn ctrl(c: char, command: Command, help: &'static str) -> Bind {
    Bind { chord: Chord { code: KeyCode::Char(c), ctrl: true }, command, hint: "", help }
}

const fn go(code: KeyCode, step: Move, help: &'static str) -> Bind {
    on(code, Command::Move(step), "", help)
}

/// Who gets the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The screen, with this pane focused.
    Screen(Pane),
    /// The menu.
    Menu,
    /// The command palette.
    Palette,
    /// A text to scroll: help, plan.
    Reader,
    /// The decisions in full.
    Decision,
    /// The promote chooser.
    Promote,
    /// The chaos menu.
    Chaos,
    /// The teardown dialog.
    Teardown,
    /// The log viewer.
    Logs,
    /// The log viewer while a filter is typed.
    LogFilter,
    /// A question with yes and no.
    Confirm,
}

const OPERATIONS: &[Bind] = &[
    key('i', Command::Ask(Ask::Init), "init", "generate the files from the manifest"),
    key('v', Command::Ask(Ask::Validate), "validate", "the five checks"),
    key('d', Command::Ask(Ask::Deploy), "deploy", "replace what serves by what the manifest says"),
    key('p', Command::Open(Open::Promote), "promote", "promote: canary or stable"),
    key('r', Command::Ask(Ask::Rollback), "rollback", "back to the last good release, at once"),
    key('t', Command::Open(Open::Teardown), "teardown", "remove everything of this project (asks first)"),
    key('c', Command::Open(Open::Chaos), "chaos", "break the canary on purpose"),
    key('l', Command::Open(Open::Logs), "logs", "logs of the service, the proxy, the policy engine"),
    key('m', Command::Open(Open::Menu), "menu", "everything that can be done"),
    key(':', Command::Open(Open::Palette), "command", "everything that can be done, by typing"),
    key('?', Command::Open(Open::Help), "help", "this help"),
    key('q', Command::Quit, "quit", "leave; the stack keeps running"),
];

const SCREEN: &[Bind] = &[
    on(KeyCode::Tab, Command::FocusNext, "", "next pane"),
    on(KeyCode::BackTab, Command::FocusPrevious, "", "previous pane"),
    key('1', Command::Focus(Pane::Manifest), "", "go to the pane with this number"),
    key('2', Command::Focus(Pane::Traffic), "", "go to the pane with this number"),
    key('3', Command::Focus(Pane::Containers), "", "go to the pane with this number"),
    key('4', Command::Focus(Pane::Policy), "", "go to the pane with this number"),
    key('5', Command::Focus(Pane::Chaos), "", "go to the pane with this number"),
    key('6', Command::Focus(Pane::Activity), "", "go to the pane with this number"),
    key('g', Command::Ask(Ask::Probe), "", "probe traffic, as much as a verdict on the canary needs"),
    key('z', Command::Zoom, "", "the focused pane fills the screen, and back"),
    go(KeyCode::Up, Move::Up, "scroll the focused pane"),
    go(KeyCode::Down, Move::Down, "scroll the focused pane"),
    go(KeyCode::PageUp, Move::PageUp, "scroll by a page"),
    go(KeyCode::PageDown, Move::PageDown, "scroll by a page"),
    go(KeyCode::Home, Move::Home, "to the beginning or the end"),
    go(KeyCode::End, Move::End, "to the beginning or the end"),
    on(KeyCode::Esc, Command::Back, "", "leave the zoom; cancel the running operation (asks first)"),
    ctrl('l', Command::Repaint, "draw the screen anew"),
    ctrl('z', Command::Suspend, "back to the shell until `fg`"),
];

const ANYWHERE: &[Bind] =
    &[ctrl('c', Command::Interrupt, "leave; while an operation runs: ask, then cancel it")];

const POLICY_PANE: &[Bind] = &[on(
    KeyCode::Enter,
    Command::Open(Open::Decision),
    "details",
    "the decision in full: facts, reasons, answer",
)];

const CHAOS_PANE: &[Bind] = &[
    key('s', Command::Ask(Ask::Slow), "slow", "every answer takes 3 s longer, for 60 s"),
    key('e', Command::Ask(Ask::Error), "error", "half of the answers are errors, for 60 s"),
    key('k', Command::Ask(Ask::Kill), "kill", "end the canary's process as in a crash"),
    key('x', Command::Ask(Ask::Recover), "recover", "no fault any more"),
    on(KeyCode::Enter, Command::Open(Open::Chaos), "values", "choose the fault's values"),
];

const CONTAINERS_PANE: &[Bind] =
    &[on(KeyCode::Enter, Command::Open(Open::Logs), "logs", "logs of what runs")];

const ACTIVITY_PANE: &[Bind] =
    &[on(KeyCode::Enter, Command::Open(Open::Plan), "plan", "the last plan in full")];

const LIST: &[Bind] = &[
    go(KeyCode::Up, Move::Up, "choose"),
    go(KeyCode::Down, Move::Down, "choose"),
    go(KeyCode::PageUp, Move::PageUp, "by a page"),
    go(KeyCode::PageDown, Move::PageDown, "by a page"),
    on(KeyCode::Enter, Command::Accept, "do it", "do it"),
    on(KeyCode::Esc, Command::Back, "close", "close"),
];

const MENU: &[Bind] = &[
    key('q', Command::Back, "", "close"),
    key('m', Command::Back, "", "close"),
    go(KeyCode::Home, Move::Home, "to the first or last line"),
    go(KeyCode::End, Move::End, "to the first or last line"),
];

const INPUT: &[Bind] = &[
    on(KeyCode::Backspace, Command::Erase, "", "delete a character"),
    ctrl('h', Command::Erase, "delete a character"),
    ctrl('u', Command::EraseAll, "delete the input"),
];

const READER: &[Bind] = &[
    go(KeyCode::Up, Move::Up, "scroll"),
    go(KeyCode::Down, Move::Down, "scroll"),
    go(KeyCode::PageUp, Move::PageUp, "by a page"),
    go(KeyCode::PageDown, Move::PageDown, "by a page"),
    key(' ', Command::Move(Move::PageDown), "", "by a page"),
    go(KeyCode::Home, Move::Home, "to the beginning or the end"),
    go(KeyCode::End, Move::End, "to the beginning or the end"),
    on(KeyCode::Esc, Command::Back, "close", "close"),
    on(KeyCode::Enter, Command::Back, "", "close"),
    key('q', Command::Back, "", "close"),
    key('?', Command::Back, "", "close"),
];

const DECISION: &[Bind] = &[
    on(KeyCode::Left, Command::Move(Move::Left), "", "previous or next gate"),
    on(KeyCode::Right, Command::Move(Move::Right), "next gate", "previous or next gate"),
];

const PROMOTE: &[Bind] = &[
    go(KeyCode::Up, Move::Up, "choose"),
    go(KeyCode::Down, Move::Down, "choose"),
    key('c', Command::Ask(Ask::PromoteCanary), "canary", "the canary takes the traffic"),
    key('s', Command::Ask(Ask::PromoteStable), "stable", "the canary's release becomes the stable one"),
    on(KeyCode::Enter, Command::Accept, "do it", "do it"),
    on(KeyCode::Esc, Command::Back, "close", "close"),
    key('q', Command::Back, "", "close"),
];

const CHAOS: &[Bind] = &[
    go(KeyCode::Up, Move::Up, "choose"),
    go(KeyCode::Down, Move::Down, "choose"),
    go(KeyCode::Left, Move::Left, "the value"),
    go(KeyCode::Right, Move::Right, "the value"),
    key('-', Command::Shorter, "shorter", "how long it lasts"),
    key('+', Command::Longer, "longer", "how long it lasts"),
    key('s', Command::Ask(Ask::Slow), "", "slow, at once"),
    key('e', Command::Ask(Ask::Error), "", "error, at once"),
    key('k', Command::Ask(Ask::Kill), "", "kill, at once"),
    key('x', Command::Ask(Ask::Recover), "", "recover, at once"),
    on(KeyCode::Enter, Command::Accept, "do it", "do it"),
    on(KeyCode::Esc, Command::Back, "close", "close"),
    key('q', Command::Back, "", "close"),
];

const TEARDOWN: &[Bind] = &[
    on(KeyCode::Tab, Command::ToggleClean, "files too", "the generated files too, or not"),
    go(KeyCode::Up, Move::Up, "scroll the list"),
    go(KeyCode::Down, Move::Down, "scroll the list"),
    on(KeyCode::Enter, Command::Accept, "remove", "remove, once the name is typed"),
    on(KeyCode::Esc, Command::Back, "keep everything", "keep everything"),
];

const LOGS: &[Bind] = &[
    on(KeyCode::Left, Command::Move(Move::Left), "", "previous or next service"),
    on(KeyCode::Right, Command::Move(Move::Right), "service", "previous or next service"),
    on(KeyCode::BackTab, Command::Move(Move::Left), "", "previous or next service"),
    on(KeyCode::Tab, Command::Move(Move::Right), "", "previous or next service"),
    go(KeyCode::Up, Move::Up, "scroll"),
    go(KeyCode::Down, Move::Down, "scroll"),
    go(KeyCode::PageUp, Move::PageUp, "by a page"),
    go(KeyCode::PageDown, Move::PageDown, "by a page"),
    go(KeyCode::Home, Move::Home, "to the oldest line"),
    go(KeyCode::End, Move::End, "to the newest line, and follow"),
    key('f', Command::Log(LogCommand::Follow), "follow", "follow new lines, or stay"),
    key('/', Command::Log(LogCommand::Filter), "filter", "show only lines that contain a text"),
    key('w', Command::Log(LogCommand::Wrap), "wrap", "break long lines, or cut them"),
    on(KeyCode::Esc, Command::Back, "close", "close"),
    key('q', Command::Back, "", "close"),
];

const LOG_FILTER: &[Bind] = &[
    on(KeyCode::Enter, Command::Accept, "keep the filter", "keep the filter"),
    on(KeyCode::Esc, Command::Back, "no filter", "no filter"),
];

const CONFIRM: &[Bind] = &[
    key('y', Command::Accept, "yes", "yes"),
    key('n', Command::Back, "no", "no"),
    on(KeyCode::Enter, Command::Accept, "", "yes"),
    on(KeyCode::Esc, Command::Back, "", "no"),
];

const NONE: &[Bind] = &[];

/// The tables of a mode, the nearest first.
const fn tables(mode: Mode) -> [&'static [Bind]; 4] {
    match mode {
        Mode::Screen(pane) => {
            let own = match pane {
                Pane::Policy => POLICY_PANE,
                Pane::Chaos => CHAOS_PANE,
                Pane::Containers => CONTAINERS_PANE,
                Pane::Activity => ACTIVITY_PANE,
                Pane::Manifest | Pane::Traffic => NONE,
            };
            [own, OPERATIONS, SCREEN, ANYWHERE]
        }
        Mode::Menu => [LIST, MENU, NONE, ANYWHERE],
        Mode::Palette => [LIST, INPUT, NONE, ANYWHERE],
        Mode::Reader => [READER, NONE, NONE, ANYWHERE],
        Mode::Decision => [DECISION, READER, NONE, ANYWHERE],
        Mode::Promote => [PROMOTE, NONE, NONE, ANYWHERE],
        Mode::Chaos => [CHAOS, NONE, NONE, ANYWHERE],
        Mode::Teardown => [TEARDOWN, INPUT, NONE, ANYWHERE],
        Mode::Logs => [LOGS, NONE, NONE, ANYWHERE],
        Mode::LogFilter => [LOG_FILTER, INPUT, NONE, ANYWHERE],
        Mode::Confirm => [CONFIRM, NONE, NONE, ANYWHERE],
    }
}

/// All keys of a mode.
pub fn binds(mode: Mode) -> impl Iterator<Item = &'static Bind> {
    tables(mode).into_iter().flatten()
}

/// What a key means in a mode.
#[must_use]
pub fn command(mode: Mode, chord: Chord) -> Option<Command> {
    binds(mode).find(|bind| bind.chord == chord).map(|bind| bind.command)
}

/// Keys and words of a mode, the most useful first.
#[must_use]
pub fn hints(mode: Mode) -> Vec<(String, &'static str)> {
    binds(mode).filter(|bind| !bind.hint.is_empty()).map(|bind| (bind.chord.to_string(), bind.hint)).collect()
}

/// What Enter does in a pane, for its border.
#[must_use]
pub fn enter_of(pane: Pane) -> Option<&'static str> {
    let [own, ..] = tables(Mode::Screen(pane));
    own.iter().find(|bind| bind.chord.code == KeyCode::Enter).map(|bind| bind.hint)
}

/// Keys and words of the operations for the footer of the screen.
#[must_use]
pub fn operations() -> Vec<(String, &'static str)> {
    OPERATIONS.iter().map(|bind| (bind.chord.to_string(), bind.hint)).collect()
}

/// The key that means a command on the screen, for the menu and the palette.
#[must_use]
pub fn key_of(command: Command) -> Option<String> {
    OPERATIONS.iter().chain(SCREEN).find(|bind| bind.command == command).map(|bind| bind.chord.to_string())
}

/// A part of the help: a title, then keys and what they do.
pub struct HelpSection {
    /// The title.
    pub title: &'static str,
    /// Keys (those with the same meaning joined) and meaning.
    pub rows: Vec<(String, &'static str)>,
}

/// The whole help, made from the tables.
#[must_use]
pub fn help() -> Vec<HelpSection> {
    [
        ("operations", OPERATIONS),
        ("screen", SCREEN),
        ("anywhere", ANYWHERE),
        ("3 containers", CONTAINERS_PANE),
        ("4 policy", POLICY_PANE),
        ("5 chaos", CHAOS_PANE),
        ("6 activity", ACTIVITY_PANE),
        ("logs", LOGS),
        ("promote", PROMOTE),
        ("chaos menu", CHAOS),
        ("teardown", TEARDOWN),
    ]
    .map(|(title, table)| HelpSection { title, rows: joined(table) })
    .into()
}

/// Neighbours with the same meaning become one row.
fn joined(table: &[Bind]) -> Vec<(String, &'static str)> {
    let mut rows: Vec<(String, &'static str)> = Vec::new();
    for bind in table {
        match rows.last_mut() {
            Some((keys, help)) if *help == bind.help => {
                keys.push(' ');
                keys.push_str(&bind.chord.to_string());
            }
            _ => rows.push((bind.chord.to_string(), bind.help)),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn modes() -> Vec<Mode> {
        let others = [
            Mode::Menu,
            Mode::Palette,
            Mode::Reader,
            Mode::Decision,
            Mode::Promote,
            Mode::Chaos,
            Mode::Teardown,
            Mode::Logs,
            Mode::LogFilter,
            Mode::Confirm,
        ];
        Pane::ALL.into_iter().map(Mode::Screen).chain(others).collect()
    }

    #[test]
    fn no_mode_binds_a_key_twice() {
        for mode in modes() {
            let mut seen = HashSet::new();
            for bind in binds(mode) {
                assert!(seen.insert(bind.chord), "{} twice in {mode:?}", bind.chord);
            }
        }
    }

    #[test]
    fn every_mode_can_be_left_and_interrupted() {
        for mode in modes() {
            let escape = Chord { code: KeyCode::Esc, ctrl: false };
            let interrupt = Chord { code: KeyCode::Char('c'), ctrl: true };
            assert_eq!(command(mode, escape), Some(Command::Back), "{mode:?}");
            assert_eq!(command(mode, interrupt), Some(Command::Interrupt), "{mode:?}");
        }
    }

    #[test]
    fn modes_with_a_text_input_leave_the_letters_to_it() {
        for mode in [Mode::Palette, Mode::Teardown, Mode::LogFilter] {
            assert!(binds(mode).all(|bind| bind.chord.typed().is_none()), "{mode:?}");
        }
    }

    #[test]
    fn everything_that_is_bound_is_explained() {
        assert!(modes().into_iter().flat_map(binds).all(|bind| !bind.help.is_empty()));
    }

    #[test]
    fn no_bare_letter_of_the_screen_destroys_anything() {
        for pane in Pane::ALL {
            for bind in binds(Mode::Screen(pane)) {
                // Killing the canary belongs to the chaos pane alone; teardown only opens its dialog.
                if bind.command == Command::Ask(Ask::Kill) {
                    assert_eq!(pane, Pane::Chaos);
                }
            }
        }
    }

    #[test]
    fn shift_tab_is_one_chord_however_the_terminal_tells_it() {
        let shifted = KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT);
        let back = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(Chord::of(&shifted), Chord::of(&back));
        assert_eq!(Chord::of(&KeyEvent::new(KeyCode::Char('d'), KeyModifiers::ALT)), None);
    }

    #[test]
    fn the_help_lists_every_key_of_the_screen() {
        let rows: Vec<_> = help().into_iter().flat_map(|section| section.rows).collect();
        let is_listed = |key: &str| rows.iter().any(|(keys, _)| keys.split(' ').any(|listed| listed == key));
        for pane in Pane::ALL {
            for bind in binds(Mode::Screen(pane)) {
                assert!(is_listed(&bind.chord.to_string()), "{} is missing", bind.chord);
            }
        }
    }
}
