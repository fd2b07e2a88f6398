//! Which open dossiers are in which phase, by number: what lists by phase are made of. Built from the state at each start and
//! kept by the loop, for the phase of a dossier changes with nearly every record and rows of it were most of what was written.

use super::rows::number;
use crate::grpc::shape;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Track;
use lienthong_core::ids::TrackId;
use lienthong_proto::v1;
use std::collections::BTreeMap;

/// Open dossiers of one agency. Closed ones, in time nearly all, are not in it. When one goes on, a byte changes: to move it
/// from one list to another, both of a hundred thousand, was a twentieth of a giver's time.
#[derive(Debug, Default)]
pub(crate) struct Phases {
    /// By number, where there are any: from the oldest open dossier on.
    pages: BTreeMap<u64, Page>,
}

/// Numbers in a page, one for each record of the ledger; every dossier has that of its first.
const PAGE: usize = 1_024;

/// More than there are phases.
const COUNTS: usize = 16;
const _: () = assert!((v1::Phase::Closed as usize) < COUNTS);

/// Numbers that follow each other.
#[derive(Debug)]
struct Page {
    /// Zero, which is no phase, where there is no open dossier.
    phases: Box<[u8; PAGE]>,
    /// How many are in each phase, so that a list goes past pages that have nothing for it.
    counts: [u16; COUNTS],
    /// The open dossiers.
    ids: BTreeMap<u16, TrackId>,
}

impl Default for Page {
    fn default() -> Self {
        Self { phases: Box::new([0; PAGE]), counts: [0; COUNTS], ids: BTreeMap::new() }
    }
}

impl Page {
    /// Those in a phase.
    fn of(&self, phase: v1::Phase) -> impl Iterator<Item = (u16, &TrackId)> {
        let is_in = move |place: u16| i32::from(self.phases[usize::from(place)]) == phase as i32;
        let ids = Some(&self.ids).filter(|_| self.counts[phase as usize] > 0).into_iter().flatten();
        ids.map(|(place, id)| (*place, id)).filter(move |(place, _)| is_in(*place))
    }
}

impl Phases {
    /// Those of a state.
    pub(crate) fn of(state: &State) -> Self {
        let mut phases = Self::default();
        state.tracks.open().for_each(|(id, track)| phases.follow(id, track));
        phases
    }

    /// A dossier is what it is now.
    pub(crate) fn follow(&mut self, id: &TrackId, track: &Track) {
        let phase = shape::phase(track.phase, track.returned.is_some());
        self.put(number(track), id, Some(phase).filter(|phase| *phase != v1::Phase::Closed));
    }

    /// The phase of a number; none when it is not open any more.
    fn put(&mut self, number: u64, id: &TrackId, now: Option<v1::Phase>) {
        let (at, place) = (number / PAGE as u64, (number % PAGE as u64) as u16);
        let page = self.pages.entry(at).or_default();
        let now = now.map_or(0, |now| now as u8);
        let before = std::mem::replace(&mut page.phases[usize::from(place)], now);
        match (before, now) {
            _ if before == now => {}
            (0, now) => {
                page.ids.insert(place, *id);
                page.counts[usize::from(now)] += 1;
            }
            (before, 0) => {
                page.ids.remove(&place);
                page.counts[usize::from(before)] -= 1;
            }
            (before, now) => {
                page.counts[usize::from(before)] -= 1;
                page.counts[usize::from(now)] += 1;
            }
        }
        if page.ids.is_empty() {
            self.pages.remove(&at);
        }
    }

    /// Those in a phase after a number, the one that came first at the beginning.
    pub(crate) fn after(
        &self,
        phase: v1::Phase,
        after: Option<u64>,
    ) -> impl Iterator<Item = (u64, TrackId)> + '_ {
        let first = after.map_or(0, |after| after / PAGE as u64);
        let all = self.pages.range(first..).flat_map(move |(at, page)| {
            page.of(phase).map(move |(place, id)| (at * PAGE as u64 + u64::from(place), *id))
        });
        all.filter(move |(number, _)| after.is_none_or(|after| *number > after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lienthong_core::ids::Digest;
    use v1::Phase;

    #[test]
    fn lists_are_of_the_phase_that_was_put_last() {
        let all: [u64; 7] = [0, 1, 1_023, 1_024, 5_000_000, 5_000_001, u64::MAX];
        let id = |number: u64| Digest([number.wrapping_mul(31) as u8; 32]);
        let mut phases = Phases::default();
        for (n, number) in all.into_iter().enumerate() {
            for now in [None, Some(Phase::Held), None, Some(Phase::Inbox), Some(Phase::Held)] {
                phases.put(number, &id(number), now);
            }
            if n % 2 == 0 {
                phases.put(number, &id(number), Some(Phase::Offered));
            }
        }
        let list = |phases: &Phases, phase, after| phases.after(phase, after).collect::<Vec<_>>();
        let listed = |numbers: &[u64]| numbers.iter().map(|n| (*n, id(*n))).collect::<Vec<_>>();
        assert_eq!(list(&phases, Phase::Held, None), listed(&[1, 1_024, 5_000_001]));
        assert_eq!(list(&phases, Phase::Offered, None), listed(&[0, 1_023, 5_000_000, u64::MAX]));
        assert_eq!(list(&phases, Phase::Offered, Some(0)), listed(&[1_023, 5_000_000, u64::MAX]));
        assert_eq!(list(&phases, Phase::Held, Some(1_023)), listed(&[1_024, 5_000_001]));
        assert_eq!(list(&phases, Phase::Held, Some(1_024)), listed(&[5_000_001]));
        assert_eq!(list(&phases, Phase::Offered, Some(u64::MAX)), listed(&[]));
        assert_eq!(list(&phases, Phase::Inbox, None), listed(&[]));
        assert_eq!(phases.pages.len(), 4, "0 to 1,023 share a page");
        all.into_iter().for_each(|number| phases.put(number, &id(number), None));
        assert!(phases.pages.is_empty(), "a page without open dossiers is let go");
    }
}
