//! The one thread that writes the queues, behind the ledger and never before it.

use super::handle::Handle;
use super::pressure::Pressure;
use super::rows::in_parts;
use crate::boot::fill::{Standing, fill};
use lienthong_store::queues::{Change, Queues, QueuesError};
use lienthong_store::{Position, Reader};
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
/// one, and a page of sled is written once for many. A reader cuts it short; who watches an inbox does not wait for rows.
const GATHER: Duration = Duration::from_millis(200);

/// Rows written at one go before everybody else has his turn: without that a batch of thousands held up whoever waits for the
/// loop for 20 ms, where there are few processors.
const PART: usize = 64;

/// How often the rows are made durable. What is lost is written again from the ledger at the next start.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// The longest wait for the queues, beyond what a poor disk takes for a flush. A reader is then refused, and a loop that
/// waits this long ends the node.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The way to the queues.
#[derive(Debug)]
pub(crate) struct ToQueues {
    rows: mpsc::Sender<Rows>,
    wanted: Arc<Notify>,
    pressure: Arc<Pressure>,
}

impl ToQueues {
    /// `wanted` cuts the gathering short.
    pub(crate) fn new(rows: mpsc::Sender<Rows>, wanted: Arc<Notify>, pressure: Arc<Pressure>) -> Self {
        Self { rows, wanted, pressure }
    }

    /// Waits when too many are waiting; for queues that are behind until there is room nobody waits. `false` when the
    /// queues stand still or have stopped.
    pub(crate) async fn send(&self, rows: Rows) -> bool {
        if self.pressure.are_queues_behind() {
            return match self.rows.try_send(rows) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    self.pressure.rows_left_out();
                    true
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            };
        }
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

/// How often queues that are behind look whether they can be brought level.
const CATCH_UP_EVERY: Duration = Duration::from_secs(1);

/// How far the queues are.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    reached: watch::Receiver<Position>,
    durable: watch::Receiver<Position>,
    wanted: Arc<Notify>,
    pressure: Arc<Pressure>,
}

impl Applied {
    /// `wanted` is told when somebody waits.
    pub(crate) fn new(
        reached: watch::Receiver<Position>,
        durable: watch::Receiver<Position>,
        wanted: Arc<Notify>,
        pressure: Arc<Pressure>,
    ) -> Self {
        Self { reached, durable, wanted, pressure }
    }

    /// Waits until the rows reflect everything that is durable now, so that a caller finds what it was told of.
    /// `false` when the queues have stopped, stand still, or are behind until there is room.
    pub(crate) async fn caught_up(&mut self) -> bool {
        if self.pressure.are_queues_behind() {
            return false;
        }
        let durable = *self.durable.borrow();
        if *self.reached.borrow() < durable {
            self.wanted.notify_one();
        }
        let level = self.reached.wait_for(|reached| *reached >= durable);
        matches!(tokio::time::timeout(PATIENCE, level).await, Ok(Ok(_)))
    }

    /// Whether they are behind until there is room on the disk.
    pub(crate) fn are_behind(&self) -> bool {
        self.pressure.are_queues_behind()
    }
}

/// The thread's ends.
pub(crate) struct Queuer {
    pub(crate) queues: Arc<Queues>,
    pub(crate) reader: Reader,
    pub(crate) reached: watch::Sender<Position>,
    pub(crate) durable: watch::Receiver<Position>,
    pub(crate) handle: Handle,
    pub(crate) pressure: Arc<Pressure>,
    pub(crate) runtime: runtime::Handle,
    /// Cuts the gathering short.
    pub(crate) wanted: Arc<Notify>,
}

/// Why the rows do not follow the ledger.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// No room: what is there is good.
    NoRoom,
    /// sled failed: what is there is set aside.
    Broken,
}

impl Queuer {
    /// Runs until the loop lets go of its end. Rows that cannot be written are left out, and what they say is brought in
    /// from the ledger when it can be written again: the node goes on meanwhile.
    pub(crate) fn run(self, mut rows: mpsc::Receiver<Rows>) -> Result<(), QueuesError> {
        let (mut flushed, mut tried, mut behind) = (Instant::now(), Instant::now(), None);
        let mut gathered = tokio::time::Instant::now();
        while let Some(next) = self.next(&mut rows, &mut gathered, behind.is_some()) {
            behind = match (behind, next) {
                (None, None) => None,
                (None, Some(next)) => self.apply(next, &mut rows, &mut flushed).err(),
                // What comes meanwhile is in the ledger, and is read from there.
                (Some(why), _) if tried.elapsed() < CATCH_UP_EVERY => Some(why),
                (Some(why), _) => {
                    tried = Instant::now();
                    self.catch_up(why, &mut rows).err()
                }
            };
            self.pressure.set_queues_behind(behind.is_some());
        }
        if behind.is_some() {
            // The next start brings them level.
            return Ok(());
        }
        self.queues.flush()
    }

