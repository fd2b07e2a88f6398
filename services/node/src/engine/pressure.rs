//! Room on the disk, as everybody in the node sees it: what may still be begun, and what is put off.
//!
//! The watcher looks at the disk, the ledger's thread says how its log stands, the queues and snapshots say when they
//! are put off. What follows from it is in `admit.rs`.

use lienthong_store::{Footing, Room, Space};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often the disk is looked at: what the highest load writes meanwhile is a small part of the reserve.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What may still be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Anything.
    Ample,
    /// Only what finishes something: above the high-water mark.
    FinishingOnly,
    /// Nothing: the reserve is used up.
    Out,
}

/// Shared by all parts of a node.
#[derive(Debug)]
pub(crate) struct Pressure {
    space: Space,
    disk_short: AtomicBool,
    log_short: AtomicBool,
    log_out: AtomicBool,
    queues_behind: AtomicBool,
    rows_left_out: AtomicBool,
    snapshots_put_off: AtomicU64,
    told: Mutex<Told>,
}

/// For people.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    room: Option<Room>,
    /// Since when it is not ample, milliseconds since 1970.
    since_ms: i64,
}

/// What an operator is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storage {
    pub(crate) room: Option<Room>,
    pub(crate) limit: Option<u64>,
    pub(crate) reserve: u64,
    pub(crate) level: Level,
    pub(crate) since_ms: i64,
    pub(crate) queues_behind: bool,
    pub(crate) snapshots_put_off: u64,
}

impl Pressure {
    /// Looks at once, so that a node that starts on a full disk begins nothing.
    pub(crate) fn new(space: Space) -> Arc<Self> {
        let pressure = Self {
            space,
            disk_short: AtomicBool::new(false),
            log_short: AtomicBool::new(false),
            log_out: AtomicBool::new(false),
            queues_behind: AtomicBool::new(false),
            rows_left_out: AtomicBool::new(false),
            snapshots_put_off: AtomicU64::new(0),
            told: Mutex::default(),
        };
        pressure.look();
        Arc::new(pressure)
    }

    /// What may still be written.
    pub(crate) fn level(&self) -> Level {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        if is(&self.log_out) {
            Level::Out
        } else if is(&self.disk_short) || is(&self.log_short) {
            Level::FinishingOnly
        } else {
            Level::Ample
        }
    }

    /// Limits and reserve.
    pub(crate) fn space(&self) -> &Space {
        &self.space
    }

    /// Looks at the disk. Blocks.
    pub(crate) fn look(&self) {
        let room = match self.space.look() {
            Ok(room) => room,
            Err(error) => {
                tracing::warn!(%error, "the disk of the data folder cannot be asked for its room");
                return;
            }
        };
        self.locked().room = Some(room);
        // An eighth more is asked for before new work is let in again, so that it does not go to and fro.
        let reserve = self.space.reserve_bytes;
        let was = self.disk_short.load(Ordering::Relaxed);
        let enough = if was { reserve.saturating_add(reserve / 8) } else { reserve };
        self.change(|p| p.disk_short.store(room.left < enough, Ordering::Relaxed));
    }

    /// How the log stands.
    pub(crate) fn log(&self, footing: Footing) {
        let same = self.log_short.load(Ordering::Relaxed) == footing.is_short
            && self.log_out.load(Ordering::Relaxed) == footing.is_out;
        if same {
            return;
        }
        self.change(|p| {
            p.log_short.store(footing.is_short, Ordering::Relaxed);
            p.log_out.store(footing.is_out, Ordering::Relaxed);
        });
    }

    fn change(&self, how: impl FnOnce(&Self)) {
        let mut told = self.locked();
        let before = self.level();
        how(self);
        let after = self.level();
        if before == after {
            return;
        }
        if before == Level::Ample || after == Level::Ample {
            told.since_ms = now_ms();
        }
        let left = told.room.map(|room| room.left);
        match after {
            Level::Ample => tracing::warn!(left, "there is room on the disk again: new work is taken"),
            Level::FinishingOnly => {
                tracing::error!(
                    left,
                    "the disk is nearly full: nothing new is begun, only what is begun is finished"
                );
            }
            Level::Out => {
                tracing::error!(
                    left,
                    "the disk is full and the reserve is used up: nothing is written until there is room"
                );
            }
        }
    }

    /// Whether the rows of the queues are behind for want of room.
    pub(crate) fn are_queues_behind(&self) -> bool {
        self.queues_behind.load(Ordering::Acquire)
    }

    pub(crate) fn set_queues_behind(&self, behind: bool) {
        self.queues_behind.store(behind, Ordering::Release);
    }

    /// Rows did not even find room to wait while the queues were behind.
    pub(crate) fn rows_left_out(&self) {
        self.rows_left_out.store(true, Ordering::Release);
    }

    /// Whether there were such rows since the last call.
    pub(crate) fn take_rows_left_out(&self) -> bool {
        self.rows_left_out.swap(false, Ordering::AcqRel)
    }

    /// A snapshot that was due was not taken.
    pub(crate) fn snapshot_put_off(&self) {
        self.snapshots_put_off.fetch_add(1, Ordering::Relaxed);
    }

    /// A snapshot was taken: none is put off any more.
    pub(crate) fn snapshot_taken(&self) {
        self.snapshots_put_off.store(0, Ordering::Relaxed);
    }

    /// What an operator is told.
    pub(crate) fn storage(&self) -> Storage {
        let told = *self.locked();
        let level = self.level();
        Storage {
            room: told.room,
            limit: self.space.limit_bytes,
            reserve: self.space.reserve_bytes,
            level,
            since_ms: if level == Level::Ample { 0 } else { told.since_ms },
            queues_behind: self.are_queues_behind(),
            snapshots_put_off: self.snapshots_put_off.load(Ordering::Relaxed),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the disk until the node ends.
pub(crate) async fn watch(pressure: Arc<Pressure>) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let looking = pressure.clone();
        if tokio::task::spawn_blocking(move || looking.look()).await.is_err() {
            return;
        }
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}
