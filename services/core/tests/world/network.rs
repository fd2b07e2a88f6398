//! The network: letters made from durable records only, and carried, repeated or dropped as told.

use super::{Fault, World};
use lienthong_core::custody::arrival::Arrival;
use lienthong_core::delivery::courier::Trouble;
use lienthong_core::ids::{AgencyId, LedgerIndex, WallMs};
use lienthong_core::node::{Dispatch, Input, Lane};
use lienthong_core::reason::Reason;
use lienthong_core::record::{Quarantined, Record, StatementRecord};
use lienthong_core::statement::{Body, Kind, Statement};
use std::sync::Arc;

/// An envelope on the network.
#[derive(Clone, Debug)]
pub struct Letter {
    pub from: AgencyId,
    pub to: AgencyId,
    pub statement: Arc<Statement>,
    pub certificate: Vec<Arc<Statement>>,
    pub content: Option<Arc<[u8]>>,
    /// How often it was handed over.
    pub delivered: u32,
    /// Not made by a node.
    pub forged: bool,
}

/// What the network says about a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mailbox {
    Open,
    Missing,
    Full,
}

/// Steps after which a world that does not come to rest is sick.
const PATIENCE: usize = 20_000;

/// Only one who is buried is told of acts less often than this; everything else is said again sooner.
const LONGEST_PAUSE_MS: u64 = 120_000;

impl Letter {
    pub fn kind(&self) -> Kind {
        self.statement.body.kind()
    }
}

impl World {
    /// Puts what a node may say on the network. What is not in its ledger was spoken too early.
    pub fn post(&mut self, from: &AgencyId, dispatches: Vec<Dispatch>) -> Result<(), Fault> {
        for dispatch in dispatches {
            self.travels_well(&dispatch)?;
            let certificate: Result<_, Fault> =
                dispatch.certificate.iter().map(|i| Ok(self.kept(from, *i)?.statement.clone())).collect();
            let content = match dispatch.content {
                Some(index) => self.kept(from, index)?.content.clone(),
                None => None,
            };
            let letter = Letter {
                from: dispatch.from,
                to: dispatch.to,
                statement: self.kept(from, dispatch.statement)?.statement.clone(),
                certificate: certificate?,
                content,
                delivered: 0,
                forged: false,
            };
            let trouble = match self.places.get(&letter.to).map(|p| p.mailbox) {
                Some(Mailbox::Open) => {
                    self.pending.push(self.letters.len());
                    self.letters.push(letter);
                    continue;
                }
                Some(Mailbox::Full) => Trouble::MailboxFull,
                Some(Mailbox::Missing) | None => Trouble::NoMailbox,
            };
            let said = Input::Trouble(letter.to.clone(), trouble);
            let now = self.now(from);
            let node = self.at_mut(from).node.as_mut().ok_or("a node that is not started spoke")?;
            node.step(now, said).map_err(|r| format!("trouble was refused: {r:?}"))?;
        }
        Ok(())
    }

    /// Each statement goes on its lane, with the certificate its receiver needs and no other, and the content goes to
    /// the one agency it is offered to: to nobody's copy.
    fn travels_well(&self, dispatch: &Dispatch) -> Result<(), Fault> {
        let statement = &self.kept(&dispatch.from, dispatch.statement)?.statement;
        let (lane, before, bytes) = match &statement.body {
            Body::Offer(offer) if offer.to == dispatch.to => {
                (Lane::Offer, Some(offer.prev), offer.content.is_some())
            }
            Body::Accept(_) | Body::Refuse(_) | Body::Received(_) | Body::Ack(_) => {
                (Lane::Answer, None, false)
            }
            Body::Cancel(cancel) => (Lane::Ctl, Some(cancel.tid), false),
            Body::Succeed(succeed) => (Lane::Ctl, Some(succeed.prev), false),
            Body::Offer(_) | Body::Note(_) | Body::Completed(_) | Body::Returned(_) => {
                (Lane::Ctl, None, false)
            }
            // What one carries is its own matter, and beside a RECLAIM lie its acts.
            Body::Recovery(_) | Body::Reclaim(_) => return Ok(()),
            Body::Intake(_) | Body::Checkpoint { .. } | Body::Retire(_) => {
                return Err("an intake, a checkpoint or an act left".into());
            }
        };
        let last = dispatch.certificate.last();
        let last = last.map(|i| self.kept(&dispatch.from, *i).map(|r| r.statement.sid())).transpose()?;
        if (dispatch.lane, last, dispatch.content.is_some()) == (lane, before, bytes) {
            Ok(())
        } else {
            let kind = statement.body.kind().name();
            Err(format!("{} to {} went the wrong way: {dispatch:?}", kind, dispatch.to))
        }
    }

