//! `metrics`: what the gate would see between two saved scrapes, by the very
//! code that the gate uses; or whether one scrape is sound.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::print::line;
use crate::manifest::Document;
use crate::telemetry::{Figures, Names, check, compare};

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
pub(in super::super) fn run(common: &Common, question: &Question) -> Result<ExitCode, Failure> {
    if let Some(file) = &question.check {
        let body = std::fs::read(file).map_err(|error| unreadable(file, &error))?;
        let checked = check(&body).map_err(|fault| {
            Failure::new(
                format!("{}:{}: {}", file.display(), fault.line, fault.reason),
                "correct what emits it",
            )
        })?;
        if common.json {
            line(&serde_json::json!(checked).to_string())?;
        } else {
            line(&format!("{} samples in {} families", checked.samples, checked.families))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (Some(from), Some(to)) = (&question.from, &question.to) else {
        return Err(Failure::new("nothing to look at", "say `--from A --to B`, or `--check F`"));
    };
    let read = |file: &Path| std::fs::read_to_string(file).map_err(|error| unreadable(file, &error));
    let figures = compare(&read(from)?, &read(to)?, &names(common), question.window)
        .map_err(|fault| Failure::new(fault.to_string(), fault.next_step()))?;
    if common.json {
        line(&serde_json::json!(figures).to_string())?;
    } else {
        for text in lines(&figures) {
            line(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The manifest's names; the usual ones where there is no manifest.
fn names(common: &Common) -> Names {
    let document = Document::load(&common.manifest).ok();
    let metrics = document.map(|document| document.manifest().metrics.clone());
    metrics.map_or_else(
        || Names {
            requests: "http_requests_total".into(),
            duration: "http_request_duration_seconds".into(),
            path_label: "path".into(),
            status_label: "status_code".into(),
        },
        |metrics| Names {
            requests: metrics.requests,
            duration: metrics.duration,
            path_label: metrics.path_label,
            status_label: metrics.status_label,
        },
    )
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", file.display()), "name a file that can be read")
}

fn lines(figures: &Figures) -> Vec<String> {
    let known = |value: Option<f64>| value.map_or_else(|| "no data".to_owned(), |value| value.to_string());
    vec![
        format!("requests     {} ({:.2}/s)", figures.requests, figures.request_rate),
        format!("errors       {}", figures.errors),
        format!("error rate   {}", known(figures.error_rate)),
        format!("P99          {} ms", known(figures.p99_latency_ms)),
        format!("resets       {}", figures.resets),
    ]
}
