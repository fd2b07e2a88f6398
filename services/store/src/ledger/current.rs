//! The segment that is being written, and the one that comes after it.

use super::segments;
use crate::files::Pace;
use crate::space::Space;
use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Pieces given to one system call; Linux takes 1,024.
const SLICES_PER_CALL: usize = 1000;

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) number: u32,
    pub(crate) len: u64,
    /// Where the next commit goes.
    pub(crate) offset: u32,
    pub(crate) file: File,
}

impl Current {
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        u64::from(self.offset) + bytes <= self.len
    }

    /// Writes the pieces at the place of the next commit and syncs them.
    pub(crate) fn write_durably(&self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut at = i64::from(self.offset);
        while !slices.is_empty() {
            let some = slices.len().min(SLICES_PER_CALL);
            match nix::sys::uio::pwritev(&self.file, &slices[..some], at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    at += n as i64;
                    IoSlice::advance_slices(&mut slices, n);
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.file.sync_data()
    }
}

/// Waits for a preparation, which rests no more.
pub(super) fn hurried<T>(handle: JoinHandle<T>, pace: &Pace) -> std::thread::Result<T> {
    pace.hurry(&handle);
    handle.join()
}

/// Bytes of the next segment that are to be there when so many of the current one are used: none at the half, where a
/// preparation begins, and all before the last eighth.
fn due(used: u64, len: u64) -> u64 {
    used.saturating_sub(len / 2).saturating_mul(8) / 3
}

/// The segment after the current one.
#[derive(Debug)]
pub(crate) enum Next {
    None,
    Preparing(JoinHandle<io::Result<()>>, Arc<Pace>),
    Ready,
}

impl Next {
    /// Begins the preparation in the background. When no thread can be had it is done at the roll-over.
    pub(crate) fn begin(&mut self, dir: &Path, number: u32, len: u64, space: Option<&Space>) {
        if !matches!(self, Next::None) {
            return;
        }
        let (dir, space, pace) = (dir.to_owned(), space.cloned(), Arc::<Pace>::default());
        let its = pace.clone();
        let thread = std::thread::Builder::new().name("ledger-prepare".into());
        match thread.spawn(move || segments::prepare(&dir, number, len, space.as_ref(), Some(&its))) {
            Ok(handle) => *self = Next::Preparing(handle, pace),
            Err(error) => tracing::warn!(%error, "cannot start a thread to prepare the next segment"),
        }
    }

    /// The pace of a preparation follows that of the commits.
    pub(crate) fn keep_pace(&self, current: &Current) {
        if let Next::Preparing(_, pace) = self {
            pace.due(due(current.offset.into(), current.len));
        }
    }

    /// Takes note of a preparation that ended; the error of one that failed.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Next::None) {
            Next::Preparing(handle, _) if handle.is_finished() => {
                handle.join().map_err(|_| io::Error::other("the preparation panicked"))??;
                *self = Next::Ready;
            }
            other => *self = other,
        }
        Ok(())
    }

    /// Waits for the preparation, or does it now.
    pub(crate) fn finish(
        &mut self,
        dir: &Path,
        number: u32,
        len: u64,
        space: Option<&Space>,
    ) -> io::Result<()> {
        match std::mem::replace(self, Next::None) {
            Next::Ready => return Ok(()),
            Next::Preparing(handle, pace) => match hurried(handle, &pace) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "preparing the next segment failed, trying once more")
                }
                Err(_) => tracing::warn!("preparing the next segment panicked, trying once more"),
            },
            Next::None => {}
        }
        segments::prepare(dir, number, len, space, None)
    }

    /// Waits for the thread, so that nothing is written after the ledger is gone.
    pub(crate) fn wait(&mut self) {
        if let Next::Preparing(handle, pace) = std::mem::replace(self, Next::None) {
            // A failure is met again at the next roll-over.
            let _ = hurried(handle, &pace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_segment_is_there_before_the_current_one_is_full() {
        let len = 64 << 20;
        assert_eq!([0, len / 2].map(|used| due(used, len)), [0, 0], "there is time");
        assert!(due(len * 5 / 8, len) > (len / 8) * 2, "faster than the commits");
        assert_eq!(due(len * 7 / 8, len), len, "all of it");
    }

    #[test]
    fn a_preparation_hears_how_far_the_commits_are() {
        let current =
            Current { number: 1, len: 1 << 20, offset: 7 << 17, file: tempfile::tempfile().expect("a file") };
        let pace = Arc::<Pace>::default();
        let next = Next::Preparing(std::thread::spawn(|| Ok(())), pace.clone());
        assert!(!pace.is_behind(current.len - 1));
        next.keep_pace(&current);
        assert!(pace.is_behind(current.len - 1) && !pace.is_behind(current.len));
    }
}