    fn kept(&self, id: &AgencyId, index: LedgerIndex) -> Result<&StatementRecord, Fault> {
        match self.at(id).ledger.get(index.0 as usize) {
            Some(Record::Statement(record)) => Ok(record),
            Some(_) => Err(format!("{id} spoke record {}, which is no statement", index.0)),
            None => Err(format!("I6: {id} spoke record {} before it was durable", index.0)),
        }
    }

    /// Hands a letter over, now or again. What is rejected is quarantined, as a node does.
    pub fn deliver(&mut self, number: usize) -> Result<Result<(), Reason>, Fault> {
        self.pending.retain(|n| *n != number);
        let letter = &mut self.letters[number];
        let to = letter.to.clone();
        if self.at(&to).node.is_none() {
            return Ok(Ok(())); // stays in the mailbox of a node that is down: a resend replaces it
        }
        let letter = &mut self.letters[number];
        letter.delivered += 1;
        let arrival = Arrival {
            from: letter.from.clone(),
            statement: letter.statement.clone(),
            certificate: letter.certificate.clone(),
            content: letter.content.clone(),
            trace: None,
        };
        let (from, letter_hash) = (letter.from.clone(), letter.statement.sid());
        let Err(reason) = self.step(&to, Input::Arrival(arrival))? else { return Ok(Ok(())) };
        let (sha256, at) = (letter_hash, WallMs(0));
        let kept = Quarantined { from, reason, sha256, length: 0, at, bytes: None };
        let _full = self.step(&to, Input::Quarantine(kept))?;
        Ok(Err(reason))
    }

    /// Delivers everything on its way and everything that follows from it; nothing is rejected.
    pub fn deliver_all(&mut self) -> Result<(), Fault> {
        for _ in 0..PATIENCE {
            let Some(number) = self.pending.first().copied() else { return Ok(()) };
            let label = self.label(number);
            match self.deliver(number)? {
                Ok(()) | Err(Reason::MakerRetired) => {} // what comes of one after its retirement is late, and no fault
                Err(reason) => return Err(format!("{label} was rejected: {reason:?}")),
            }
            self.check()?;
        }
        Err("letters breed letters without end".into())
    }

    pub fn label(&self, number: usize) -> String {
        let letter = &self.letters[number];
        format!("{} {} to {}", letter.kind().name(), letter.from, letter.to)
    }

    /// Time goes by for everybody, and timers fire when they are due.
    pub fn pass(&mut self, ms: u64) -> Result<(), Fault> {
        let end = self.mono + ms;
        for _ in 0..PATIENCE {
            let next = self.next_timer().filter(|t| *t <= end);
            self.mono = next.unwrap_or(end).max(self.mono);
            if next.is_none() {
                return Ok(());
            }
            self.fire()?;
        }
        Err("timers fire without end".into())
    }

    fn next_timer(&self) -> Option<u64> {
        let nodes = self.places.values().filter_map(|p| p.node.as_ref());
        nodes.filter_map(|n| n.poll_timeout()).map(|t| t.0).min()
    }

    /// Calls every node's timers, due or not.
    pub fn fire(&mut self) -> Result<(), Fault> {
        let ids: Vec<AgencyId> = self.places.keys().cloned().collect();
        ids.iter().try_for_each(|id| self.fire_at(id))
    }

    /// Calls one node's timers, due or not.
    pub fn fire_at(&mut self, id: &AgencyId) -> Result<(), Fault> {
        let now = self.now(id);
        let Some(node) = self.at_mut(id).node.as_mut() else { return Ok(()) };
        let dispatches = node.handle_timeout(now);
        self.post(id, dispatches)?;
        let process = self.at(id).process;
        self.pump(process)
    }

    /// Faults stop: disks and mailboxes are well, everything is delivered, and time goes by until nobody resends.
    pub fn heal(&mut self) -> Result<(), Fault> {
        let ids: Vec<AgencyId> = self.places.keys().cloned().collect();
        for id in
            ids.iter().filter(|id| self.places[*id].buried.is_none()).cloned().collect::<Vec<_>>().iter()
        {
            self.at_mut(id).mailbox = Mailbox::Open;
            if self.at(id).node.is_none() {
                self.start(id)?;
            }
            self.catch_up(id)?;
        }
        let mut said = (self.letters.len(), self.mono);
        for _ in 0..PATIENCE {
            self.deliver_all()?;
            let buried = self.places.values().any(|p| p.buried.is_some());
            if self.letters.len() > said.0 {
                said = (self.letters.len(), self.mono);
            }
            // An offer to one who accepted it without leaving a proof waits for ever, and nobody says anything more.
            if buried && self.mono > said.1 + 4 * LONGEST_PAUSE_MS {
                return self.at_rest();
            }
            let next = self.next_timer().filter(|next| !buried || *next <= self.mono + LONGEST_PAUSE_MS);
            let Some(next) = next else { return self.at_rest() };
            self.mono = next.max(self.mono);
            self.fire()?;
        }
        Err("L1: the world does not come to rest".into())
    }
}
