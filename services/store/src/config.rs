//! Where the store lives and how large its parts are.

use crate::format::{COMMIT_LIMIT, PAGE};
use crate::space::Space;
use std::path::{Path, PathBuf};

/// Settings of a store.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder of the process; the store keeps to `ledger/`, `queues/`, `snapshots/` and `lock` in it.
    pub dir: PathBuf,
    /// Size of a ledger segment, in bytes. Rounded up to whole pages, held between [`Config::SEGMENT_MIN`]
    /// and [`Config::SEGMENT_MAX`]. Segments that exist keep the size they have.
    pub segment_bytes: u64,
    /// Memory the queues may use as a cache, in bytes.
    pub queue_cache_bytes: u64,
    /// What the folder may take. With it a spare segment is kept, so that a full disk still finishes what was begun.
    pub space: Option<Space>,
}

impl Config {
    /// 64 MiB: some seconds of the highest load, and filled with zeros in the background in about one.
    pub const SEGMENT_DEFAULT: u64 = 64 << 20;
    /// 4 MiB: half of it must hold the largest record with its body.
    pub const SEGMENT_MIN: u64 = 4 << 20;
    /// 1 GiB: offsets in a segment are 32 bits wide.
    pub const SEGMENT_MAX: u64 = 1 << 30;
    /// 64 MiB: the lower end of what sled was measured with.
    pub const QUEUE_CACHE_DEFAULT: u64 = 64 << 20;

    /// The default settings for the data folder `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: Self::SEGMENT_DEFAULT,
            queue_cache_bytes: Self::QUEUE_CACHE_DEFAULT,
            space: None,
        }
    }

    /// The largest commit a segment of this size takes, in bytes: half a segment, so that one always fits into
    /// an empty segment and a roll-over wastes less than half, and never above [`COMMIT_LIMIT`].
    pub fn commit_limit(&self) -> u64 {
        (self.segment_len() / 2).min(COMMIT_LIMIT)
    }

    pub(crate) fn segment_len(&self) -> u64 {
        self.segment_bytes.clamp(Self::SEGMENT_MIN, Self::SEGMENT_MAX).next_multiple_of(PAGE as u64)
    }

    pub(crate) fn ledger_dir(&self) -> PathBuf {
        ledger_dir(&self.dir)
    }
}

pub(crate) fn ledger_dir(dir: &Path) -> PathBuf {
    dir.join("ledger")
}
