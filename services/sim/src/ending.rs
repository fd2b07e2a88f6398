//! The end of a run: faults stop, everything heals (L1), the last decisions are made, and the strong checks are whole.

use crate::place::{Place, TIMING};
use crate::random::{Concern, Stream};
use crate::violation::{Sound, Violation, holds, some};
use crate::workload::command;
use crate::world::{Weather, World};
use lienthong_core::custody::command::Act;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::{Phase, Track};
use lienthong_core::delivery::outbox::Awaits;
use lienthong_core::ids::{Tid, TrackId};
use lienthong_core::node::Node;
use lienthong_wire::statement::WireCodec;

/// Events after which a world that does not come to rest is sick. Healthy ones need some thousands.
const PATIENCE: usize = 200_000;

/// Everything is said again sooner than this.
const LONG_MS: u64 = 3_600_000;

impl World {
    pub(crate) fn end(&mut self) -> Sound {
        self.calm()?;
        self.quiet()?;
        self.at_rest()?;
        self.decide_all()?;
        self.count_what_it_left();
        self.nothing_is_left()?;
        for place in self.places.iter().filter(|p| !p.gone) {
            let left = place.state().outbox.rows().filter(|((_, to), _)| !self.is_gone(to)).count();
            holds(left == 0, "L1", || format!("{left} rows wait at {} for ever", place.id))?;
        }
        for n in (0..self.places.len()).filter(|n| self.gone != Some(*n)).collect::<Vec<_>>() {
            self.replays(n)?;
            self.knows(n)?;
        }
        self.promises()?;
        self.everything_came_back()?;
        self.evidence()
    }

    /// Faults stop, and everybody is up.
    fn calm(&mut self) -> Sound {
        self.weather = Weather::Calm;
        self.trace.event(self.now, format_args!("faults stop"));
        self.net.heal();
        self.nats.heal();
        for n in 0..self.places.len() {
            self.places[n].paused_until = 0;
            let life = self.places[n].life;
            self.start(n, life)?;
            if self.gone != Some(n) {
                self.nats.open(n);
                self.look_soon(n);
            }
        }
        self.bring_act(0)
    }

    /// Lets everything that is foreseen happen, messages of days ago too, until nothing is left.
    pub(crate) fn quiet(&mut self) -> Sound {
        let mut news = (self.commits, self.now);
        for _ in 0..PATIENCE {
            // One who is gone is told of the act for ever, by a statement that was made long ago.
            if news.0 != self.commits {
                news = (self.commits, self.now);
            }
            if self.gone.is_some() && self.now > news.1 + LONG_MS && self.queue.has_only_timers() {
                return Ok(());
            }
            let Some((at, event)) = self.queue.pop() else { return Ok(()) };
            self.now = self.now.max(at);
            self.happen(event)?;
        }
        let waiting: Vec<String> = self
            .places
            .iter()
            .filter_map(|p| {
                let (key, row) = p.state().outbox.rows().next()?;
                Some(format!("{}: {} to {} waits for {:?}", p.id, row.kind.name(), key.1, row.awaits))
            })
            .collect();
        Err(Violation { invariant: "L1", what: format!("the world does not come to rest: {waiting:?}") })
    }

    /// L1: nobody waits for anything but a person.
    fn at_rest(&self) -> Sound {
        for place in self.places.iter().filter(|p| !p.gone) {
            holds(place.node.is_some(), "L1", || format!("{} is not up", place.id))?;
            holds(place.committing.is_none(), "L1", || format!("{} still writes", place.id))?;
            holds(!place.recovering(), "L1", || format!("{} has not recovered", place.id))?;
            for ((_, to), row) in place.state().outbox.rows().filter(|((_, to), _)| !self.is_gone(to)) {
                let there = self.cast.number(to).and_then(|n| self.places[n].state().track(&row.track));
                let in_inbox = there.is_some_and(|t| t.phase == Phase::Inbox(row.sid));
                holds(row.awaits == Awaits::Decision && in_inbox, "L1", || {
                    let (kind, phase) = (row.kind.name(), there.map(|t| t.phase));
                    format!(
                        "{}: {kind} {:?} for {to} waits for {:?} and is {phase:?}",
                        place.id, row.sid, row.awaits
                    )
                })?;
            }
        }
        Ok(())
    }

