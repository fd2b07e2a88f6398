//! Opening the ledger: replay, the rule for a torn tail, and making sure that what was read is durable.

use super::current::{Current, Next};
use super::header::StoreId;
use super::reader::Shared;
use super::segments::{self, FirstPage, Segment};
use super::spare::Spare;
use super::walk::{Step, Torn, Walk};
use super::{Ledger, body, page_of};
use crate::config::Config;
use crate::error::OpenError;
use crate::files;
use crate::format::PAGE;
use crate::position::Position;
use crate::record::StoredRecord;
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, Digest, Head};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// From where the ledger is replayed.
#[derive(Debug, Clone)]
pub enum ScanFrom {
    /// The first record.
    Start,
    /// A place that a snapshot remembers, as [`Ledger::end_position`], [`Ledger::physical_head`] and
    /// [`Ledger::heads`] told it.
    At {
        /// The place.
        position: Position,
        /// The physical head before it.
        physical_head: Digest,
        /// Each agency's head before it.
        heads: Vec<(AgencyId, Head)>,
    },
}

/// What a crash left of a last commit that was never acknowledged, and that was overwritten with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Where the commit was.
    pub position: Position,
    /// How many bytes from there on were not zero at the most.
    pub bytes: u64,
}

/// What happened while the ledger was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// There was no ledger; an empty one was created.
    pub created: bool,
    /// Commits replayed.
    pub commits: u64,
    /// Records replayed.
    pub records: u64,
    /// The torn commit that was cut.
    pub cut: Option<Cut>,
    /// Erasures that a crash had interrupted and that were finished now.
    pub erasures_finished: u64,
}

/// The last commit replayed: where it is and its pages.
type Last = Option<(Position, Bytes)>;

impl Ledger {
    /// Opens or creates the ledger below `config.dir`. Each record from `from` on is verified and handed to `on_record`
    /// in order; an error of it stops the opening.
    ///
    /// A torn last commit that no mark covers is cut whole and reported. Any other fault is refused, with its place.
    pub fn open<E>(
        config: &Config,
        from: ScanFrom,
        mut on_record: impl FnMut(StoredRecord) -> Result<(), E>,
    ) -> Result<(Self, OpenReport), OpenError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let dir = config.ledger_dir();
        let created = found_or_create(config, &dir, &from)?;
        let mut walk = match from {
            ScanFrom::Start => Walk::start(&dir)?,
            ScanFrom::At { position, physical_head, heads } => {
                let mut walk =
                    Walk::at(&dir, position, physical_head)?.ok_or(OpenError::NoSuchPlace { position })?;
                walk.heads = heads.into_iter().collect();
                walk
            }
        };
        let mut report = OpenReport { created, commits: 0, records: 0, cut: None, erasures_finished: 0 };
        let mut last: Last = None;
        let end = loop {
            let position = walk.position();
            let commit = match walk.step()? {
                Step::Commit(commit) => commit,
                Step::End(end) => break end,
            };
            // The commit may be in the segment after the one the walk stood in.
            let position = commit.records.first().map_or(position, |r| Position { record: 0, ..r.position });
            finish_erasures(&dir, position.segment, &commit.unfinished)?;
            report.erasures_finished += commit.unfinished.len() as u64;
            report.commits += 1;
            report.records += commit.records.len() as u64;
            // An erasure just finished is on disk and not in these bytes, and such a commit is long durable.
            last = commit.unfinished.is_empty().then_some((position, commit.bytes));
            for record in commit.records {
                on_record(record).map_err(|e| OpenError::Replay(e.into()))?;
            }
        };
        if let Some(torn) = end.torn {
            cut(&dir, torn).map_err(io("cut the torn commit"))?;
            report.cut = Some(Cut { position: torn.position, bytes: torn.bytes });
        }
        if !end.marked {
            affirm(&dir, last).map_err(io("make the last commit durable"))?;
        }
        if walk.offset == PAGE as u32 {
            let page = page_of(&walk.header.encode());
            affirm_at(&dir, walk.segment.number, 0, &page).map_err(io("make the segment header durable"))?;
        }
        let ledger = Ledger::standing(config, walk, end.marked)?;
        Ok((ledger, report))
    }

    fn standing(config: &Config, walk: Walk, marked: bool) -> Result<Self, OpenError> {
        let next = next_segment(&walk.dir, walk.segment.number + 1, config.segment_len())?;
        let spare = Spare::find(&walk.dir, config.segment_len(), config.space.as_ref())
            .map_err(io("look for the spare segment"))?;
        let path = segments::path(&walk.dir, walk.segment.number);
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(io("open the segment"))?;
        let end = walk.position();
        let current =
            Current { number: walk.segment.number, len: walk.segment.len, offset: walk.offset, file };
        Ok(Self {
            shared: Arc::new(Shared::new(walk.dir, end)),
            segment_len: config.segment_len(),
            commit_limit: config.commit_limit(),
            store: walk.header.store,
            current,
            next,
            next_failed: None,
            spare,
            space: config.space.clone(),
            seq: walk.seq,
            physical: walk.physical,
            heads: walk.heads,
            marked,
            mark_unsynced: false,
            poisoned: None,
            buffer: Vec::new(),
        })
    }
}

