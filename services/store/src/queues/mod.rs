//! The queues: small rows in sled, written with the ledger position they reflect, and never the truth.
//!
//! sled 0.34.7 loses what it acknowledged when the power goes, and may not open afterwards. So the rows carry a mark
//! with a position, a count and a sum; what does not add up at open is moved aside, and the caller fills the empty
//! queues from the ledger again.

mod guard;
mod rows;

pub use rows::{Change, KEY_LIMIT, Table, VALUE_LIMIT};

use crate::config::Config;
use crate::files;
use crate::position::Position;
use guard::Db;
use rows::{MARK_KEY, Mark};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use thiserror::Error;

/// A key, without its table, and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// The queues, open. Any thread may read; changes are made one after the other.
#[derive(Debug)]
pub struct Queues {
    dir: PathBuf,
    cache_bytes: u64,
    db: RwLock<Db>,
    mark: Mutex<Mark>,
}

/// How the queues were opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueuesReport {
    /// There were none, or none with a row: empty, and to be filled when the ledger is not.
    Fresh,
    /// Their rows are exactly those that were written up to `mark`.
    Opened {
        /// The ledger position they reflect.
        mark: Position,
    },
    /// They were damaged and moved aside; they are empty and must be filled from the ledger.
    Rebuilding {
        /// What was wrong.
        why: String,
        /// Where they are now.
        moved_to: PathBuf,
    },
}

