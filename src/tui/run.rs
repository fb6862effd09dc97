//! The loop: waits for keys, engine events, answers and the next deadline;
//! hands each to `update`; carries out the effects; draws when something
//! changed, at most 30 times a second. The first frame waits for nothing.

mod tasks;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{Event as TerminalEvent, EventStream, KeyEventKind};
use futures_util::{Stream, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::clock::SharedClock;
use crate::engine::Event;

use super::backend::Backend;
use super::effect::Effect;
use super::farewell::Farewell;
use super::guard::{self, Guard, TuiError, doing};
use super::keymap::Chord;
use super::message::{Message, Resync, TerminalMessage};
use super::moment::Now;
use super::options::Options;
use super::signals::{self, Signals, Told};
use super::state::State;
use super::update::update;
use super::view::{self, Measured};

use tasks::Tasks;

/// Shortest time between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// Runs the terminal app until it is left. Tells what to say afterwards.
pub async fn run(
    backend: Arc<dyn Backend>,
    clock: SharedClock,
    options: Options,
) -> Result<Farewell, TuiError> {
    let mut guard = Guard::take()?;
    let mut signals = Signals::new().map_err(doing("listen for signals"))?;
    let state = State::new(backend.header(), options.theme_name(), guard.size()?, Now::read(&*clock));
    let told = futures_util::stream::poll_fn(move |context| {
        let next = std::pin::pin!(signals.next());
        next.poll(context).map(Some)
    });
    let session = Session { state, screen: &mut guard, backend, clock };
    let state = session.run(EventStream::new(), told).await?;
    drop(guard);
    Ok(Farewell::of(&state, std::env::current_dir().ok().as_deref()))
}

/// Where frames go. The terminal, or a buffer in tests.
pub(super) trait Screen {
    /// Draws a frame.
    fn draw(&mut self, state: &State) -> Result<Measured, TuiError>;
    /// Forgets what is shown.
    fn clear(&mut self) -> Result<(), TuiError>;
    /// Gives the terminal to the shell, stops the process, and takes the
    /// terminal again when it goes on.
    fn suspend(&mut self) -> Result<(), TuiError>;
    /// Takes the terminal again.
    fn resume(&mut self) -> Result<(), TuiError>;
}

impl Screen for &mut Guard {
    fn draw(&mut self, state: &State) -> Result<Measured, TuiError> {
        Guard::draw(self, |frame| view::draw(state, frame))
    }

    fn clear(&mut self) -> Result<(), TuiError> {
        Guard::clear(self)
    }

    fn suspend(&mut self) -> Result<(), TuiError> {
        self.pause();
        signals::stop();
        Guard::resume(self)
    }

    fn resume(&mut self) -> Result<(), TuiError> {
        Guard::resume(self)
    }
}

/// What woke the loop.
enum Woken {
    Input(Option<io::Result<TerminalEvent>>),
    Engine(Result<Event, RecvError>),
    Task(Message),
    Told(Told),
    Time,
}

/// A run of the app.
pub(super) struct Session<S> {
    /// What is shown.
    pub state: State,
    /// Where.
    pub screen: S,
    /// Who is asked.
    pub backend: Arc<dyn Backend>,
    /// What time it is.
    pub clock: SharedClock,
}

impl<S: Screen> Session<S> {
    /// Runs until an effect says to quit; returns the last state.
    pub async fn run(
        mut self,
        mut input: impl Stream<Item = io::Result<TerminalEvent>> + Unpin,
        mut told: impl Stream<Item = Told> + Unpin,
    ) -> Result<State, TuiError> {
        let mut drawn_at = self.draw()?;
        let mut events = Some(self.backend.subscribe());
        let mut tasks = Tasks::new(Arc::clone(&self.backend));
        let start = Resync { missed: 0, snapshot: self.backend.snapshot(), running: Vec::new() };
        let mut pending = vec![Message::Resynced(start)];
        let mut is_dirty = true;
        let mut has_input = true;
        loop {
            for message in pending.drain(..) {
                is_dirty = true;
                let effects = update(&mut self.state, message, Now::read(&*self.clock));
                for effect in effects {
                    if effect == Effect::Quit {
                        tasks.end().await;
                        return Ok(self.state);
                    }
                    self.carry_out(effect, &mut tasks)?;
                }
            }
            if guard::has_panicked() {
                return Err(TuiError::Panicked);
            }
            let now = self.clock.instant();
            if is_dirty && now.saturating_duration_since(drawn_at) >= FRAME {
                drawn_at = self.draw()?;
                is_dirty = false;
            }
            let deadline = if is_dirty { drawn_at + FRAME } else { self.state.next_deadline() };
            let wait = deadline.saturating_duration_since(self.clock.instant());
            let woken = tokio::select! {
                event = input.next(), if has_input => Woken::Input(event),
                event = next_event(&mut events) => Woken::Engine(event),
                message = tasks.next() => Woken::Task(message),
                Some(told) = told.next() => Woken::Told(told),
                () = tokio::time::sleep(wait) => Woken::Time,
            };
            match woken {
                Woken::Input(Some(Ok(event))) => pending.extend(terminal_message(event)),
                // The terminal is gone: nobody is left to ask.
                Woken::Input(Some(Err(_)) | None) => {
                    has_input = false;
                    pending.push(Message::Terminal(TerminalMessage::EndAsked));
                }
                Woken::Engine(Ok(event)) => pending.push(Message::Engine(event)),
                Woken::Engine(Err(RecvError::Lagged(missed))) => {
                    let snapshot = self.backend.snapshot();
                    let running = self.backend.running();
                    pending.push(Message::Resynced(Resync { missed, snapshot, running }));
                }
                Woken::Engine(Err(RecvError::Closed)) => events = None,
                Woken::Task(message) => pending.push(message),
                Woken::Told(Told::End) => pending.push(Message::Terminal(TerminalMessage::EndAsked)),
                Woken::Told(Told::Continue) => {
                    self.screen.resume()?;
                    pending.push(Message::Terminal(TerminalMessage::Resumed));
                }
                // Waiting for the next frame is no reason to tick.
                Woken::Time if is_dirty => {}
                Woken::Time => pending.push(Message::Ticked),
            }
        }
    }

    fn draw(&mut self) -> Result<Instant, TuiError> {
        let measured = self.screen.draw(&self.state)?;
        let now = Now::read(&*self.clock);
        // Only scroll positions follow from this; there is nothing new to draw.
        let _none = update(&mut self.state, Message::Terminal(TerminalMessage::Drawn(measured)), now);
        Ok(now.instant)
    }

    fn carry_out(&mut self, effect: Effect, tasks: &mut Tasks) -> Result<(), TuiError> {
        match effect {
            Effect::Dispatch(action) => tasks.dispatch(action),
            Effect::Cancel => self.backend.cancel(),
            Effect::OpenLogs { service, generation } => tasks.open_logs(service, generation),
            Effect::CloseLogs => tasks.close_logs(),
            Effect::ListBelongings { generation } => tasks.list_belongings(generation),
            Effect::Explain { decision, generation } => tasks.explain(*decision, generation),
            Effect::Replay { generation } => tasks.replay(generation),
            Effect::Repaint => self.screen.clear()?,
            Effect::Suspend => self.screen.suspend()?,
            // The loop has left before.
            Effect::Quit => {}
        }
        Ok(())
    }
}

/// The next engine event; never, once the engine is gone.
async fn next_event(events: &mut Option<broadcast::Receiver<Event>>) -> Result<Event, RecvError> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// What a terminal event means to the app.
fn terminal_message(event: TerminalEvent) -> Option<Message> {
    let message = match event {
        TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => {
            TerminalMessage::Key(Chord::of(&key)?)
        }
        TerminalEvent::Paste(text) => TerminalMessage::Pasted(text),
        TerminalEvent::Resize(width, height) => TerminalMessage::Resized { width, height },
        TerminalEvent::Key(_)
        | TerminalEvent::Mouse(_)
        | TerminalEvent::FocusGained
        | TerminalEvent::FocusLost => return None,
    };
    Some(Message::Terminal(message))
}
