//! What the loop has begun and not yet heard of again. Nothing here blocks the
//! loop; everything ends with the app.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::engine::Action;
use crate::policy::Decision;
use crate::runtime::LogRequest;
use crate::tui::backend::Backend;
use crate::tui::message::{Message, Reply};
use crate::tui::state::TAIL;

/// Answers on their way. Full means that the loop is busy; the log's reader
/// then waits, and the log's source with it.
const ANSWERS: usize = 32;
/// Lines of a log that travel together.
const BATCH: usize = 256;
/// How long leaving waits for an action that is just being handed over.
const GRACE: Duration = Duration::from_secs(1);

/// Running tasks and their answers.
pub struct Tasks {
    backend: Arc<dyn Backend>,
    running: JoinSet<()>,
    log: Option<AbortHandle>,
    sender: mpsc::Sender<Message>,
    answers: mpsc::Receiver<Message>,
}

impl Tasks {
    /// Nothing runs.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        let (sender, answers) = mpsc::channel(ANSWERS);
        Self { backend, running: JoinSet::new(), log: None, sender, answers }
    }

    /// The next answer.
    pub async fn next(&mut self) -> Message {
        while self.running.try_join_next().is_some() {}
        match self.answers.recv().await {
            Some(message) => message,
            // Cannot happen while `self.sender` lives.
            None => std::future::pending().await,
        }
    }

    /// Hands an action over.
    pub fn dispatch(&mut self, action: Action) {
        let backend = Arc::clone(&self.backend);
        self.running.spawn(async move { backend.dispatch(action).await });
    }

    /// Reads a log in place of the one that is being read.
    pub fn open_logs(&mut self, service: String, generation: u64) {
        self.close_logs();
        let backend = Arc::clone(&self.backend);
        let sender = self.sender.clone();
        self.log = Some(self.running.spawn(read_log(backend, service, generation, sender)));
    }

    /// Stops reading the log.
    pub fn close_logs(&mut self) {
        if let Some(log) = self.log.take() {
            log.abort();
        }
    }

    /// Finds out what a teardown would remove.
    pub fn list_belongings(&mut self, generation: u64) {
        let backend = Arc::clone(&self.backend);
        let sender = self.sender.clone();
        self.running.spawn(async move {
            let result = backend.belongings().await;
            // A loop that has ended needs no answer.
            let _ended = sender.send(Message::Reply(Reply::Belongings { generation, result })).await;
        });
    }

    /// Finds out where a decision comes from.
    pub fn explain(&mut self, decision: Decision, generation: u64) {
        let backend = Arc::clone(&self.backend);
        let sender = self.sender.clone();
        self.running.spawn(async move {
            let explanation = Box::new(backend.explain(decision).await);
            let _ended = sender.send(Message::Reply(Reply::Explained { generation, explanation })).await;
        });
    }

    /// Asks the recorded decisions again.
    pub fn replay(&mut self, generation: u64) {
        let backend = Arc::clone(&self.backend);
        let sender = self.sender.clone();
        self.running.spawn(async move {
            let result = backend.replay().await.map(Box::new);
            let _ended = sender.send(Message::Reply(Reply::Replayed { generation, result })).await;
        });
    }

    /// Ends everything; what is being handed over gets a moment to arrive.
    pub async fn end(mut self) {
        self.close_logs();
        // Answers are not read any more; a task that waits to send one must not wait in vain.
        self.answers.close();
        let _late =
            tokio::time::timeout(GRACE, async { while self.running.join_next().await.is_some() {} }).await;
        self.running.shutdown().await;
    }
}

/// Passes the lines of a log on, in batches, until it ends or nobody reads.
async fn read_log(
    backend: Arc<dyn Backend>,
    service: String,
    generation: u64,
    sender: mpsc::Sender<Message>,
) {
    let request = LogRequest { service, tail: TAIL, follow: true };
    let error = match backend.logs(request).await {
        Err(error) => Some(error),
        Ok(mut log) => {
            let mut batch = Vec::with_capacity(BATCH);
            while log.recv_many(&mut batch, BATCH).await > 0 {
                let lines = batch.drain(..).map(|line| (line.is_stderr, line.text)).collect();
                if sender.send(Message::Reply(Reply::LogLines { generation, lines })).await.is_err() {
                    return;
                }
            }
            None
        }
    };
    let _ended = sender.send(Message::Reply(Reply::LogEnded { generation, error })).await;
}