fn io(attempted: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { attempted, source }
}

/// Creates the ledger when there is none and none is expected.
fn found_or_create(config: &Config, dir: &Path, from: &ScanFrom) -> Result<bool, OpenError> {
    files::create_dir(dir).map_err(io("create the ledger folder"))?;
    segments::remove_temporary(dir).map_err(io("remove unfinished segments"))?;
    // A segment may have its name and not durably: who prepared it was stopped, or failed, before the folder's sync.
    files::sync_dir(dir).map_err(io("sync the ledger folder"))?;
    if !segments::list(dir).map_err(io("list the segments"))?.is_empty() {
        return Ok(false);
    }
    if let ScanFrom::At { position, .. } = from {
        return Err(OpenError::NoSuchPlace { position: *position });
    }
    let mut store = StoreId::default();
    getrandom::fill(&mut store).map_err(|e| io("draw a store id")(io::Error::other(e.to_string())))?;
    segments::create_first(dir, store, config.segment_len()).map_err(io("create the first segment"))?;
    Ok(true)
}

/// Overwrites the torn commit with zeros. A crash in the middle leaves it torn still.
fn cut(dir: &Path, torn: Torn) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(segments::path(dir, torn.position.segment))?;
    files::zero_at(&file, torn.position.commit.into(), torn.bytes.next_multiple_of(PAGE as u64))?;
    file.sync_data()
}

/// Writes the last commit once more and syncs it.
fn affirm(dir: &Path, last: Last) -> io::Result<()> {
    let Some((position, bytes)) = last else { return Ok(()) };
    affirm_at(dir, position.segment, position.commit, &bytes)
}

/// Writes what was read there once more and syncs it. Reading it back proves only that the system remembers it: after
/// a failed or missing sync it may be in memory alone, and counted as written.
fn affirm_at(dir: &Path, segment: u32, offset: u32, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(segments::path(dir, segment))?;
    file.write_all_at(bytes, offset.into())?;
    file.sync_data()
}

fn finish_erasures(dir: &Path, segment: u32, unfinished: &[(u64, u32)]) -> Result<(), OpenError> {
    if unfinished.is_empty() {
        return Ok(());
    }
    let file =
        OpenOptions::new().write(true).open(segments::path(dir, segment)).map_err(io("open the segment"))?;
    unfinished
        .iter()
        .try_for_each(|(offset, len)| body::erase(&file, *offset, *len))
        .map_err(io("finish an erasure"))
}

/// Keeps a prepared segment of the right length, removes one of another.
fn next_segment(dir: &Path, number: u32, len: u64) -> Result<Next, OpenError> {
    if !segments::path(dir, number).exists() {
        return Ok(Next::None);
    }
    let segment = Segment::open(dir, number)?;
    if matches!(segment.first_page(dir), Ok(FirstPage::Blank)) && segment.len == len {
        return Ok(Next::Ready);
    }
    std::fs::remove_file(segments::path(dir, number))
        .and_then(|()| files::sync_dir(dir))
        .map_err(io("remove a prepared segment"))?;
    Ok(Next::None)
}
