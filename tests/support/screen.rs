//! The app in a pseudo-terminal: keys go in, a real screen comes out.
#![allow(dead_code, reason = "every program uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests: clippy knows only test functions as tests, and waiting needs the machine's clock"
)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// The terminal's own key codes.
pub const DOWN: &str = "\x1b[B";
/// Enter.
pub const ENTER: &str = "\r";
/// Escape.
pub const ESC: &str = "\x1b";

/// A program with its arguments in a folder, in a terminal with colours.
pub fn program(program: impl AsRef<Path>, args: &[&str], folder: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(program.as_ref());
    command.args(args);
    command.cwd(folder);
    command.env("TERM", "xterm-256color");
    for other in ["NO_COLOR", "DOCKER_HOST"] {
        command.env_remove(other);
    }
    command
}

/// What a shell runs first: it remembers the terminal's settings, and can tell
/// how a program ended and how it left the terminal.
const TELLING: &str = r#"before=$(stty -g)
tell() {
  echo "ended with $1"
  if [ "$before" = "$(stty -g)" ]; then echo "every setting is as before"; fi
  stty -a
  echo "the shell is back"
}
"#;

/// The same program started by a shell that shows afterwards how it ended and
/// how it left the terminal: `ended with 0`, then what `stty -a` says.
pub fn in_shell(program: impl AsRef<Path>, args: &[&str], folder: &Path) -> CommandBuilder {
    shell(r#""$0" "$@"; tell $?"#, program, args, folder)
}

/// A shell that obeys what is typed, with the program as its command
/// `swiftdeploy`; `swiftdeploy; tell $?` shows what [`in_shell`] does.
pub fn typed(program: impl AsRef<Path>, folder: &Path) -> CommandBuilder {
    let script = r#"swiftdeploy() { "$program" "$@"; }
program=$0
while printf '$ ' && IFS= read -r line; do eval "$line"; done"#;
    shell(script, program, &[], folder)
}

/// A shell that runs a script, with a program as `$0` and its arguments; the
/// script may call `tell $?`.
pub fn shell(script: &str, program: impl AsRef<Path>, args: &[&str], folder: &Path) -> CommandBuilder {
    let script = format!("{TELLING}{script}");
    let path = program.as_ref().to_str().unwrap();
    let all = [&["-c", script.as_str(), path], args].concat();
    self::program("/bin/sh", &all, folder)
}

/// The private modes of a terminal that are on after everything written to it:
/// `1049` is the alternate screen, `25` the cursor, `2004` bracketed paste,
/// those from `1000` to `1006` report the mouse.
pub fn modes_on(raw: &str) -> BTreeSet<&str> {
    let mut on = BTreeSet::new();
    for sequence in raw.split("\x1b[?").skip(1) {
        let Some(end) = sequence.find(|c: char| !c.is_ascii_digit() && c != ';') else { continue };
        for mode in sequence[..end].split(';') {
            match sequence.as_bytes()[end] {
                b'h' => drop(on.insert(mode)),
                b'l' => drop(on.remove(mode)),
                _ => {}
            }
        }
    }
    on
}

/// Settings that a shell needs and that a full-screen program switches off.
const COOKED: [&str; 5] = ["icanon", "echo", "isig", "icrnl", "opost"];

/// Whether `stty -a` tells a setting; `-echo` contains `echo`, so whole words
/// only.
fn is_set(told: &str, setting: &str) -> bool {
    told.split_whitespace().any(|word| word.trim_end_matches(';') == setting)
}

/// A program on a screen.
pub struct Screen {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Mutex<Shown>>,
}

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
}

impl Shown {
    /// Whether no frame is under way (synchronized update, mode 2026).
    fn is_whole(&self) -> bool {
        let last = |sequence: &[u8]| self.raw.windows(sequence.len()).rposition(|bytes| bytes == sequence);
        last(b"\x1b[?2026h") <= last(b"\x1b[?2026l")
    }
}

/// Rows or columns for the parser, which wants at least one.
fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

const fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