/// Why the queues could not be opened, read or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueuesError {
    /// A key above [`KEY_LIMIT`] or a value above [`VALUE_LIMIT`]. Nothing was changed.
    #[error("{part} of {len} bytes, above the limit of {limit}")]
    TooLarge {
        /// `key` or `value`.
        part: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// sled failed or panicked: [`Queues::reset`] and fill them from the ledger.
    #[error("the queues are broken: {0}")]
    Broken(String),
    /// The disk has no room for more rows. Nothing was changed.
    #[error("no room for the queues")]
    NoRoom(#[source] io::Error),
    /// Something about the files.
    #[error("cannot {attempted}")]
    Io {
        /// What was attempted.
        attempted: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Queues {
    /// Opens the queues below `config.dir` and proves that the rows are those of their mark, or starts with empty ones.
    ///
    /// A mark beyond the end of the ledger is for the caller to see, and to [`Queues::reset`].
    pub fn open(config: &Config) -> Result<(Self, QueuesReport), QueuesError> {
        let dir = config.dir.clone();
        let folder = folder(&dir);
        files::create_dir(&dir).map_err(io_error("create the data folder"))?;
        let cache_bytes = config.queue_cache_bytes;
        guard::wait_released(&folder).map_err(io_error("lock the queues, which are open elsewhere"))?;
        let found = open_proven(&folder, cache_bytes);
        let (db, mark, report) = match found {
            Ok((db, mark)) => {
                let report = mark.reflects.map_or(QueuesReport::Fresh, |mark| QueuesReport::Opened { mark });
                (db, mark, report)
            }
            Err(why) => {
                let (db, moved_to) = start_anew(&dir, cache_bytes)?;
                (db, Mark::default(), QueuesReport::Rebuilding { why, moved_to })
            }
        };
        files::sync_dir(&folder)
            .and_then(|()| files::sync_dir(&dir))
            .map_err(io_error("sync the queues' folder"))?;
        Ok((Self { dir, cache_bytes, db: RwLock::new(db), mark: Mutex::new(mark) }, report))
    }

    /// Makes the changes together with the ledger position that the rows reflect after them: all or nothing.
    pub fn apply(&self, mark: Position, changes: Vec<Change>) -> Result<(), QueuesError> {
        let mut last = BTreeMap::new();
        for change in changes {
            let (key, value, is_new) = match change {
                Change::New(table, key, value) => (rows::key(table, &key), value, true),
                Change::Put(table, key, value) => (rows::key(table, &key), value, false),
            };
            within("key", key.len() - 1, KEY_LIMIT)?;
            within("value", value.len(), VALUE_LIMIT)?;
            // The first change to a key tells whether it was there before all of them, the last what is there after.
            last.entry(key).or_insert((Vec::new(), is_new)).0 = value;
        }
        let mut standing = self.standing();
        let db = self.db();
        let applied = guard::guarded(|| {
            let mut batch = sled::Batch::default();
            let mut after = *standing;
            for (key, (value, is_new)) in last {
                if !is_new {
                    db.get(&key)?.iter().for_each(|old| after.remove(&key, old));
                }
                after.add(&key, &value);
                batch.insert(key, value);
            }
            after.reflects = Some(mark);
            batch.insert(MARK_KEY, &after.to_bytes(mark)[..]);
            db.apply_batch(batch)?;
            Ok(after)
        });
        *standing = applied.map_err(QueuesError::Broken)?;
        Ok(())
    }

    /// Sees to it that the next changes find room on the disk: sled takes nothing more after a write that failed.
    pub fn secure_room(&self) -> Result<(), QueuesError> {
        guard::secure_room(&self.db()).map_err(QueuesError::NoRoom)
    }

    /// The value of a key.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, QueuesError> {
        let db = self.db();
        let found = guard::guarded(|| db.get(rows::key(table, key)));
        Ok(found.map_err(QueuesError::Broken)?.map(|value| value.to_vec()))
    }

    /// The last row whose key begins with `prefix` and is not after `key`.
    pub fn at_or_before(&self, table: Table, prefix: &[u8], key: &[u8]) -> Result<Option<Row>, QueuesError> {
        let (prefix, key) = (rows::key(table, prefix), rows::key(table, key));
        let db = self.db();
        let found = guard::guarded(|| db.range(prefix..=key).next_back().transpose());
        let found = found.map_err(QueuesError::Broken)?;
        Ok(found.map(|(key, value)| (key[1..].to_vec(), value.to_vec())))
    }

    /// At most `limit` rows whose keys begin with `prefix`, in the order of the keys, after the key `start_after`.
    pub fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, QueuesError> {
        use std::ops::Bound;
        let prefix = rows::key(table, prefix);
        let after = start_after.map(|key| rows::key(table, key)).filter(|key| *key >= prefix);
        let from = after.map_or(Bound::Included(prefix.clone()), Bound::Excluded);
        let db = self.db();
        let found = guard::guarded(|| {
            let mut out = Vec::new();
            for row in db.range((from, Bound::Unbounded)).take(limit) {
                let (key, value) = row?;
                if !key.starts_with(&prefix) {
                    break;
                }
                out.push((key[1..].to_vec(), value.to_vec()));
            }
            Ok(out)
        });
        found.map_err(QueuesError::Broken)
    }

    /// The ledger position the rows reflect; `None` when they are empty and were never written.
    pub fn mark(&self) -> Option<Position> {
        self.standing().reflects
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.standing().rows
    }

    /// Makes everything applied durable. Blocks for some milliseconds; changes wait meanwhile.
    pub fn flush(&self) -> Result<(), QueuesError> {
        // sled dead-locks for good when it is flushed twice at the same time.
        let _one_writer = self.standing();
        guard::flush(&self.db()).map_err(QueuesError::Broken)
    }

    /// Moves the rows aside, whatever is in them, and goes on with none. `why` is for the report.
    pub fn reset(&self, why: &str) -> Result<QueuesReport, QueuesError> {
        let mut standing = self.standing();
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        let (fresh, moved_to) = start_anew(&self.dir, self.cache_bytes)?;
        *db = fresh;
        *standing = Mark::default();
        Ok(QueuesReport::Rebuilding { why: why.to_owned(), moved_to })
    }

    /// The lock that makes one writer; taken before that on the database.
    fn standing(&self) -> MutexGuard<'_, Mark> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn db(&self) -> Db {
        self.db.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn folder(dir: &Path) -> PathBuf {
    dir.join("queues")
}

fn open_proven(folder: &Path, cache_bytes: u64) -> Result<(Db, Mark), String> {
    let db = guard::open(folder, cache_bytes)?;
    let mark = guard::prove(&db)?;
    Ok((db, mark))
}

fn start_anew(dir: &Path, cache_bytes: u64) -> Result<(Db, PathBuf), QueuesError> {
    let folder = folder(dir);
    let moved_to = guard::move_aside(dir, &folder).map_err(io_error("move the queues aside"))?;
    let db = guard::open(&folder, cache_bytes).or_else(|_| {
        // On a full disk there is room where the damaged ones are.
        guard::give_up_damaged(dir)
            .and_then(|()| match std::fs::remove_dir_all(&folder) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            })
            .map_err(|e| e.to_string())?;
        guard::open(&folder, cache_bytes)
    });
    let db = db.map_err(QueuesError::Broken)?;
    files::sync_dir(&folder).map_err(io_error("sync the queues' folder"))?;
    Ok((db, moved_to))
}

fn within(part: &'static str, len: usize, limit: usize) -> Result<(), QueuesError> {
    if len > limit { Err(QueuesError::TooLarge { part, len, limit }) } else { Ok(()) }
}

fn io_error(attempted: &'static str) -> impl FnOnce(io::Error) -> QueuesError {
    move |source| QueuesError::Io { attempted, source }
}
