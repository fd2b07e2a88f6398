//! What goes wrong by itself: lines, the courier, processes, clocks, disks at rest. And how nodes come back.

use crate::clock::Clocks;
use crate::engine::Remains;
use crate::mutant::Mutant;
use crate::place::Seen;
use crate::queue::{Event, Side};
use crate::violation::{Sound, Violation, holds};
use crate::world::{Weather, World};
use lienthong_core::node::Input;

const MINUTE: u64 = 60_000;

impl World {
    /// When a side strikes next.
    pub(crate) fn next_strike(&mut self, side: Side) -> u64 {
        let after = match side {
            Side::Net => self.net.next_strike(),
            Side::Nats => self.streams.nats.magnitude(30_000, 20 * MINUTE),
            Side::Process => self.streams.process.magnitude(20_000, 15 * MINUTE),
            Side::Clock => self.streams.clock.magnitude(30_000, 20 * MINUTE),
            Side::Disk => self.streams.disks[0].magnitude(5 * MINUTE, 120 * MINUTE),
            Side::Copy => self.streams.copies.magnitude(MINUTE, 12 * MINUTE),
        };
        self.now + after
    }

    /// A side strikes.
    pub(crate) fn strike(&mut self, side: Side) -> Sound {
        if self.weather == Weather::Calm {
            return Ok(());
        }
        let next = self.next_strike(side);
        self.queue.push(next, Event::Strike(side));
        match side {
            Side::Net => self.strike_net(),
            Side::Nats => self.strike_nats(),
            Side::Process => self.strike_process(),
            Side::Clock => {
                let n = self.streams.clock.below(self.places.len() as u64) as usize;
                let what = self.places[n].clock.strike(self.now, &mut self.streams.clock);
                if self.config.clocks == Clocks::Right {
                    self.places[n].clock = Default::default();
                } else {
                    self.told_fault(n, what);
                }
                Ok(())
            }
            Side::Disk => self.strike_disk(),
            Side::Copy => self.strike_copy(),
        }
    }

    fn told_fault(&mut self, n: usize, what: &'static str) {
        self.tally.fault(what);
        self.trace.event(self.now, format_args!("{}: {what}", self.places[n].id));
    }

    fn strike_net(&mut self) -> Sound {
        let (n, what) = self.net.strike(self.now);
        self.told_fault(n, what);
        if what == "old message comes again"
            && let Some(message) = self.net.echo()
        {
            return self.publish(message);
        }
        Ok(())
    }

    fn strike_nats(&mut self) -> Sound {
        let n = self.streams.nats.below(self.places.len() as u64) as usize;
        match self.streams.nats.below(8) {
            0 | 1 => {
                self.told_fault(n, "courier wiped");
                let lost = self.truth.offers.iter().filter(|(tid, h)| !self.truth.has(&h.to, tid));
                self.wiped.extend(lost.map(|(tid, _)| *tid));
                self.nats.wipe();
                self.owners_repair();
            }
            2 | 3 => {
                self.nats.save();
                self.tally.work("copies of the courier's store", 1);
            }
            4 | 5 => {
                if self.nats.resurrect() {
                    self.told_fault(n, "courier's old store put back");
                    self.owners_repair();
                    (0..self.places.len()).for_each(|n| self.look_soon(n));
                }
            }
            _ => {
                self.told_fault(n, "mailbox refuses");
                let until = self.now + self.streams.nats.magnitude(5_000, 10 * MINUTE);
                self.nats.refuse(n, until);
            }
        }
        Ok(())
    }

    fn owners_repair(&mut self) {
        for n in 0..self.places.len() {
            let at = self.now + self.streams.nats.magnitude(500, 60_000);
            self.queue.push(at, Event::Repair(n));
        }
    }

    /// An agency makes its mailbox anew, when its node runs.
    pub(crate) fn repair(&mut self, n: usize) -> Sound {
        if self.places[n].node.is_some() {
            self.nats.open(n);
            self.look_soon(n);
        }
        Ok(())
    }

    fn strike_process(&mut self) -> Sound {
        let n = self.streams.process.below(self.places.len() as u64) as usize;
        let (kind, remains) = (self.streams.process.below(3), self.streams.process.below(3));
        let length = self.streams.process.magnitude(2_000, 10 * MINUTE);
        if self.places[n].node.is_none() {
            return Ok(());
        }
        if kind == 0 {
            self.told_fault(n, "process paused");
            self.places[n].paused_until = self.now + length;
            return Ok(());
        }
        let remains = [Remains::Nothing, Remains::Part, Remains::Whole][remains as usize];
        self.tally.fault("kill -9 or power cut at any moment");
        self.crash(n, remains, "killed")
    }

