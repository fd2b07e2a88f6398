//! From a step to the disk, and from the disk to the line: what the real node's loop does, with a disk that may fail.

use crate::disk::{Commit, Fate, Kept};
use crate::mutant::Mutant;
use crate::nats::Message;
use crate::place::{Committing, Group, pack};
use crate::queue::Event;
use crate::violation::{Sound, holds, some};
use crate::world::{Weather, World};
use lienthong_core::durable::Durable;
use lienthong_core::ids::{AgencyId, Head};
use lienthong_core::node::{Dispatch, Lane};
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::recovery::Word;
use lienthong_core::statement::{Body, RefusalCause};
use std::collections::BTreeMap;

/// What stays of a commit that was on its way when the power failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    Nothing,
    Part,
    Whole,
}

impl World {
    /// After anything was done at a node: what it decided goes to the disk, timers are set, and all is checked.
    pub(crate) fn settle(&mut self, n: usize) -> Sound {
        self.commit(n)?;
        self.set_timer(n);
        self.check(n)
    }

    fn commit(&mut self, n: usize) -> Sound {
        if self.places[n].committing.is_some() || self.places[n].node.is_none() {
            return Ok(());
        }
        let Some(commit) = self.places[n].batch(self.now)? else {
            let group = std::mem::take(&mut self.places[n].group);
            return self.release(n, group);
        };
        let (fate, took) = if commit.is_some() { self.fate(n) } else { (Fate::Sound, 0) };
        let place = &mut self.places[n];
        let group = std::mem::take(&mut place.group);
        let early = self.config.mutant == Mutant::SpeakEarly;
        let head = match &commit {
            Some(commit) => Head {
                size: place.ledger.len() as u64 + commit.records.len() as u64,
                hash: commit.records.last().map_or(Head::EMPTY.hash, |r| r.hash),
            },
            None => place.head(),
        };
        place.committing = Some(Committing { commit, fate, group });
        self.queue.push(self.now + took, Event::Synced(n, self.places[n].life));
        if early { self.speak(n, head) } else { Ok(()) }
    }

    fn fate(&mut self, n: usize) -> (Fate, u64) {
        self.commits += 1;
        if self.weather == Weather::Calm {
            return (Fate::Sound, 1);
        }
        let stream = &mut self.streams.disks[n];
        let (drawn, slow) = (Fate::drawn(stream), stream.chance(10));
        let took = stream.magnitude(1, if slow { 30_000 } else { 60 });
        if slow {
            self.tally.fault("slow disk");
        }
        let planned = self.commits == self.planned.0;
        if planned {
            self.tally.fault("crash at the k-th commit");
        }
        (if planned { self.planned.1 } else { drawn }, took)
    }

    /// The disk is done with a commit, or the power is.
    pub(crate) fn synced(&mut self, n: usize, life: u64) -> Sound {
        if self.places[n].life != life {
            return Ok(());
        }
        if self.is_paused(n) {
            self.queue.push(self.places[n].paused_until, Event::Synced(n, life));
            return Ok(());
        }
        let fate = self.places[n].committing.as_ref().map_or(Fate::Sound, |c| c.fate);
        if fate != Fate::Sound {
            self.tally.fault(fate.name());
        }
        match fate {
            Fate::CrashBefore => return self.crash(n, Remains::Nothing, fate.name()),
            Fate::Torn => return self.crash(n, Remains::Part, fate.name()),
            Fate::CrashAfter => return self.crash(n, Remains::Whole, fate.name()),
            // A store that cannot write stops its node; it starts again when there is room.
            Fate::Full => return self.crash(n, Remains::Nothing, fate.name()),
            Fate::Sound | Fate::CrashSpoken => {}
        }
        let committing = some(self.places[n].committing.take(), "I6", || "no commit was on its way")?;
        if let Some(commit) = committing.commit {
            self.durable(n, commit)?;
        }
        if self.config.mutant != Mutant::SpeakEarly {
            let head = self.places[n].head();
            self.speak(n, head)?;
        }
        if fate == Fate::CrashSpoken {
            let lost = Committing { commit: None, fate, group: committing.group };
            self.places[n].committing = Some(lost);
            return self.crash(n, Remains::Nothing, fate.name());
        }
        self.release(n, committing.group)?;
        if self.weather == Weather::Rough && self.streams.check.chance(15) {
            let taken = self.places[n].freeze(self.now).is_some();
            self.tally.work("snapshots", u64::from(taken));
        }
        self.settle(n)
    }