impl Screen {
    /// Starts a command on a screen of its own.
    pub fn open(command: CommandBuilder, rows: u16, cols: u16) -> Self {
        let pair = native_pty_system().openpty(size(rows, cols)).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let shown = Arc::new(Mutex::new(Shown {
            parser: vt100::Parser::new(cells(rows), cells(cols), 0),
            raw: Vec::new(),
        }));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let sink = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let mut shown = sink.lock().unwrap_or_else(PoisonError::into_inner);
                shown.parser.process(&bytes[..count]);
                shown.raw.extend_from_slice(&bytes[..count]);
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Self { master: pair.master, writer, child, shown }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// The text on the screen now: a whole frame, as a terminal shows it. One
    /// that was begun and never ended counts after a moment.
    pub fn text(&self) -> String {
        let began = Instant::now();
        loop {
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            if shown.is_whole() || began.elapsed() > Duration::from_secs(1) {
                return shown.parser.screen().contents();
            }
            drop(shown);
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Everything that was ever written to the terminal.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap_or_else(PoisonError::into_inner).raw).into_owned()
    }

    /// The screen with its colours.
    pub fn cells<T>(&self, read: impl FnOnce(&vt100::Screen) -> T) -> T {
        read(self.shown.lock().unwrap_or_else(PoisonError::into_inner).parser.screen())
    }

    /// Waits until a text is on the screen.
    #[track_caller]
    pub fn wait_for(&self, text: &str, within: Duration) -> String {
        self.wait_until(&format!("{text:?} on the screen"), within, |screen| screen.contains(text))
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    pub fn wait_until(&self, what: &str, within: Duration, mut is_so: impl FnMut(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.text();
            if is_so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < within, "{what}: not within {within:?}; the screen:\n{screen}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Gives the screen another size.
    pub fn resize(&self, rows: u16, cols: u16) {
        self.master.resize(size(rows, cols)).unwrap();
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .parser
            .screen_mut()
            .set_size(cells(rows), cells(cols));
    }

    /// Requires that a program has the terminal: its own screen without a
    /// cursor, every key at once and unchanged, pasted text told apart.
    #[track_caller]
    pub fn assert_taken(&self) {
        self.cells(|cells| {
            assert!(cells.alternate_screen() && cells.hide_cursor() && cells.bracketed_paste());
        });
        let terminal = self.master.tty_name().unwrap();
        let told = std::process::Command::new("stty").arg("-F").arg(&terminal).arg("-a").output().unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        for setting in COOKED {
            assert!(is_set(&told, &format!("-{setting}")), "{setting} is on:\n{told}");
        }
    }

    /// Waits for what [`in_shell`] says, and requires that the terminal is as
    /// it was: the same settings in the kernel, and on the screen nothing that
    /// was switched on is still on. Gives the text after the program's end.
    #[track_caller]
    pub fn wait_restored(&self, within: Duration) -> String {
        let screen = self.wait_for("the shell is back", within);
        let raw = self.raw();
        assert!(raw.contains("\x1b[?1049h"), "it never had the screen: {raw:?}");
        let (_, after) = raw.rsplit_once("\x1b[?1049l").unwrap_or_else(|| panic!("no way back in {raw:?}"));
        self.cells(|cells| {
            assert!(!cells.alternate_screen(), "still on the alternate screen");
            assert!(!cells.hide_cursor(), "the cursor is hidden");
            assert!(!cells.bracketed_paste(), "bracketed paste is on");
            assert_eq!(cells.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        });
        assert_eq!(modes_on(&raw), BTreeSet::from(["25"]), "left on: {raw:?}");
        assert!(after.contains("every setting is as before"), "{after}");
        for setting in COOKED {
            assert!(is_set(after, setting), "{setting} is off:\n{after}");
        }
        screen
    }

    /// The process that a shell on the screen has started.
    #[track_caller]
    pub fn started(&self) -> u32 {
        let shell = format!("PPid:\t{}", self.pid());
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .find(|pid: &u32| {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                status.lines().any(|line| line == shell)
            })
            .unwrap_or_else(|| panic!("nothing was started; the screen:\n{}", self.text()))
    }

    /// The process on the screen.
    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn wait_end(&mut self, within: Duration) -> portable_pty::ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < within, "it does not end; the screen:\n{}", self.text());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