    fn strike_disk(&mut self) -> Sound {
        let stream = &mut self.streams.disks[0];
        let n = stream.below(self.places.len() as u64) as usize;
        let place = &mut self.places[n];
        if place.node.is_none() || !place.disk.flip(stream) {
            return Ok(());
        }
        self.tally.fault("bit flip at rest");
        self.crash(n, Remains::Nothing, "killed with a flipped bit on its disk")
    }

    /// The power of a node fails. What is on its disk is read back, and must be all that ever was durable.
    pub(crate) fn crash(&mut self, n: usize, remains: Remains, why: &'static str) -> Sound {
        self.tally.work("crashes", 1);
        self.trace.event(self.now, format_args!("{}: {why}", self.places[n].id));
        let mut lost = std::mem::take(&mut self.places[n].group);
        if let Some(committing) = self.places[n].committing.take() {
            lost.answers.extend(committing.group.answers);
            if let Some(commit) = committing.commit {
                match remains {
                    Remains::Nothing => {}
                    Remains::Part => self.places[n].disk.tear(&commit, &mut self.streams.disks[n]),
                    Remains::Whole => self.durable(n, commit)?,
                }
            }
        }
        self.ask_again(n, lost);
        let (id, head) = (self.places[n].id.clone(), self.places[n].head());
        let place = &mut self.places[n];
        if place.disk.is_flipped() {
            let refused = place.stop().is_err();
            holds(refused, "flip", || format!("{id} reads a flipped bit as the truth"))?;
            self.tally.outcome("damaged ledger refused");
            place.disk.repair();
        }
        place.stop().map_err(|d| Violation {
            invariant: "P1",
            what: format!("{id} cannot read its ledger: byte {}, {}", d.at, d.what),
        })?;
        holds(place.head() == head, "P1", || format!("{id} lost what was durable"))?;
        let thawed =
            place.thaw().map_err(|u| Violation { invariant: "replay", what: format!("{id}: {u}") })?;
        let same = thawed.as_ref().is_none_or(|state| *state == place.asleep);
        holds(same, "replay", || format!("{id}: a snapshot and what follows give another state"))?;
        if thawed.is_some() {
            self.tally.work("replays from a snapshot", 1);
        }
        place.seen = Seen::default();
        let life = place.life;
        let after = self.streams.process.magnitude(1_000, 8 * MINUTE);
        self.queue.push(self.now + after, Event::Start(n, life));
        self.check(n)
    }

    /// A node starts, from its disk alone.
    pub(crate) fn start(&mut self, n: usize, life: u64) -> Sound {
        let place = &mut self.places[n];
        if place.life != life || place.node.is_some() || place.gone {
            return Ok(());
        }
        // The second epoch of the directory comes some time after the first, to each node on its own day.
        if self.now > 10 * MINUTE && self.streams.process.chance(300) {
            place.directory = self.cast.epochs[1].clone();
        }
        let id = place.id.clone();
        let mut nonce = [0; 16];
        self.streams.copies.fill(&mut nonce);
        place.start(self.now, &self.cast, nonce).map_err(|d| Violation {
            invariant: "P1",
            what: format!("{id} refuses to start: byte {}, {}", d.at, d.what),
        })?;
        let live = place.state();
        let same = place.ledger.is_empty() || *live == place.asleep;
        holds(same, "replay", || format!("{id}: two replays of one ledger differ"))?;
        self.recover_or_greet(n)?;
        self.trace.event(self.now, format_args!("{id}: starts with {} records", self.places[n].ledger.len()));
        self.tally.work("starts", 1);
        self.nats.open(n);
        self.look_soon(n);
        self.settle(n)
    }

    /// A node on an old copy recovers before it does anything else; others tell now and then that they are there.
    fn recover_or_greet(&mut self, n: usize) -> Sound {
        let greets = self.streams.copies.chance(100);
        let place = &mut self.places[n];
        let now = place.now(self.now);
        let Some(node) = place.node.as_mut() else { return Ok(()) };
        let recovers = place.restored && self.config.mutant != Mutant::RestoreInSilence;
        if !recovers && (place.restored || !greets || place.ledger.is_empty() || node.state().recovering()) {
            place.restored = false;
            return Ok(());
        }
        let told = node.step(now, if recovers { Input::Recover } else { Input::Greet });
        holds(told.is_ok(), "honest", || format!("{} does not begin: {told:?}", place.id))
    }
}
