//! Verification of a whole ledger without changing it: for the background scrub and for `ledger verify`.

use crate::config::ledger_dir;
use crate::error::Fault;
use crate::ledger::Cut;
use crate::ledger::walk::{Step, Walk};
use crate::position::Position;
use crate::record::StoredRecord;
use lienthong_core::ids::{AgencyId, Digest, Head};
use std::path::Path;

/// What was found in a ledger without a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Commits that are whole.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Where the next commit would go.
    pub end: Position,
    /// The head of the physical chain.
    pub physical_head: Digest,
    /// Each agency's head.
    pub heads: Vec<(AgencyId, Head)>,
    /// A mark or a segment header proves the last commit durable.
    pub marked: bool,
    /// The rest of an unacknowledged commit, which opening the ledger will cut.
    pub torn: Option<Cut>,
    /// Erasures that a crash interrupted; the bodies count as erased.
    pub erasures_unfinished: u64,
}

/// Verifies every byte of the ledger below the data folder `dir`, which no process may be writing.
///
/// `progress` is told the bytes done and the bytes there are; `on_record` is given each record with its body.
pub fn verify_dir(
    dir: &Path,
    progress: impl FnMut(u64, u64),
    on_record: impl FnMut(StoredRecord),
) -> Result<Summary, Fault> {
    verify_until(dir, None, progress, on_record)
}

/// As [`verify_dir`], but only up to `end`, a place that [`crate::Reader::end_position`] gave: for a ledger that is
/// being written. How the log ends is not looked at.
pub fn verify_until(
    dir: &Path,
    end: Option<Position>,
    mut progress: impl FnMut(u64, u64),
    mut on_record: impl FnMut(StoredRecord),
) -> Result<Summary, Fault> {
    let mut walk = Walk::start(&ledger_dir(dir))?;
    walk.until = end;
    let total = end.map_or_else(|| walk.total_len(), |e| walk.len_to(e));
    let (mut commits, mut records, mut erasures_unfinished) = (0, 0, 0);
    let (marked, torn);
    loop {
        match walk.step()? {
            Step::Commit(commit) => {
                commits += 1;
                records += commit.records.len() as u64;
                erasures_unfinished += commit.unfinished.len() as u64;
                commit.records.into_iter().for_each(&mut on_record);
                progress(walk.len_to(walk.position()), total);
            }
            Step::End(found) => {
                marked = found.marked;
                torn = found.torn.map(|t| Cut { position: t.position, bytes: t.bytes });
                break;
            }
        }
    }
    progress(total, total);
    Ok(Summary {
        commits,
        records,
        end: walk.position(),
        physical_head: walk.physical,
        heads: walk.heads.into_iter().collect(),
        marked,
        torn,
        erasures_unfinished,
    })
}
