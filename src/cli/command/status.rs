//! `status`: the live dashboard.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::open;
use super::super::print::{Paint, StatusView, line, status_json, status_lines};
use super::super::signals::Signals;

/// Shows the state, once or until a signal.
pub(in super::super) async fn run(
    common: &Common,
    once: bool,
    interval: Option<Duration>,
) -> Result<ExitCode, Failure> {
    let target = open::target(common).await?;
    let engine = open::engine(common, target)?;
    let mut signals = Signals::listen()?;
    let mut looker = engine.looker(interval);
    let paint = Paint::detect(common.no_color);
    loop {
        let pause = tokio::select! {
            pause = looker.look() => pause,
            () = signals.next() => break,
        };
        let view = StatusView::of(engine.snapshot());
        let shown =
            if common.json { line(&status_json(&view).to_string()) } else { show(&view, paint, once) };
        match shown {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            outcome => outcome?,
        }
        if once {
            engine.close().await;
            return Ok(if view.trouble().is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = signals.next() => break,
        }
    }
    engine.close().await;
    Ok(ExitCode::SUCCESS)
}

/// On a terminal the dashboard stays in place; elsewhere one follows another.
fn show(view: &StatusView, paint: Paint, once: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if !once && out.is_terminal() {
        write!(out, "\x1b[H\x1b[2J")?;
    }
    for text in status_lines(view, paint) {
        writeln!(out, "{text}")?;
    }
    if !once {
        writeln!(out)?;
    }
    out.flush()
}
