//! The one thread that writes the queues, behind the ledger and never before it.

use super::rows::with_phases;
use lienthong_store::Position;
use lienthong_store::queues::{Change, Queues, QueuesError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime;
use tokio::sync::{Notify, mpsc, watch};

/// Rows of one commit.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) changes: Vec<Change>,
    /// The ledger position they reflect.
    pub(crate) mark: Position,
}

/// Commits whose rows may wait: a second of the highest load. Then the loop waits for the queues.
pub(crate) const WAITING: usize = 1_024;

/// Rows are written at once after a pause, and under load so often: those of one dossier that follow each other become
/// one, and a page of sled is written once for many. A reader cuts it short; who watches an inbox under load sees what is
/// new this much later.
const GATHER: Duration = Duration::from_millis(200);

/// How often the rows are made durable. What is lost is written again from the ledger at the next start.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// The longest wait for the queues: sled was seen to hang for ever on a disk that fails every write. A reader is then
/// refused, and a loop that waits this long ends the node.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The way to the queues.
#[derive(Debug)]
pub(crate) struct ToQueues {
    rows: mpsc::Sender<Rows>,
    wanted: Arc<Notify>,
}

impl ToQueues {
    /// `wanted` cuts the gathering short.
    pub(crate) fn new(rows: mpsc::Sender<Rows>, wanted: Arc<Notify>) -> Self {
        Self { rows, wanted }
    }

    /// Waits when too many are waiting. `false` when the queues stand still or have stopped.
    pub(crate) async fn send(&self, rows: Rows) -> bool {
        if self.rows.capacity() <= WAITING / 2 {
            self.wanted.notify_one();
        }
        matches!(tokio::time::timeout(PATIENCE, self.rows.send(rows)).await, Ok(Ok(())))
    }

    /// Commits whose rows wait.
    pub(crate) fn waiting(&self) -> u64 {
        (self.rows.max_capacity() - self.rows.capacity()) as u64
    }
}

/// How far the queues are.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    reached: watch::Receiver<Position>,
    durable: watch::Receiver<Position>,
    wanted: Arc<Notify>,
}

impl Applied {
    /// `wanted` is told when somebody waits.
    pub(crate) fn new(
        reached: watch::Receiver<Position>,
        durable: watch::Receiver<Position>,
        wanted: Arc<Notify>,
    ) -> Self {
        Self { reached, durable, wanted }
    }

    /// Waits until the rows reflect everything that is durable now, so that a caller finds what it was told of.
    /// `false` when the queues have stopped, or stand still.
    pub(crate) async fn caught_up(&mut self) -> bool {
        let durable = *self.durable.borrow();
        if *self.reached.borrow() < durable {
            self.wanted.notify_one();
        }
        let level = self.reached.wait_for(|reached| *reached >= durable);
        matches!(tokio::time::timeout(PATIENCE, level).await, Ok(Ok(_)))
    }

    /// Waits until there are more rows. `false` when the queues have stopped.
    pub(crate) async fn more(&mut self) -> bool {
        self.reached.changed().await.is_ok()
    }
}

/// Runs until the loop lets go of its end. An error stops the node: at the next start the queues are set aside and
/// filled from the ledger.
pub(crate) fn run(
    queues: &Arc<Queues>,
    mut rows: mpsc::Receiver<Rows>,
    reached: &watch::Sender<Position>,
    wanted: &Notify,
    runtime: &runtime::Handle,
) -> Result<(), QueuesError> {
    let mut flushed = Instant::now();
    let mut gathered = tokio::time::Instant::now();
    while let Some(next) = rows.blocking_recv() {
        // Either way it is time.
        let _ =
            runtime.block_on(async { tokio::time::timeout_at(gathered + GATHER, wanted.notified()).await });
        gathered = tokio::time::Instant::now();
        let mut changes = next.changes;
        let mut mark = next.mark;
        while let Ok(more) = rows.try_recv() {
            changes.extend(more.changes);
            mark = more.mark;
        }
        queues.apply(mark, with_phases(queues, changes)?)?;
        reached.send_replace(mark);
        if flushed.elapsed() >= FLUSH_EVERY {
            queues.flush()?;
            flushed = Instant::now();
        }
    }
    queues.flush()
}