    /// Somebody decides whatever is in an inbox, until there is nothing.
    fn decide_all(&mut self) -> Sound {
        let mut stream = Stream::new(self.seed, Concern::Workload, u64::MAX);
        let mut inboxes: Vec<(usize, TrackId, Tid)> =
            self.places.iter().filter(|p| !p.gone).flat_map(inbox).collect();
        // Ids depend on the clocks, numbers do not.
        inboxes.sort_by_key(|(n, track, _)| (self.dossier_of(track), *n));
        for (n, track, tid) in inboxes {
            let giver =
                self.places[n].state().track(&track).and_then(|t| t.transfers.get(&tid)).map(|t| &t.from);
            let to_nobody = giver.is_some_and(|giver| self.is_gone(giver)); // it cannot be given back
            let accepts = stream.chance(700) || to_nobody;
            let act = if accepts {
                Act::Accept { tid, note: String::new() }
            } else {
                Act::Refuse { tid, reason: "hết hạn".into() }
            };
            let dossier = self.dossier_of(&track).unwrap_or(usize::MAX);
            let asked = command(&format!("last-{}", tid.short()), n, act);
            self.command(n, dossier, asked, "last decision")?;
        }
        self.quiet()?;
        let left = self.places.iter().filter(|p| !p.gone).flat_map(inbox).count();
        holds(left == 0, "L1", || format!("{left} dossiers are still in inboxes"))
    }

    /// The bytes give the state, once more (I9).
    fn replays(&mut self, n: usize) -> Sound {
        let place = &mut self.places[n];
        let kept = place.disk.open(&place.id).map_err(|d| Violation {
            invariant: "I11",
            what: format!("{}: {} at byte {}", place.id, d.what, d.at),
        })?;
        let same = kept.len() == place.ledger.len() && kept.last().map(|k| k.hash) == Some(place.head().hash);
        holds(same, "I11", || format!("the disk of {} holds another ledger", place.id))?;
        let seat = (WireCodec, place.directory.clone(), TIMING);
        let empty = State::new(place.id.clone());
        let records = kept.into_iter().map(|k| k.record);
        let again = Node::recover(empty, records, place.head(), seat, place.now(self.now));
        holds(again.state() == place.state(), "replay", || {
            format!("{}: the bytes give another state", place.id)
        })
    }

    /// I9, I14: whatever came in whatever order, in the end everybody concerned knows the same.
    fn knows(&self, n: usize) -> Sound {
        let place = &self.places[n];
        for (id, custody) in &self.truth.dossiers {
            let follows = custody.origin == place.id && !self.gone_had_part(id);
            let concerned = follows || custody.custodian == place.id;
            let Some(known) = place.state().track(id) else {
                holds(!concerned, "I14", || format!("{} does not know its dossier", place.id))?;
                continue;
            };
            let standing = known.standing();
            let same = *standing.holder == custody.custodian
                && standing.tip == custody.tip
                && standing.hop.0 == custody.hop
                && standing.returned.is_some() == custody.closed;
            holds(same || !concerned, "I9", || {
                let dossier = self.dossier_of(id);
                format!("{} has not the end of dossier {dossier:?}", place.id)
            })?;
            self.knows_decisions(place, known)?;
        }
        Ok(())
    }

    fn knows_decisions(&self, place: &Place, known: &Track) -> Sound {
        for (tid, transfer) in known.transfers.iter() {
            let handed = some(self.truth.offers.get(tid), "I14", || "an offer that is on no disk")?;
            let gone = self.is_gone(&transfer.from) || self.is_gone(&transfer.to);
            let party = match gone {
                true => transfer.from == place.id,
                false => [&transfer.from, &transfer.to, &known.origin].contains(&&place.id),
            };
            let mine = transfer.outcome.map(|o| (o.sid, o.refused));
            holds(!party || mine == handed.decision, "I14", || {
                format!("{} does not know the decision on hop {}", place.id, handed.hop)
            })?;
        }
        Ok(())
    }

    /// P1: what callers were told is still so.
    fn promises(&self) -> Sound {
        self.told.iter().try_for_each(|((n, key), (sid, _))| {
            let id = &self.places[*n].id;
            let kept = self.truth.has(id, sid);
            let same =
                self.config.mutant != crate::mutant::Mutant::None || self.truth.effect(id, key) == Some(*sid);
            holds(kept && same, "P1", || format!("{id} acknowledged {key} and has it no more"))
        })
    }
}

fn inbox(place: &Place) -> impl Iterator<Item = (usize, TrackId, Tid)> + '_ {
    place.state().tracks.open().filter_map(|(id, track)| match track.phase {
        Phase::Inbox(tid) => Some((place.number, *id, tid)),
        _ => None,
    })
}
