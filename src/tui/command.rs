//! What a key means. Keys, the menu and the palette all end here.

/// A pane of the screen, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pane {
    /// 1: what the person wrote.
    Manifest,
    /// 2: what the service does.
    Traffic,
    /// 3: what runs.
    Containers,
    /// 4: what the gates say.
    Policy,
    /// 5: faults made on purpose.
    Chaos,
    /// 6: what was done.
    Activity,
}

impl Pane {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Manifest, Self::Traffic, Self::Containers, Self::Policy, Self::Chaos, Self::Activity];

    /// Its place in [`Pane::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Manifest => 0,
            Self::Traffic => 1,
            Self::Containers => 2,
            Self::Policy => 3,
            Self::Chaos => 4,
            Self::Activity => 5,
        }
    }

    /// Its title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Traffic => "traffic",
            Self::Containers => "containers",
            Self::Policy => "policy",
            Self::Chaos => "chaos",
            Self::Activity => "activity",
        }
    }

    /// The pane after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::ALL[(self.index() + 1) % Self::ALL.len()]
    }

    /// The pane before this one.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self::ALL[(self.index() + Self::ALL.len() - 1) % Self::ALL.len()]
    }
}

/// What a key, a menu line or a palette line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// An action of the engine.
    Ask(Ask),
    /// Something on top of the screen.
    Open(Open),
    /// Keys go to this pane.
    Focus(Pane),
    /// Keys go to the next pane.
    FocusNext,
    /// Keys go to the pane before.
    FocusPrevious,
    /// The focused pane fills the screen, or no longer does.
    Zoom,
    /// Up, down and so on, wherever the keys go.
    Move(Move),
    /// Yes, this one.
    Accept,
    /// Away with what is on top; else cancel what runs.
    Back,
    /// Inside the log viewer.
    Log(LogCommand),
    /// Inside the teardown dialog: the generated files too, or not.
    ToggleClean,
    /// Inside the chaos menu: longer.
    Longer,
    /// Inside the chaos menu: shorter.
    Shorter,
    /// Deletes the character before the cursor.
    Erase,
    /// Empties the input.
    EraseAll,
    /// Other colours.
    NextTheme,
    /// Draws everything anew.
    Repaint,
    /// Back to the shell for a while.
    Suspend,
    /// Leaves; asks while an operation runs.
    Quit,
    /// Like [`Command::Quit`]; the second time it cancels first.
    Interrupt,
}

/// An action of the engine, without what is asked later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Generate the files.
    Init,
    /// Tell what `init` would change.
    CheckInit,
    /// The five checks.
    Validate,
    /// What a deploy would do.
    Plan,
    /// Deploy.
    Deploy,
    /// The canary takes traffic.
    PromoteCanary,
    /// The canary's release becomes the stable one.
    PromoteStable,
    /// Back to the last good release.
    Rollback,
    /// Slow answers.
    Slow,
    /// Failing answers.
    Error,
    /// End the canary's process.
    Kill,
    /// End the fault.
    Recover,
    /// Probe traffic: requests per second, seconds.
    Load(u32, u16),
    /// Probe traffic, as much as the gate of the canary waits for.
    Probe,
    /// The report.
    Audit,
}

/// Something on top of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Everything that can be done.
    Menu,
    /// Everything that can be done, by typing.
    Palette,
    /// All keys.
    Help,
    /// Canary or stable?
    Promote,
    /// Which fault?
    Chaos,
    /// Really remove everything?
    Teardown,
    /// Logs.
    Logs,
    /// The decisions in full.
    Decision,
    /// The last plan.
    Plan,
    /// The recorded decisions asked again.
    Replay,
}

/// A movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// To the left, or the previous one.
    Left,
    /// To the right, or the next one.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
}

/// Inside the log viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogCommand {
    /// Follow new lines, or stay.
    Follow,
    /// Type a filter.
    Filter,
    /// Break long lines, or cut them.
    Wrap,
}
