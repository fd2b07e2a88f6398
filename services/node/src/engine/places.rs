//! Where records lie, an entry for those of one commit, so that nearly no record is looked up in the queues.

use lienthong_core::ids::AgencyId;
use lienthong_store::Position;
use std::collections::{BTreeMap, VecDeque};

/// Bytes of what was written lately: 4 for a record of a large commit, some hundred for one that is a commit of its own.
/// So three million records at the most, and a hundred thousand at the least, above what a full disk lets in while the
/// rows are behind.
const WRITTEN_BYTES: usize = 12 << 20;
/// Bytes of what was looked up in the queues. Apart from the others, whose rows may not be there yet.
const FOUND_BYTES: usize = 4 << 20;
/// Bytes of an entry besides its records: its place in the map and in the order, and what an allocation takes.
const ENTRY_BYTES: usize = 112;

/// Records of one agency in one commit, which follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Where the commit is.
    pub(crate) commit: Position,
    /// Where its records are in it.
    pub(crate) records: Box<[u32]>,
}

impl Run {
    /// Of places in one commit.
    pub(crate) fn of(places: &[Position]) -> Option<Self> {
        let commit = Position { record: 0, ..*places.first()? };
        Some(Self { commit, records: places.iter().map(|place| place.record).collect() })
    }

    /// The place of one of them, where `first` is the index of the first.
    pub(crate) fn place(&self, first: u64, index: u64) -> Option<Position> {
        let nth = usize::try_from(index.checked_sub(first)?).ok()?;
        Some(Position { record: *self.records.get(nth)?, ..self.commit })
    }

    fn weight(&self) -> usize {
        ENTRY_BYTES + std::mem::size_of_val(&*self.records)
    }
}

/// The places that are known without the queues.
#[derive(Debug)]
pub(crate) struct Places {
    written: Runs,
    found: Runs,
}

impl Default for Places {
    fn default() -> Self {
        Self { written: Runs::of(WRITTEN_BYTES), found: Runs::of(FOUND_BYTES) }
    }
}

impl Places {
    /// Keeps where durable records are.
    pub(crate) fn written(&mut self, agency: &AgencyId, first: u64, run: Run) {
        self.written.keep(agency, first, run);
    }

    /// Keeps what the queues told.
    pub(crate) fn found(&mut self, agency: &AgencyId, first: u64, run: Run) {
        self.found.keep(agency, first, run);
    }

    pub(crate) fn get(&self, agency: &AgencyId, index: u64) -> Option<Position> {
        self.written.get(agency, index).or_else(|| self.found.get(agency, index))
    }
}

/// Runs by agency and index of the first record; the oldest go first.
#[derive(Debug)]
struct Runs {
    runs: BTreeMap<AgencyId, BTreeMap<u64, Run>>,
    order: VecDeque<(AgencyId, u64)>,
    bytes: usize,
    most: usize,
}

impl Runs {
    fn of(most: usize) -> Self {
        Self { runs: BTreeMap::new(), order: VecDeque::new(), bytes: 0, most }
    }

    fn keep(&mut self, agency: &AgencyId, first: u64, run: Run) {
        let of_agency = self.runs.entry(agency.clone()).or_default();
        self.bytes += run.weight();
        match of_agency.insert(first, run) {
            // It has its turn already.
            Some(old) => self.bytes -= old.weight(),
            None => self.order.push_back((agency.clone(), first)),
        }
        while self.bytes > self.most
            && let Some((agency, first)) = self.order.pop_front()
        {
            let of_agency = self.runs.get_mut(&agency);
            if let Some(old) = of_agency.and_then(|runs| runs.remove(&first)) {
                self.bytes -= old.weight();
            }
        }
    }

    fn get(&self, agency: &AgencyId, index: u64) -> Option<Position> {
        let (first, run) = self.runs.get(agency)?.range(..=index).next_back()?;
        run.place(*first, index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agency(id: &str) -> AgencyId {
        AgencyId::parse(id).expect("an id")
    }

    /// Records from `first` on, in a commit of their own.
    fn places(first: u64, count: u32) -> Vec<Position> {
        (0..count).map(|n| Position { segment: 3, commit: 8 * first as u32, record: 64 + 24 * n }).collect()
    }

    #[test]
    fn each_record_is_found_where_it_is_and_no_other() {
        let mut kept = Places::default();
        let written = [("a", 0, 1), ("a", 1, 700), ("a", 900, 3), ("b", 5, 40)];
        for (id, first, count) in written {
            let run = Run::of(&places(first, count)).expect("places");
            // Also what is told twice, and by the queues in other parts.
            kept.written(&agency(id), first, run.clone());
            kept.written(&agency(id), first, run.clone());
            kept.found(&agency(id), first, run);
        }
        for (id, first, count) in written {
            for (index, at) in (first..).zip(places(first, count)) {
                assert_eq!(kept.get(&agency(id), index), Some(at), "{id} {index}");
            }
        }
        for (id, index) in [("a", 701), ("a", 899), ("a", 903), ("b", 4), ("b", 45), ("c", 0)] {
            assert_eq!(kept.get(&agency(id), index), None, "{id} {index}");
        }
        assert_eq!(Run::of(&[]), None);
    }

    #[test]
    fn memory_is_bounded_and_what_was_looked_up_pushes_nothing_written_out() {
        let (mut kept, a) = (Places::default(), agency("a"));
        let one = |first| Run::of(&places(first, 1)).expect("places");
        let weight = one(0).weight();
        let room = (WRITTEN_BYTES / weight) as u64;
        assert!(room > 65_536, "{room}");
        for index in 0..room + 10 {
            kept.written(&a, index, one(index));
        }
        let (written, looked_up) = (room + 10, 1_000_000_000);
        assert_eq!(kept.written.bytes, room as usize * weight);
        assert_eq!((kept.get(&a, 9), kept.get(&a, written)), (None, None), "the oldest went");
        for index in looked_up..looked_up + room {
            kept.found(&a, index, one(index % 1_000));
        }
        assert!(kept.found.bytes <= FOUND_BYTES && kept.found.order.len() == FOUND_BYTES / weight);
        assert_eq!(kept.found.runs[&a].len(), kept.found.order.len());
        for index in 10..written {
            assert_eq!(kept.get(&a, index), Some(places(index, 1)[0]), "{index}");
        }
    }
}
