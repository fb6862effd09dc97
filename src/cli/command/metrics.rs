//! `metrics`: what the gates see now, series by series; what they would see
//! between two saved scrapes, by the very code that they use; or whether one
//! scrape is sound.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::open;
use super::super::print::{Paint, error_line, figure_lines, group_json, group_lines, line};
use crate::engine::{GroupMetrics, metric_names};
use crate::manifest::Document;
use crate::telemetry::exposition::Malformed;
use crate::telemetry::{Names, ScrapeFault, Scraper, check, compare};

/// What is asked.
pub(in super::super) struct Question {
    /// The earlier scrape.
    pub from: Option<PathBuf>,
    /// The later scrape.
    pub to: Option<PathBuf>,
    /// The time between them.
    pub window: Duration,
    /// A scrape to check.
    pub check: Option<PathBuf>,
}

/// Answers.
pub(in super::super) async fn run(common: &Common, question: Question) -> Result<ExitCode, Failure> {
    match question {
        Question { check: Some(file), .. } => sound(common, &file),
        Question { from: Some(from), to: Some(to), window, .. } => saved(common, &from, &to, window),
        Question { .. } => now(common).await,
    }
}

/// Whether a scrape is sound, and how much is in it.
fn sound(common: &Common, file: &Path) -> Result<ExitCode, Failure> {
    let body = read(file)?;
    let checked = match check(&body) {
        Ok(checked) => checked,
        Err(fault) if common.json => {
            let mut told = error_line(&place(file, &fault), CORRECT);
            told["line"] = fault.line.into();
            told["reason"] = fault.reason.into();
            line(&told.to_string())?;
            return Ok(ExitCode::FAILURE);
        }
        Err(fault) => return Err(Failure::new(place(file, &fault), CORRECT)),
    };
    if common.json {
        line(&json!(checked).to_string())?;
    } else {
        line(&format!("{} samples in {} families", checked.samples, checked.families))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The figures between two saved scrapes.
fn saved(common: &Common, from: &Path, to: &Path, window: Duration) -> Result<ExitCode, Failure> {
    let figures = compare(&text(from)?, &text(to)?, &names(common), window)
        .map_err(|fault| Failure::new(fault.to_string(), fault.next_step()))?;
    if common.json {
        line(&json!(figures).to_string())?;
    } else {
        for text in figure_lines(&figures) {
            line(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What the gates see now. Scrapes once and looks back at those that the watch
/// or an earlier call has kept; a window that is still too short is no error,
/// but inconclusive.
async fn now(common: &Common) -> Result<ExitCode, Failure> {
    let engine = open::engine(common, open::target(common).await?)?;
    let found = engine.metrics().await;
    engine.close().await;
    let groups = found?;
    if groups.is_empty() {
        return Err(Failure::new(
            "nothing runs that could be measured",
            "run `swiftdeploy deploy`, or say `--from A --to B`, or `--check F`",
        ));
    }
    if common.json {
        let groups: Vec<_> = groups.iter().map(group_json).collect();
        line(&json!({ "groups": groups }).to_string())?;
    } else {
        let paint = Paint::detect(common.no_color);
        for text in groups.iter().flat_map(|group| group_lines(group, paint)) {
            line(&text)?;
        }
    }
    Ok(exit_code(&groups))
}

fn exit_code(groups: &[GroupMetrics]) -> ExitCode {
    let mut faults = groups.iter().filter_map(|group| group.window.as_ref().err()).peekable();
    if faults.peek().is_none() {
        ExitCode::SUCCESS
    } else if faults.all(|fault| fault.is_too_short) {
        ExitCode::from(3)
    } else {
        ExitCode::FAILURE
    }
}

/// The manifest's names; the usual ones where there is no manifest.
fn names(common: &Common) -> Names {
    let document = Document::load(&common.manifest).ok();
    document.map_or_else(Names::default, |document| metric_names(document.manifest()))
}

/// A scrape as text. Where it is none, the parser says why and where.
fn text(file: &Path) -> Result<String, Failure> {
    String::from_utf8(read(file)?).map_err(|error| match check(error.as_bytes()) {
        Err(fault) => Failure::new(place(file, &fault), CORRECT),
        Ok(_) => Failure::new(format!("{}: {error}", file.display()), CORRECT),
    })
}

/// The bytes of a saved scrape, which is as large as one from the network may
/// be. Only a file has an end: a pipe may never say a word, a device never stop.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| unreadable(file, &error);
    if !std::fs::metadata(file).map_err(failed)?.is_file() {
        let told = format!("{}: not a regular file", file.display());
        return Err(Failure::new(told, "save the metrics in a file and name that"));
    }
    let mut body = Vec::new();
    // One byte more than allowed tells that there is more.
    let most = Scraper::LIMIT as u64 + 1;
    std::fs::File::open(file).map_err(failed)?.take(most).read_to_end(&mut body).map_err(failed)?;
    if body.len() > Scraper::LIMIT {
        let fault = ScrapeFault::TooLarge { limit: Scraper::LIMIT };
        return Err(Failure::new(format!("{}: {fault}", file.display()), fault.next_step()));
    }
    Ok(body)
}

const CORRECT: &str = "correct what emits it";

/// What is wrong with a scrape, and where.
fn place(file: &Path, fault: &Malformed) -> String {
    format!("{}:{}: {}", file.display(), fault.line, fault.reason)
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", file.display()), "name a file that can be read")
}