    /// A commit is on the disk, whoever is left to know it.
    pub(crate) fn durable(&mut self, n: usize, commit: Commit) -> Sound {
        let id = self.places[n].id.clone();
        self.places[n].disk.sync(&commit);
        self.tally.work("commits", 1);
        self.tally.work("records", commit.records.len() as u64);
        self.trace.event(self.now, format_args!("{id}: {} records are durable", commit.records.len()));
        for kept in commit.records {
            self.truth.durable(&id, &kept.record)?;
            if let Record::Statement(record) = &kept.record {
                if let (Origin::Made, Body::Recovery(word)) = (record.origin, &record.statement.body) {
                    self.count_word(n, word);
                }
                self.fresh.extend(record.statement.track());
                self.claims_its_chain(n, record)?;
                self.count(&id, record);
            }
            self.places[n].ledger.push(kept);
        }
        Ok(())
    }

    /// I11: what a statement claims of its maker's ledger is so.
    fn claims_its_chain(&self, n: usize, record: &StatementRecord) -> Sound {
        if record.origin != Origin::Made {
            return Ok(());
        }
        let (place, claim) = (&self.places[n], &record.statement.claim);
        let hash = match claim.head.size.checked_sub(1) {
            Some(last) => place.ledger.get(last as usize).map(|kept: &Kept| kept.hash),
            None => Some(Head::EMPTY.hash),
        };
        let right = claim.index.0 == place.ledger.len() as u64 && hash == Some(claim.head.hash);
        let early = self.config.mutant == Mutant::SpeakEarly;
        holds(right || early, "I11", || format!("{} claims a head that is not on its chain", place.id))
    }

    fn count_word(&mut self, n: usize, word: &Word) {
        match word {
            Word::Fence { .. } => {
                self.places[n].restored = false; // from here on its ledger says that it recovers
                self.tally.work("fences", 1);
            }
            Word::Fenced { recovering: true, .. } => self.tally.work("fences among those who recover", 1),
            Word::Given(given) if given.track.is_some() => self.tally.work("tracks given back", 1),
            Word::Resumed { last: true, .. } => self.tally.outcome("recovery finished"),
            Word::Rollback => self.tally.work("rollbacks told", 1),
            _ => {}
        }
    }

    fn count(&mut self, id: &AgencyId, record: &StatementRecord) {
        let statement = &*record.statement;
        let sid = statement.sid();
        let (tid, refused) = match (&statement.body, record.origin) {
            (Body::Offer(offer), Origin::Taken) if offer.to == *id => {
                if self.wiped.remove(&sid) {
                    self.tally.outcome("offer delivered after the courier lost it");
                }
                return;
            }
            (Body::Accept(b), Origin::Made) => (b.tid, None),
            (Body::Refuse(b), Origin::Made) => (b.tid, Some(b.cause)),
            (Body::Reclaim(b), Origin::Made) => (b.tid, Some(RefusalCause::Reclaimed)),
            (Body::Succeed(_), Origin::Made) => {
                return self.tally.outcome("dossier of a retired agency taken over");
            }
            (Body::Returned(_), Origin::Made) => return self.tally.outcome("dossier closed"),
            (Body::Intake(_), Origin::Made) => return self.tally.outcome("dossier taken in"),
            _ => return,
        };
        let Some(handed) = self.truth.offers.get(&tid).cloned() else { return };
        let dossier = self.dossier_of(&handed.track);
        let what = match (refused, handed.recalled) {
            (None, false) => "hop accepted",
            (None, true) => "hop accepted, recall lost",
            (Some(RefusalCause::Officer), false) => "hop refused",
            (Some(RefusalCause::Officer), true) => "hop refused while recalled",
            (Some(RefusalCause::Recalled), _) => "recall won",
            (Some(RefusalCause::Policy), _) => "hop refused by the directory",
            (Some(RefusalCause::Succeeded), _) => "offer of a retired agency that came to nobody",
            (Some(RefusalCause::Reclaimed), _) => "hop reclaimed from a retired agency",
        };
        if refused == Some(RefusalCause::Recalled) && !self.arrived(id, &tid) {
            self.tally.outcome("recall won before its offer came");
        }
        self.tally.outcome(what);
        self.trace.decision(format_args!("{dossier:?} hop {} at {id}: {what}", handed.hop));
        self.trace.event(self.now, format_args!("{id}: dossier {dossier:?} hop {}: {what}", handed.hop));
    }

