//! The spare segment: zero-filled and durable ahead of need, so that decisions and receipts find room when nothing
//! more can be prepared. It takes the next segment's name when the disk is full, and is made anew when there is room.

use super::current::hurried;
use super::segments;
use crate::files::{self, Pace};
use crate::space::Space;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two attempts to prepare what could not be prepared: soon after space returns, seldom on a disk that is full.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);
/// Its name; no segment has it.
const NAME: &str = "spare";

/// The spare segment.
#[derive(Debug)]
pub(crate) struct Spare {
    /// The limits it is kept for; none is kept without.
    space: Option<Space>,
    kept: bool,
    /// The last attempt to make it failed.
    failed: bool,
    again: Instant,
    work: Option<(JoinHandle<io::Result<()>>, Arc<Pace>)>,
}

impl Spare {
    /// Finds the one an earlier run left, when it is of the right length.
    pub(crate) fn find(dir: &Path, len: u64, space: Option<&Space>) -> io::Result<Self> {
        let mut spare =
            Self { space: space.cloned(), kept: false, failed: false, again: Instant::now(), work: None };
        match fs::metadata(path(dir)) {
            Ok(meta) if meta.len() == len && space.is_some() => spare.kept = true,
            Ok(_) => {
                fs::remove_file(path(dir))?;
                files::sync_dir(dir)?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        Ok(spare)
    }

    /// Takes note of a preparation that ended, and begins one when it is time.
    pub(crate) fn tend(&mut self, dir: &Path, len: u64) {
        if self.work.as_ref().is_some_and(|(work, _)| work.is_finished()) {
            self.reap();
        }
        let Some(space) = self.space.clone().filter(|_| !self.kept) else { return };
        if self.work.is_some() || self.again > Instant::now() {
            return;
        }
        let (dir, pace) = (dir.to_owned(), Arc::<Pace>::default());
        let its = pace.clone();
        let thread = std::thread::Builder::new().name("ledger-spare".into());
        let work = thread.spawn(move || {
            space.admit(len)?;
            files::create_whole(&dir, NAME, |file| files::write_zeros(file, len, Some(&its)))
        });
        match work {
            Ok(work) => self.work = Some((work, pace)),
            Err(_) => self.again = Instant::now() + AGAIN,
        }
    }

    /// Waits for the thread, so that nothing is written after the ledger is gone.
    pub(crate) fn reap(&mut self) {
        let Some((work, pace)) = self.work.take() else { return };
        self.kept = matches!(hurried(work, &pace), Ok(Ok(())));
        self.failed = !self.kept;
        self.again = Instant::now() + AGAIN;
    }

    /// Gives the spare the name of segment `number`. `false` when there is none.
    pub(crate) fn take(&mut self, dir: &Path, number: u32) -> io::Result<bool> {
        self.reap();
        if !self.kept {
            return Ok(false);
        }
        fs::rename(path(dir), segments::path(dir, number))?;
        files::sync_dir(dir)?;
        (self.kept, self.failed) = (false, true);
        Ok(true)
    }

    /// Whether it is there to be taken.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Whether it should be there and could not be made.
    pub(crate) fn is_lacking(&self) -> bool {
        self.space.is_some() && !self.kept && self.failed
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}
