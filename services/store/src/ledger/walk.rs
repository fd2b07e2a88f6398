//! The walk along the log: each commit in order, checked, and the rules for where it ends.

use super::decode::{self, Commit, Inside, Rest, Slot};
use super::header::{CommitHeader, SegmentHeader};
use super::segments::{self, FirstPage, Segment, fault};
use super::survey::{Survey, survey};
use crate::error::{Fault, Wrong};
use crate::format::PAGE;
use crate::position::Position;
use lienthong_core::ids::{AgencyId, Digest, Head};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Stands before the next commit. What it knows is what the commits behind it proved.
pub(crate) struct Walk {
    pub(crate) dir: PathBuf,
    pub(crate) segment: Segment,
    pub(crate) header: SegmentHeader,
    /// Where the next commit is due.
    pub(crate) offset: u32,
    /// Its sequence.
    pub(crate) seq: u64,
    pub(crate) physical: Digest,
    pub(crate) heads: BTreeMap<AgencyId, Head>,
    /// Not to be passed: a writer may be busy behind it.
    pub(crate) until: Option<Position>,
    numbers: Vec<u32>,
}

/// Whether a newest commit counts that nothing proves durable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AndWhole {
    Yes,
    No,
}

/// One step of the walk.
pub(crate) enum Step {
    Commit(Commit),
    End(End),
}

/// How the log ends.
pub(crate) struct End {
    /// A mark or a segment header proves the last commit durable.
    pub(crate) marked: bool,
    /// What a crash left of a commit that was never acknowledged.
    pub(crate) torn: Option<Torn>,
}

/// The rest of a commit that was not finished.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Torn {
    pub(crate) position: Position,
    pub(crate) bytes: u64,
}

impl Walk {
    /// Before the first commit.
    pub(crate) fn start(dir: &Path) -> Result<Self, Fault> {
        let numbers = segments::list(dir).map_err(|e| fault(dir, 1, 0, None, e))?;
        let first = Self::begin(dir, numbers, 1)?;
        if first.header.first_seq != 1 || first.physical != Digest::ZERO {
            return Err(fault(dir, 1, 0, None, Wrong::SegmentHeader("it is not that of a first segment")));
        }
        Ok(first)
    }

    /// Before the commit at `position`, which must be a place where a commit may start, with this physical head
    /// before it; `None` when it is not.
    pub(crate) fn at(dir: &Path, position: Position, physical: Digest) -> Result<Option<Self>, Fault> {
        let numbers = segments::list(dir).map_err(|e| fault(dir, 1, 0, None, e))?;
        if !numbers.contains(&position.segment) {
            return Ok(None);
        }
        let mut walk = Self::begin(dir, numbers, position.segment)?;
        while walk.offset < position.commit {
            let slot = decode::slot(&walk.segment, walk.offset).map_err(|e| walk.fault(e))?;
            match slot {
                Slot::Commit(header, after) if walk.continues(&header) => walk.pass(&header, after),
                _ => return Ok(None),
            }
        }
        let there = walk.offset == position.commit && position.record == 0 && walk.physical == physical;
        Ok(there.then_some(walk))
    }

    /// Up to where the log is proved durable, for a reader beside the process that writes it: what a later header or
    /// mark names. The newest commit may be missing while nothing followed it yet; `and_whole` counts it in when all of
    /// it is there, for a ledger that nobody writes.
    pub(crate) fn proved_end(dir: &Path, and_whole: AndWhole) -> Result<Position, Fault> {
        let numbers = segments::list(dir).map_err(|e| fault(dir, 1, 0, None, e))?;
        let mut last = 1;
        for number in numbers.iter().rev() {
            if matches!(Segment::open(dir, *number)?.first_page(dir), Ok(FirstPage::Started(_))) {
                last = *number;
                break;
            }
        }
        let mut walk = Self::begin(dir, numbers, last)?;
        let mut newest = None;
        while u64::from(walk.offset) + PAGE as u64 <= walk.segment.len {
            match decode::slot(&walk.segment, walk.offset).map_err(|e| walk.fault(e))? {
                Slot::Commit(header, after) if walk.continues(&header) => {
                    walk.pass(&header, after);
                    newest = Some(header);
                }
                Slot::Mark(header, _) if walk.continues(&header) => return Ok(walk.position()),
                // Being written just now, or nothing yet.
                Slot::Commit(..) | Slot::Mark(..) | Slot::Bad(_) | Slot::Blank => break,
            }
        }
        let Some(newest) = newest else { return Ok(walk.position()) };
        let is_whole = and_whole == AndWhole::Yes && decode::commit(&walk.segment, &newest).is_ok();
        Ok(if is_whole { walk.position() } else { Position::at(newest.segment, newest.offset) })
    }