    fn arrived(&self, id: &AgencyId, tid: &lienthong_core::ids::Tid) -> bool {
        let taken = |kept: &Kept| matches!(&kept.record, Record::Statement(r) if r.origin == Origin::Taken && r.statement.sid() == *tid);
        self.cast.number(id).is_some_and(|n| self.places[n].ledger.iter().any(taken))
    }

    /// The oldest batch is durable: what it lets out.
    fn speak(&mut self, n: usize, head: Head) -> Sound {
        let place = &mut self.places[n];
        let (id, now) = (place.id.clone(), place.now(self.now));
        let durable = Durable::attest(vec![(id, head)]);
        let Some(node) = place.node.as_mut() else { return Ok(()) };
        let dispatches = node.advance(now, &durable);
        self.send(n, dispatches)
    }

    /// Envelopes into packs, packs onto the line.
    pub(crate) fn send(&mut self, n: usize, dispatches: Vec<Dispatch>) -> Sound {
        let mut routes: BTreeMap<(AgencyId, Lane), Vec<Vec<u8>>> = BTreeMap::new();
        for dispatch in dispatches {
            let place = &self.places[n];
            if self.config.mutant == Mutant::FreeOnPubAck {
                let row = (n, (dispatch.statement, dispatch.to.clone()));
                let there = self.cast.number(&dispatch.to).is_some_and(|to| self.nats.has(to));
                let taken = self.net.goes_out(self.now, n) && there;
                if dispatch.attempts > 0 && self.taken.contains(&row) {
                    continue;
                }
                self.taken.extend(taken.then_some(row));
            }
            let early = self.config.mutant == Mutant::SpeakEarly;
            holds(early || place.is_durable(&dispatch), "I6", || {
                format!("{} speaks record {} before it is durable", place.id, dispatch.statement.0)
            })?;
            let envelope = place.envelope(&dispatch);
            let envelope = some(envelope, "I6", || format!("{} speaks what it has not", place.id))?;
            if dispatch.attempts > 0 {
                self.tally.work("envelopes sent again", 1);
            }
            self.tally.work("envelopes sent", 1);
            routes.entry((dispatch.to, dispatch.lane)).or_default().push(envelope);
        }
        for ((to, lane), envelopes) in routes {
            let number = some(self.cast.number(&to), "I17", || format!("{to} is nobody"))?;
            for pack in pack(&envelopes) {
                self.leave(Message { from: n, to: number, lane, pack });
            }
        }
        Ok(())
    }

    fn leave(&mut self, message: Message) {
        let from = message.from;
        if !self.net.goes_out(self.now, from) {
            let trouble = lienthong_core::delivery::courier::Trouble::Unreachable;
            self.queue.push(self.now + 1_000, Event::Troubled(from, message.to, trouble));
            return;
        }
        let passage = self.net.carry(self.now, &message);
        passage.faults.iter().for_each(|fault| self.tally.fault(fault));
        for after in passage.after {
            self.queue.push(self.now + after, Event::Publish(message.clone()));
        }
    }

    /// What waited for a commit: answers to people, acknowledgements to the courier.
    pub(crate) fn release(&mut self, n: usize, group: Group) -> Sound {
        for (dossier, command, answer) in group.answers {
            self.answered(n, dossier, &command, answer)?;
        }
        for ack in group.acks {
            self.acknowledge(n, &ack)?;
        }
        Ok(())
    }

    pub(crate) fn is_paused(&self, n: usize) -> bool {
        self.places[n].paused_until > self.now
    }

    fn set_timer(&mut self, n: usize) {
        let place = &mut self.places[n];
        let Some(next) = place.node.as_ref().and_then(|node| node.poll_timeout()) else { return };
        let next = next.0.max(self.now);
        if place.timer.is_none_or(|at| at > next || at < self.now) {
            place.timer = Some(next);
            self.queue.push(next, Event::Timer(n));
        }
    }

    /// A node's timer, due or not: harmless early or twice.
    pub(crate) fn timer(&mut self, n: usize) -> Sound {
        if self.is_paused(n) {
            self.queue.push(self.places[n].paused_until, Event::Timer(n));
            return Ok(());
        }
        let place = &mut self.places[n];
        if place.timer.is_some_and(|at| at <= self.now) {
            place.timer = None;
        }
        let now = place.now(self.now);
        let Some(node) = place.node.as_mut() else { return Ok(()) };
        let dispatches = node.handle_timeout(now);
        self.send(n, dispatches)?;
        self.settle(n)
    }
}
