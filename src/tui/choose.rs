//! Where should it run? Asked once, before the app, when neither the manifest
//! nor the command line says it and no Docker engine is reachable. Nothing is
//! chosen silently.

use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind};
use futures_util::StreamExt;
use ratatui::Frame;
use ratatui::text::{Line, Span};

use crate::domain::Target;

use super::guard::{Guard, TuiError, doing};
use super::keymap::Chord;
use super::layout;
use super::options::Options;
use super::signals::{Signals, Told};
use super::text;
use super::theme::Theme;
use super::view::{self, Measured};

/// The targets in the order in which they are offered, with what they mean.
const OFFERED: [(Target, &str, &str); 2] = [
    (Target::Local, "l", "processes on this machine; nothing to install"),
    (Target::Docker, "d", "containers; the app waits until Docker answers"),
];

/// What a key does to the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Another line is chosen.
    Look(usize),
    /// This one.
    Take(Target),
    /// None of them.
    Leave,
}

/// Asks on a full screen; `reason` says why Docker cannot be reached. `None`
/// when the person leaves.
pub async fn choose_target(reason: &str, options: Options) -> Result<Option<Target>, TuiError> {
    let theme = options.theme_name().tokens();
    let mut guard = Guard::take()?;
    let mut signals = Signals::new().map_err(doing("listen for signals"))?;
    let mut input = EventStream::new();
    let mut chosen = 0;
    loop {
        guard.draw(|frame| draw(frame, reason, chosen, &theme))?;
        tokio::select! {
            event = input.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    match Chord::of(&key).map(|chord| answer(chord, chosen)) {
                        Some(Answer::Look(line)) => chosen = line,
                        Some(Answer::Take(target)) => return Ok(Some(target)),
                        Some(Answer::Leave) => return Ok(None),
                        None => {}
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(None),
            },
            told = signals.next() => match told {
                Told::End => return Ok(None),
                Told::Continue => guard.resume()?,
            },
        }
    }
}

fn answer(chord: Chord, chosen: usize) -> Answer {
    let last = OFFERED.len() - 1;
    match (chord.code, chord.ctrl) {
        (KeyCode::Up, false) => Answer::Look(chosen.checked_sub(1).unwrap_or(last)),
        (KeyCode::Down | KeyCode::Tab, false) => Answer::Look(if chosen >= last { 0 } else { chosen + 1 }),
        (KeyCode::Enter, false) => Answer::Take(OFFERED[chosen.min(last)].0),
        (KeyCode::Esc | KeyCode::Char('q'), false) | (KeyCode::Char('c'), true) => Answer::Leave,
        (KeyCode::Char(c), false) => OFFERED
            .iter()
            .find(|(_, key, _)| key.starts_with(c))
            .map_or(Answer::Look(chosen), |(target, ..)| Answer::Take(*target)),
        _ => Answer::Look(chosen),
    }
}

fn draw(frame: &mut Frame<'_>, reason: &str, chosen: usize, theme: &Theme) -> Measured {
    let screen = frame.area();
    let columns = 66_u16.min(screen.width);
    let room = usize::from(columns.saturating_sub(6));
    let mut lines = vec![Line::default()];
    lines.push(Line::styled("  The manifest names no target, and Docker is not reachable:", theme.text));
    let reason = text::clean(reason).into_owned();
    lines.extend(
        text::wrap(&reason, room)
            .into_iter()
            .take(3)
            .map(|part| Line::styled(format!("    {part}"), theme.dim)),
    );
    lines.push(Line::default());
    for (place, (target, key, about)) in OFFERED.into_iter().enumerate() {
        let row = format!("{key}  {}{about}", text::left(target.as_str(), 9));
        if place == chosen {
            lines.push(Line::styled(text::left(&format!("  ▸ {row}"), room + 4), theme.selected));
        } else {
            lines.push(Line::from(vec![
                Span::raw("    "),
                Span::styled(key, theme.key),
                Span::styled(format!("  {}", text::left(target.as_str(), 9)), theme.strong),
                Span::styled(about, theme.dim),
            ]));
        }
    }
    lines.push(Line::default());
    lines.push(Line::styled("  `target:` in the manifest or --target answers this for good.", theme.dim));
    lines.push(Line::default());
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let area = layout::centred(screen, columns, height);
    let keys = Line::styled(" Enter choose   Esc leave ", theme.dim);
    let inside = view::frame_box(frame, area, "swiftdeploy · where should it run?", keys, theme.focus, theme);
    view::render(frame, inside, lines, 0);
    Measured::default()
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use rstest::rstest;

    use super::*;
    use crate::tui::theme::ThemeName;

    #[rstest]
    #[case(KeyCode::Enter, false, Answer::Take(Target::Local))]
    #[case(KeyCode::Char('d'), false, Answer::Take(Target::Docker))]
    #[case(KeyCode::Down, false, Answer::Look(1))]
    #[case(KeyCode::Up, false, Answer::Look(1))]
    #[case(KeyCode::Esc, false, Answer::Leave)]
    #[case(KeyCode::Char('c'), true, Answer::Leave)]
    #[case(KeyCode::Char('x'), false, Answer::Look(0))]
    fn keys_answer_the_question(#[case] code: KeyCode, #[case] ctrl: bool, #[case] expected: Answer) {
        assert_eq!(answer(Chord { code, ctrl }, 0), expected);
    }

    #[rstest]
    #[case(120, 36)]
    #[case(80, 24)]
    fn the_question_says_why_it_is_asked(#[case] width: u16, #[case] height: u16) {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let theme = ThemeName::Dark.tokens();
        let reason = "nothing listens at unix:///var/run/docker.sock";
        terminal.draw(|frame| _ = draw(frame, reason, 0, &theme)).unwrap();
        let name = format!("the_question_says_why_it_is_asked_{width}x{height}");
        insta::assert_snapshot!(name, terminal.backend());
    }
}
