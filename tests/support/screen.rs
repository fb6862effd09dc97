//! The app in a pseudo-terminal: keys go in, a real screen comes out.
#![allow(dead_code, reason = "every program uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests: clippy knows only test functions as tests, and waiting needs the machine's clock"
)]

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

/// The same program started by a shell that shows afterwards how it ended and
/// how it left the terminal: `ended with 0`, then what `stty -a` says.
pub fn in_shell(program: impl AsRef<Path>, args: &[&str], folder: &Path) -> CommandBuilder {
    let script = r#""$0" "$@"; echo "ended with $?"; stty -a; echo "the shell is back""#;
    let mut all = vec!["-c", script];
    let path = program.as_ref().to_str().unwrap().to_owned();
    all.push(&path);
    all.extend(args);
    self::program("/bin/sh", &all, folder)
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

    /// The text on the screen now.
    pub fn text(&self) -> String {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).parser.screen().contents()
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

    /// Waits for what [`in_shell`] says, and requires that the terminal is as
    /// a shell needs it. Gives the text after the program's end.
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
        // `-echo` contains `echo`: whole words only.
        let words: Vec<&str> = after.split_whitespace().map(|word| word.trim_end_matches(';')).collect();
        for setting in ["icanon", "echo", "isig", "icrnl", "opost"] {
            assert!(words.contains(&setting), "{setting} is off:\n{after}");
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
