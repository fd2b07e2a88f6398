//! An agency that is gone for good: its machine never starts again, and some time later the act of the authority that
//! retires it is brought to somebody. What only it knew is lost with it; the shadow goes on with what the others have.

use crate::engine::Remains;
use crate::queue::Event;
use crate::violation::{Sound, holds};
use crate::world::World;
use lienthong_core::ids::{AgencyId, TrackId};
use lienthong_core::node::Input;

const MINUTE: u64 = 60_000;

impl World {
    /// Foresees the end of one agency, when this run has one. Not of the one that always remembers.
    pub(crate) fn foresee_the_end(&mut self) {
        if self.config.gone {
            let stream = &mut self.streams.gone;
            let n = stream.between(1, self.places.len() as u64 - 1) as usize;
            let at = stream.between(4 * MINUTE, 22 * MINUTE);
            self.queue.push(at, Event::Die(n));
        }
    }

    /// Its machine burns.
    pub(crate) fn die(&mut self, n: usize) -> Sound {
        if self.places[n].node.is_some() {
            self.crash(n, Remains::Nothing, "is gone for good")?;
        }
        let id = self.places[n].id.clone();
        self.places[n].gone = true;
        self.gone = Some(n);
        self.tally.fault("an agency is gone for good");
        self.trace.event(self.now, format_args!("{id}: is gone for good"));
        self.told.retain(|(who, _), _| *who != n);
        self.owed.retain(|(who, _)| *who != n);
        self.truth.put_back(&id, &[])?;
        let after = self.streams.gone.magnitude(5_000, 10 * MINUTE);
        self.queue.push(self.now + after, Event::Retire);
        Ok(())
    }

    /// Somebody brings the act to a node that runs; where none does, later.
    pub(crate) fn retire(&mut self) -> Sound {
        let up: Vec<usize> = (0..self.places.len())
            .filter(|n| self.places[*n].node.is_some() && !self.is_paused(*n))
            .collect();
        if up.is_empty() {
            self.queue.push(self.now + MINUTE, Event::Retire);
            return Ok(());
        }
        let told = *self.streams.gone.pick(&up);
        self.bring_act(told)
    }

    /// An operator brings the act; a second time changes nothing.
    pub(crate) fn bring_act(&mut self, told: usize) -> Sound {
        let Some(gone) = self.gone else { return Ok(()) };
        let act = self.cast.act(gone);
        let place = &mut self.places[told];
        let now = place.now(self.now);
        let Some(node) = place.node.as_mut() else { return Ok(()) };
        let came = node.step(now, Input::Act(act));
        holds(came.is_ok(), "honest", || format!("{} does not take the act: {came:?}", place.id))?;
        self.tally.action("act of the authority");
        self.settle(told)
    }

    /// Whether this is the agency that is gone.
    pub(crate) fn is_gone(&self, id: &AgencyId) -> bool {
        self.gone.is_some_and(|n| self.places[n].id == *id)
    }

    /// Whether the one that is gone had part in a dossier: then the place of receipt may lack what it never told.
    pub(crate) fn gone_had_part(&self, track: &TrackId) -> bool {
        let of = self.truth.offers.values().filter(|handed| handed.track == *track);
        let custody = self.truth.dossiers.get(track);
        let held = custody.is_some_and(|c| self.is_gone(&c.custodian) || self.is_gone(&c.origin));
        held || of.into_iter().any(|h| self.is_gone(&h.from) || self.is_gone(&h.to))
    }

    /// What it held as far as anybody knows is its successor's, unless a part of its past is lost everywhere.
    pub(crate) fn nothing_is_left(&mut self) -> Sound {
        let Some(gone) = self.gone else { return Ok(()) };
        let place = &self.places[self.cast.successor(gone)];
        let Some(node) = place.node.as_ref() else { return Ok(()) };
        let estate = node.state().memory.acts.left_to(&place.id);
        let left: Vec<_> = node.state().held_by(&estate).collect();
        for (track, known) in left {
            let lost = known.floats() || node.collecting().doubts(node.state(), &track);
            let signed = self.truth.dossiers.get(&track).is_some_and(|c| !self.is_gone(&c.custodian));
            holds(lost || signed, "L1", || format!("{} has not taken over {track:?}", place.id))?;
            let what = if signed {
                "dossier of the one who is gone, left to whom it was offered"
            } else {
                "dossier of the one who is gone, with a part of its past lost"
            };
            self.tally.outcome(what);
        }
        Ok(())
    }

    /// Offers to it that came back, and those of which somebody had its acceptance, or a sign of it.
    pub(crate) fn count_what_it_left(&mut self) {
        for place in self.places.iter().filter(|p| !p.gone) {
            for ((_, to), _) in place.state().outbox.rows() {
                if self.gone.is_some_and(|n| self.places[n].id == *to) {
                    self.tally.outcome("offer to the one who is gone, accepted without proof");
                }
            }
        }
    }
}