    fn begin(dir: &Path, numbers: Vec<u32>, number: u32) -> Result<Self, Fault> {
        let segment = Segment::open(dir, number)?;
        let why = match segment.first_page(dir)? {
            FirstPage::Started(header) => {
                return Ok(Self {
                    dir: dir.to_owned(),
                    segment,
                    header,
                    offset: PAGE as u32,
                    seq: header.first_seq,
                    physical: header.physical,
                    heads: BTreeMap::new(),
                    until: None,
                    numbers,
                });
            }
            FirstPage::Blank => "there is none",
            FirstPage::Bad(why) => why,
        };
        Err(fault(dir, number, 0, None, Wrong::SegmentHeader(why)))
    }

    /// Where the next commit is due.
    pub(crate) fn position(&self) -> Position {
        Position::at(self.segment.number, self.offset)
    }

    /// Bytes of all segments, taken to be as long as the present one: for showing progress.
    pub(crate) fn total_len(&self) -> u64 {
        self.numbers.len() as u64 * self.segment.len
    }

    /// Bytes from the start of the log to a place, in the same measure.
    pub(crate) fn len_to(&self, place: Position) -> u64 {
        u64::from(place.segment.saturating_sub(1)) * self.segment.len + u64::from(place.commit)
    }

    /// Checks the next commit and passes it, or tells how the log ends. A fault that no crash explains is an error.
    pub(crate) fn step(&mut self) -> Result<Step, Fault> {
        loop {
            if self.until.is_some_and(|until| self.position() >= until) {
                return Ok(Step::End(End { marked: false, torn: None }));
            }
            let mut marked = self.offset == PAGE as u32;
            let mut rest = Rest::Zero;
            if u64::from(self.offset) + PAGE as u64 <= self.segment.len {
                match decode::slot(&self.segment, self.offset).map_err(|e| self.fault(e))? {
                    Slot::Commit(header, after) if self.continues(&header) => {
                        return match decode::commit(&self.segment, &header) {
                            Ok(commit) => self.take(&header, after, commit).map(Step::Commit),
                            Err(inside) => self.broken(self.fault_inside(inside)).map(Step::End),
                        };
                    }
                    Slot::Mark(header, behind) if self.continues(&header) => {
                        marked = true;
                        rest = behind;
                    }
                    Slot::Commit(..) | Slot::Mark(..) => return Err(self.fault(Wrong::Chain)),
                    Slot::Bad(why) => {
                        return self.broken(self.fault(Wrong::CommitHeader(why))).map(Step::End);
                    }
                    Slot::Blank => {}
                }
            }
            if let Some(end) = self.next_segment(marked, rest)? {
                return Ok(Step::End(end));
            }
        }
    }

    fn continues(&self, header: &CommitHeader) -> bool {
        header.store == self.header.store && header.seq == self.seq && header.physical == self.physical
    }

    fn pass(&mut self, header: &CommitHeader, after: Digest) {
        self.offset += header.padded_len();
        self.seq += 1;
        self.physical = after;
    }

    fn take(&mut self, header: &CommitHeader, after: Digest, commit: Commit) -> Result<Commit, Fault> {
        for record in &commit.records {
            let head = self.heads.get(&record.agency).copied().unwrap_or(Head::EMPTY);
            let what = if record.index.0 != head.size {
                Wrong::Index { expected: head.size, found: record.index.0 }
            } else if record.prev != head.hash {
                Wrong::Prev
            } else {
                let head = Head { size: head.size + 1, hash: record.hash };
                self.heads.insert(record.agency.clone(), head);
                continue;
            };
            let offset = self.offset + record.position.record;
            return Err(self.fault_inside(Inside {
                what,
                offset,
                record: Some((record.agency.clone(), record.index)),
            }));
        }
        self.pass(header, after);
        Ok(commit)
    }

