//! Which statement may follow which: the rules of the spine, in one place.
//!
//! The receiver of an OFFER walks the certificate with it, the offline verifier walks a whole trail with it.
//! A walk that ends well proves who was the custodian after each step, whoever hands the statements over.

use crate::ids::{AgencyId, Digest, Hop, Sid, Tid, TrackId};
use crate::limits;
use crate::statement::{Body, Statement};
use alloc::collections::BTreeMap;
use core::fmt;

/// A walk along a spine, from the intake on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The track.
    pub track: TrackId,
    /// The custodian after the last step.
    pub holder: AgencyId,
    /// The last statement.
    pub last: Sid,
    /// The highest hop.
    pub hop: Hop,
    /// An offer that is not decided: its tid and receiver.
    pub open: Option<(Tid, AgencyId)>,
    /// How many notes there were.
    pub notes: u32,
    /// Whether the work is done.
    pub completed: bool,
    /// Whether the result was returned.
    pub closed: bool,
    content: Option<Digest>,
    /// Acts beside the spine: whom each retires, and who takes over.
    acts: BTreeMap<Sid, (AgencyId, Option<AgencyId>)>,
}

/// Why a statement may not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The first statement is no intake, or a later one is.
    Intake,
    /// It is about another track.
    Track,
    /// It names another predecessor.
    Predecessor,
    /// Its maker is not the custodian.
    Holder,
    /// The hop does not rise, or there are too many.
    Hop,
    /// A track is reclaimed, and no act that retires the receiver lies before it.
    Act,
    /// A track is taken over, and no act that retires the custodian and names the maker lies before it.
    Successor,
    /// The decision is not by the agency the offer names, or on another offer.
    Receiver,
    /// The track is offered and undecided, or a decision comes where nothing is offered.
    Offered,
    /// The track is closed, or completed twice, or returned before it is completed.
    Order,
    /// There are too many notes: a certificate of them all would fit no envelope.
    Notes,
    /// The offer commits to another content than the intake.
    Content,
    /// The kind does not belong on a spine.
    Kind,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Break::Intake => "the spine must begin with one intake",
            Break::Track => "the statement is about another track",
            Break::Predecessor => "the statement names another predecessor",
            Break::Holder => "the maker is not the custodian",
            Break::Hop => "the hop does not rise",
            Break::Act => "the act that retires the receiver does not lie beside the reclaim",
            Break::Successor => "no act beside it retires the custodian and names the maker as its successor",
            Break::Receiver => "the decision is not that of the receiver of the open offer",
            Break::Offered => "the track is offered and undecided, or nothing is offered",
            Break::Order => "the track is closed, or completion and return are out of order",
            Break::Notes => "there are too many notes",
            Break::Content => "the offer commits to another content than the intake",
            Break::Kind => "the statement does not belong on a spine",
        })
    }
}

impl Walk {
    /// Begins with an intake.
    pub fn begin(intake: &Statement) -> Result<Self, Break> {
        let Body::Intake(body) = &intake.body else { return Err(Break::Intake) };
        Ok(Self {
            track: intake.sid(),
            holder: intake.claim.agency.clone(),
            last: intake.sid(),
            hop: Hop(0),
            open: None,
            notes: 0,
            completed: false,
            closed: false,
            content: body.content.as_ref().map(|c| c.digest),
            acts: BTreeMap::new(),
        })
    }

