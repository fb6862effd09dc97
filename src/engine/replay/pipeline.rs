//! One reader, several askers, one listener. Batches are dealt to the askers
//! in turn and collected in the same turn, so that they arrive in order
//! without being sorted.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::ask::{Askers, OneAsker};
use super::{Judged, ReplayError};
use crate::history::{HistoryError, RawLine, RawLines};

/// Lines of a batch: enough that handing it over costs nothing.
const LINES: usize = 128;
/// Bytes of a batch, since a line may be large.
const BYTES: usize = 1 << 20;
/// Batches that wait before and behind each asker.
const WAITING: usize = 2;

type Batch = Vec<Result<RawLine, HistoryError>>;
type JudgedBatch = Vec<Result<Judged, HistoryError>>;

/// Sends every line through; `false` when an asker broke down.
pub(super) fn run(
    lines: RawLines,
    askers: &Askers,
    take: &mut dyn FnMut(Judged) -> Result<(), ReplayError>,
) -> Result<bool, ReplayError> {
    thread::scope(|scope| {
        let mut to = Vec::new();
        let mut from = Vec::new();
        let mut working = Vec::new();
        for _ in 0..askers.threads() {
            let (send_raw, raw) = sync_channel::<Batch>(WAITING);
            let (send_judged, judged) = sync_channel::<JudgedBatch>(WAITING);
            to.push(send_raw);
            from.push(judged);
            working.push(scope.spawn(move || work(&askers.one(), &raw, &send_judged)));
        }
        working.push(scope.spawn(move || deal(lines, &to)));
        let outcome = collect(&from, take);
        // Whoever still wants to hand something over sees that nobody listens.
        drop(from);
        let ended: Vec<bool> = working.into_iter().map(|thread| thread.join().is_ok()).collect();
        outcome.map(|()| ended.into_iter().all(|is_well| is_well))
    })
}

fn deal(lines: RawLines, to: &[SyncSender<Batch>]) {
    let mut turn = to.iter().cycle();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for line in lines {
        bytes += line.as_ref().map_or(0, RawLine::length);
        batch.push(line);
        if batch.len() >= LINES || bytes >= BYTES {
            bytes = 0;
            let full = std::mem::take(&mut batch);
            if turn.next().is_none_or(|asker| asker.send(full).is_err()) {
                return;
            }
        }
    }
    if let Some(asker) = turn.next().filter(|_| !batch.is_empty()) {
        // Nobody listens any more: then nobody misses it.
        let _gone = asker.send(batch);
    }
}

fn work(asker: &OneAsker<'_>, raw: &Receiver<Batch>, judged: &SyncSender<JudgedBatch>) {
    for batch in raw {
        let done = batch.into_iter().map(|line| line.map(|line| judge(asker, line))).collect();
        if judged.send(done).is_err() {
            return;
        }
    }
}

fn judge(asker: &OneAsker<'_>, line: RawLine) -> Judged {
    let line = line.read();
    let finding = line.record().and_then(Result::ok).and_then(|record| asker.judge(&record.entry));
    Judged { line, finding }
}

fn collect(
    from: &[Receiver<JudgedBatch>],
    take: &mut dyn FnMut(Judged) -> Result<(), ReplayError>,
) -> Result<(), ReplayError> {
    for asker in from.iter().cycle() {
        // The first whose turn brings nothing has had the last batch before.
        let Ok(batch) = asker.recv() else { break };
        for judged in batch {
            take(judged?)?;
        }
    }
    Ok(())
}