    /// The commit that is due is damaged: the rest of an unacknowledged one if nothing was written after it.
    fn broken(&self, fault: Fault) -> Result<End, Fault> {
        let rest =
            survey(&self.segment, self.offset, self.header.store, self.seq).map_err(|e| self.fault(e))?;
        if rest.later.is_some() || !self.all_blank_from(self.segment.number + 1)? {
            return Err(fault);
        }
        if self.numbers.contains(&(self.segment.number + 1)) && self.next_unstarted()?.later.is_some() {
            return Err(fault);
        }
        let bytes = u64::from(rest.written_to.unwrap_or(self.offset) - self.offset);
        Ok(End { marked: false, torn: Some(Torn { position: self.position(), bytes }) })
    }

    /// Nothing stands where the next commit is due: it is in the next segment, or the log ends here.
    fn next_segment(&mut self, marked: bool, rest: Rest) -> Result<Option<End>, Fault> {
        let here =
            survey(&self.segment, self.offset, self.header.store, self.seq).map_err(|e| self.fault(e))?;
        if let Some(later) = here.later {
            return Err(self.fault(Wrong::Lost { later }));
        }
        // The page of a good mark is not stray; what is behind it is.
        let own_page = self.offset + PAGE as u32;
        let written_to = here.written_to.filter(|to| rest == Rest::Written || !marked || *to > own_page);
        let number = self.segment.number + 1;
        let mut torn =
            written_to.map(|to| Torn { position: self.position(), bytes: u64::from(to - self.offset) });
        if self.numbers.contains(&number) {
            let next = Segment::open(&self.dir, number)?;
            match next.first_page(&self.dir)? {
                FirstPage::Started(_) if torn.is_some() => return Err(self.fault(Wrong::Stray)),
                FirstPage::Started(header) => return self.enter(next, header).map(|()| None),
                FirstPage::Blank | FirstPage::Bad(_) => {}
            }
            let inside = self.next_unstarted()?;
            if let Some(later) = inside.later {
                return Err(fault(&self.dir, number, 0, None, Wrong::Lost { later }));
            }
            if let Some(to) = inside.written_to {
                if torn.is_some() {
                    return Err(self.fault(Wrong::Stray));
                }
                torn = Some(Torn { position: Position::at(number, 0), bytes: to.into() });
            }
        }
        if !self.all_blank_from(number + 1)? {
            return Err(fault(&self.dir, number, 0, Some(self.seq), Wrong::Missing));
        }
        let cut_mark = torn.is_some_and(|t| t.position == self.position());
        Ok(Some(End { marked: marked && !cut_mark, torn }))
    }

    /// Looks into the next segment, which has no header. Its header is durable before its first commit, so a commit
    /// in it proves that the header was lost, and that all before it was durable.
    fn next_unstarted(&self) -> Result<Survey, Fault> {
        let number = self.segment.number + 1;
        let next = Segment::open(&self.dir, number)?;
        survey(&next, 0, self.header.store, self.seq - 1).map_err(|e| fault(&self.dir, number, 0, None, e))
    }

    fn enter(&mut self, next: Segment, header: SegmentHeader) -> Result<(), Fault> {
        let continued = header.store == self.header.store
            && header.first_seq == self.seq
            && header.physical == self.physical;
        if !continued {
            return Err(fault(&self.dir, next.number, 0, Some(self.seq), Wrong::Chain));
        }
        self.segment = next;
        self.header = header;
        self.offset = PAGE as u32;
        Ok(())
    }

    fn all_blank_from(&self, number: u32) -> Result<bool, Fault> {
        for later in self.numbers.iter().filter(|n| **n >= number) {
            if !matches!(Segment::open(&self.dir, *later)?.first_page(&self.dir)?, FirstPage::Blank) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fault(&self, what: impl Into<Wrong>) -> Fault {
        fault(&self.dir, self.segment.number, self.offset, Some(self.seq), what)
    }

    fn fault_inside(&self, inside: Inside) -> Fault {
        let (agency, index) = inside.record.unzip();
        Fault { offset: inside.offset.into(), agency, index, ..self.fault(inside.what) }
    }
}