    /// The next rows; none when it is time to look again. `None` at the end.
    #[allow(clippy::option_option)] // an end, a pause, and rows
    fn next(
        &self,
        rows: &mut mpsc::Receiver<Rows>,
        gathered: &mut tokio::time::Instant,
        behind: bool,
    ) -> Option<Option<Rows>> {
        if !behind {
            let next = rows.blocking_recv()?;
            // Either way it is time.
            let until = *gathered + GATHER;
            let _ =
                self.runtime.block_on(async { tokio::time::timeout_at(until, self.wanted.notified()).await });
            *gathered = tokio::time::Instant::now();
            return Some(Some(next));
        }
        let next = self.runtime.block_on(async { tokio::time::timeout(CATCH_UP_EVERY, rows.recv()).await });
        match next {
            Ok(None) => None,
            Ok(Some(_)) | Err(_) => Some(None),
        }
    }

    fn apply(
        &self,
        next: Rows,
        rows: &mut mpsc::Receiver<Rows>,
        flushed: &mut Instant,
    ) -> Result<(), Behind> {
        let (mut changes, mut mark) = (next.changes, next.mark);
        while let Ok(more) = rows.try_recv() {
            changes.extend(more.changes);
            mark = more.mark;
        }
        self.queues.secure_room().inspect_err(|_| self.pressure.look()).map_err(behind)?;
        apply_in_parts(&self.queues, changes, mark, std::thread::yield_now).map_err(behind)?;
        self.reached.send_replace(mark);
        if flushed.elapsed() >= FLUSH_EVERY {
            self.queues.flush().map_err(behind)?;
            *flushed = Instant::now();
        }
        Ok(())
    }

    /// Brings the rows level with the ledger. What is written to it meanwhile comes as rows, in order.
    fn catch_up(&self, why: Behind, rows: &mut mpsc::Receiver<Rows>) -> Result<(), Behind> {
        while rows.try_recv().is_ok() {}
        self.pressure.take_rows_left_out();
        if why == Behind::Broken {
            let fresh = self.queues.reset("they could not be written");
            fresh.map_err(|error| {
                tracing::debug!(%error, "the queues cannot be begun anew yet");
                Behind::Broken
            })?;
        }
        self.queues.secure_room().map_err(|_| Behind::NoRoom)?;
        let durable = self.durable.clone();
        // The place comes first: whatever the states know beyond it comes once more as rows.
        let look = self.handle.look(move |hosts| {
            let end = *durable.borrow();
            let states = hosts.iter().map(|(id, host)| (id.clone(), host.node.state().clone()));
            (end, states.collect())
        });
        let (end, states) = self.runtime.block_on(look).map_err(|_| Behind::NoRoom)?;
        let mut report = Vec::new();
        let standing = Standing { reader: self.reader.clone(), end, states: &states };
        fill(&self.queues, &standing, &mut report).map_err(|error| {
            tracing::warn!(%error, "the queues could not be brought level with the ledger");
            Behind::Broken
        })?;
        if self.pressure.take_rows_left_out() {
            return Err(Behind::NoRoom);
        }
        self.reached.send_replace(end);
        report.iter().for_each(|line| tracing::warn!(%line, "there is room again"));
        Ok(())
    }
}

/// Others have their turn between two parts. Until the last one the mark stays where it was: rows beyond it are put once more
/// when it ends here.
fn apply_in_parts(
    queues: &Queues,
    changes: Vec<Change>,
    mark: Position,
    turn: impl Fn(),
) -> Result<(), QueuesError> {
    let so_far = queues.mark();
    let mut parts = in_parts(changes, if so_far.is_some() { PART } else { usize::MAX });
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        queues.apply(so_far.unwrap_or(mark), part)?;
        turn();
    }
    queues.apply(mark, last)
}

fn behind(error: QueuesError) -> Behind {
    tracing::error!(%error, "the queues cannot be written: lists are refused until they can, the ledger goes on");
    match error {
        QueuesError::NoRoom(_) => Behind::NoRoom,
        _ => Behind::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lienthong_store::Config;
    use lienthong_store::queues::Table;
    use std::cell::Cell;

    /// Whoever ends between two parts must find the mark where it was, or the rest is never written.
    #[test]
    fn the_mark_moves_with_the_last_part_only() {
        let dir = tempfile::tempdir().expect("a folder");
        let queues = Queues::open(&Config::new(dir.path())).expect("opened").0;
        let at = |commit| Position { segment: 1, commit, record: 64 };
        let rows = |from: u32| {
            (from..from + 200).map(|n| Change::New(Table::Inbox, n.to_be_bytes().to_vec(), vec![1])).collect()
        };
        apply_in_parts(&queues, rows(0), at(4_096), || panic!("the first rows have no mark yet"))
            .expect("applied");
        let turns = Cell::new(0);
        let turn = || {
            turns.set(turns.get() + 1);
            assert_eq!(queues.mark(), Some(at(4_096)));
        };
        apply_in_parts(&queues, rows(200), at(8_192), turn).expect("applied");
        assert_eq!((turns.get(), queues.mark(), queues.rows()), (200 / PART, Some(at(8_192)), 400));
    }
}