    /// Walks a whole spine.
    pub fn along<'a>(mut spine: impl Iterator<Item = &'a Statement>) -> Result<Self, Break> {
        let mut walk = Self::begin(spine.next().ok_or(Break::Intake)?)?;
        spine.try_for_each(|s| walk.step(s))?;
        Ok(walk)
    }

    /// The only agency whose statement may follow: the receiver of an open offer, else the custodian. A giver's RECLAIM may
    /// follow in the place of a retired receiver's decision, and a SUCCEED in the place of anything of a retired custodian.
    pub fn next_maker(&self) -> &AgencyId {
        self.open.as_ref().map_or(&self.holder, |(_, receiver)| receiver)
    }

    /// Takes one statement; after an error the walk is where it was. An act of the authority may lie anywhere behind the
    /// intake and before what rests on it; it is no step of the spine.
    pub fn step(&mut self, next: &Statement) -> Result<(), Break> {
        if let Body::Retire(retire) = &next.body {
            self.acts.insert(next.sid(), (retire.agency.clone(), retire.successor.clone()));
            return Ok(());
        }
        if matches!(next.body, Body::Intake(_)) {
            return Err(Break::Intake);
        }
        if next.track() != Some(self.track) {
            return Err(if next.track().is_none() { Break::Kind } else { Break::Track });
        }
        if next.body.prev() != Some(self.last) {
            return Err(if next.body.prev().is_none() { Break::Kind } else { Break::Predecessor });
        }
        if self.closed {
            return Err(Break::Order);
        }
        match &self.open {
            _ if matches!(next.body, Body::Succeed(_)) => self.succeeded(next)?,
            Some(open) => {
                let holder = Self::decided(open, self.hop, (&self.holder, &self.acts), next)?;
                self.holder = holder;
                self.open = None;
            }
            None => self.by_holder(next)?,
        }
        self.last = next.sid();
        Ok(())
    }

    /// Whether a statement is a SUCCEED by whom an act beside the spine names as the successor of the custodian.
    pub fn names_successor(&self, next: &Statement) -> bool {
        let Body::Succeed(b) = &next.body else { return false };
        self.acts.get(&b.act).is_some_and(|(retired, successor)| {
            *retired == self.holder && successor.as_ref() == Some(&next.claim.agency)
        })
    }

    /// In the place of whatever the retired custodian would have said next, and of the decision on what it had offered.
    fn succeeded(&mut self, next: &Statement) -> Result<(), Break> {
        let Body::Succeed(b) = &next.body else { return Err(Break::Kind) };
        if !self.names_successor(next) {
            return Err(Break::Successor);
        }
        if b.hop != self.hop {
            return Err(Break::Hop);
        }
        (self.holder, self.open) = (next.claim.agency.clone(), None);
        Ok(())
    }

    fn decided(
        open: &(Tid, AgencyId),
        at: Hop,
        (holder, acts): (&AgencyId, &BTreeMap<Sid, (AgencyId, Option<AgencyId>)>),
        next: &Statement,
    ) -> Result<AgencyId, Break> {
        let (tid, hop, after) = match &next.body {
            Body::Reclaim(b) => {
                let right = b.tid == open.0 && b.hop == at && next.claim.agency == *holder;
                let retired = acts.get(&b.act).is_some_and(|(retired, _)| *retired == open.1);
                return match (right, retired) {
                    (false, _) => Err(Break::Receiver),
                    (true, false) => Err(Break::Act),
                    (true, true) => Ok(holder.clone()),
                };
            }
            Body::Accept(b) => (b.tid, b.hop, &open.1),
            Body::Refuse(b) => (b.tid, b.hop, holder),
            _ => return Err(Break::Offered),
        };
        let right = tid == open.0 && hop == at && next.claim.agency == open.1;
        right.then(|| after.clone()).ok_or(Break::Receiver)
    }

    fn by_holder(&mut self, next: &Statement) -> Result<(), Break> {
        if next.claim.agency != self.holder {
            return Err(Break::Holder);
        }
        match &next.body {
            Body::Note(_) if self.notes < limits::NOTES => {
                self.notes += 1;
                Ok(())
            }
            Body::Note(_) => Err(Break::Notes),
            Body::Offer(offer) => {
                if offer.hop <= self.hop || offer.hop.0 > limits::HOPS {
                    return Err(Break::Hop);
                }
                if offer.content.as_ref().map(|c| c.digest) != self.content {
                    return Err(Break::Content);
                }
                self.hop = offer.hop;
                self.open = Some((next.sid(), offer.to.clone()));
                Ok(())
            }
            Body::Completed(_) if !self.completed => {
                self.completed = true;
                Ok(())
            }
            Body::Returned(_) if self.completed => {
                self.closed = true;
                Ok(())
            }
            Body::Completed(_) | Body::Returned(_) => Err(Break::Order),
            Body::Accept(_) | Body::Refuse(_) | Body::Reclaim(_) | Body::Succeed(_) => Err(Break::Offered),
            Body::Intake(_)
            | Body::Received(_)
            | Body::Cancel(_)
            | Body::Ack(_)
            | Body::Checkpoint { .. }
            | Body::Recovery(_)
            | Body::Retire(_) => Err(Break::Kind),
        }
    }
}
