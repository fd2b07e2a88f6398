//! The shadow beside the system: who has each dossier, made from what became durable, in the order in which it did.
//!
//! It knows nothing of the core's state. What it holds for impossible is a violation, whoever believes otherwise.

use crate::violation::{Sound, holds, some};
use lienthong_core::authority::succeed::Succeed;
use lienthong_core::ids::{AgencyId, Digest, Incarnation, Sid, Tid, TrackId};
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{Body, Commitment, RefusalCause, Statement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All that became durable anywhere.
#[derive(Debug, Default)]
pub struct Truth {
    /// Dossiers by track.
    pub dossiers: BTreeMap<TrackId, Custody>,
    /// Every offer.
    pub offers: BTreeMap<Tid, Handed>,
    /// Statements that each agency has on its disk.
    pub disks: BTreeMap<AgencyId, BTreeSet<Sid>>,
    /// Effect of each command.
    effects: BTreeMap<(AgencyId, Arc<str>), Sid>,
    /// What each agency receipted or acknowledged.
    answered: BTreeSet<(AgencyId, Sid)>,
    /// Every statement about a dossier that was ever durable, by predecessor; some may be forgotten everywhere.
    pub(crate) ever: BTreeMap<Sid, Arc<Statement>>,
    /// Fences that are durable: who let only which incarnation of whom pass.
    pub(crate) fenced: BTreeMap<(AgencyId, AgencyId), Fence>,
    /// Who came back from a copy.
    pub(crate) forgetful: BTreeSet<AgencyId>,
}

/// A fence as its keeper has it on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fence {
    /// The lowest incarnation that passes.
    pub(crate) min: Incarnation,
    /// What passes of lower ones.
    pub(crate) vouched: BTreeSet<Sid>,
}

/// Who has a dossier.
#[derive(Clone, Debug)]
pub struct Custody {
    /// The custodian.
    pub custodian: AgencyId,
    /// Where it was taken in.
    pub origin: AgencyId,
    /// What the content is.
    pub content: Option<Commitment>,
    /// The offer nobody decided yet.
    pub open: Option<Tid>,
    /// The last statement of the spine.
    pub tip: Sid,
    /// How many statements the spine has.
    pub length: usize,
    /// Number of the last offer.
    pub hop: u32,
    /// The work is done.
    pub completed: bool,
    /// The result was returned.
    pub closed: bool,
}

/// One hand-off.
#[derive(Clone, Debug)]
pub struct Handed {
    /// Of this track.
    pub track: TrackId,
    /// Number.
    pub hop: u32,
    /// Giver.
    pub from: AgencyId,
    /// Receiver.
    pub to: AgencyId,
    /// The write-once register: the decision, and why it is no.
    pub decision: Option<(Sid, Option<RefusalCause>)>,
    /// A recall is durable at the giver.
    pub recalled: bool,
}

impl Truth {
    /// A record became durable.
    pub fn durable(&mut self, me: &AgencyId, record: &Record) -> Sound {
        let Record::Statement(record) = record else { return Ok(()) };
        let statement = &*record.statement;
        self.has_bytes(me, record)?;
        self.ever.insert(statement.sid(), record.statement.clone());
        let found = match record.origin {
            Origin::Made => self.made(me, record).map(|()| false)?,
            Origin::Taken | Origin::Learned | Origin::Returned => self.kept(me, record)?,
        };
        let new = self.disks.entry(me.clone()).or_default().insert(statement.sid());
        // An intake comes a second time when its content was given back after it, and who recovered asks for receipts anew.
        let content = record.origin == Origin::Learned && record.content.is_some();
        let receipt =
            matches!(statement.body, Body::Received(_) | Body::Recovery(_)) && self.forgetful.contains(me);
        holds(new || content || receipt, "I8", || {
            format!("{me} keeps a {} twice", statement.body.kind().name())
        })?;
        if found { self.rebuild() } else { Ok(()) }
    }

    /// I3: what custody rests on comes with its bytes, and they are those of the commitment.
    fn has_bytes(&self, me: &AgencyId, record: &StatementRecord) -> Sound {
        let commitment = match (&record.statement.body, record.origin) {
            (Body::Intake(intake), Origin::Made) => &intake.content,
            (Body::Offer(offer), Origin::Taken) if offer.to == *me => &offer.content,
            _ => return Ok(()),
        };
        let bytes = record.content.as_deref().map(bytes::Bytes::copy_from_slice);
        let opened = bytes.and_then(|b| lienthong_wire::content::open(b).ok()).map(|c| c.commitment());
        holds(opened == *commitment, "I3", || format!("{me} keeps a dossier without its content"))
    }

    fn made(&mut self, me: &AgencyId, record: &StatementRecord) -> Sound {
        let statement = &*record.statement;
        if let Some(command) = &record.command {
            let old = self.effects.insert((me.clone(), command.key.clone()), statement.sid());
            holds(old.is_none(), "I19", || format!("{me} did the command {} twice", command.key))?;
        }
        match &statement.body {
            Body::Intake(intake) => {
                let custody = Custody {
                    custodian: me.clone(),
                    origin: me.clone(),
                    content: intake.content.clone(),
                    open: None,
                    tip: statement.sid(),
                    length: 1,
                    hop: 0,
                    completed: false,
                    closed: false,
                };
                let old = self.dossiers.insert(statement.sid(), custody);
                holds(old.is_none(), "I1", || format!("{me} takes the same dossier in twice"))
            }
            Body::Note(_) | Body::Offer(_) | Body::Completed(_) | Body::Returned(_) => {
                self.by_custodian(me, statement)
            }
            Body::Accept(b) => self.decided(me, statement, b.tid, None),
            Body::Refuse(b) => self.decided(me, statement, b.tid, Some(b.cause)),
            Body::Reclaim(b) => self.decided(me, statement, b.tid, Some(RefusalCause::Reclaimed)),
            Body::Succeed(b) => self.succeeded(me, statement.sid(), b),
            Body::Cancel(b) => {
                let handed = self.offers.get_mut(&b.tid).filter(|h| h.from == *me);
                let handed = some(handed, "I1", || format!("{me} recalls what it did not offer"))?;
                handed.recalled = true;
                Ok(())
            }
            Body::Received(items) => items.iter().try_for_each(|item| {
                let has = self.disks.get(me).is_some_and(|d| d.contains(&item.tid));
                holds(has, "I7", || format!("{me} receipts an offer that is not on its disk"))?;
                self.answers_once(me, item.tid)
            }),
            Body::Ack(items) => items.iter().try_for_each(|item| {
                let has = self.disks.get(me).is_some_and(|d| d.contains(&item.sid));
                holds(has, "I7", || format!("{me} acknowledges what is not on its disk"))?;
                self.answers_once(me, item.sid)
            }),
            Body::Checkpoint { .. } | Body::Recovery(_) | Body::Retire(_) => Ok(()),
        }
    }

    /// I8: an answer is made once; whoever asks again gets the same.
    fn answers_once(&mut self, me: &AgencyId, sid: Sid) -> Sound {
        let new = self.answered.insert((me.clone(), sid));
        holds(new, "I8", || format!("{me} makes a second answer to one statement"))
    }

    /// Only the custodian writes on the spine, only at its end, and not while it is locked.
    fn by_custodian(&mut self, me: &AgencyId, statement: &Statement) -> Sound {
        let kind = statement.body.kind().name();
        let track = statement.track().unwrap_or(Digest::ZERO);
        let custody = self.dossiers.get_mut(&track);
        let custody = some(custody, "I2", || format!("{me} makes a {kind} of an unknown dossier"))?;
        let whose = custody.custodian.clone();
        holds(whose == *me, "I1", || format!("{me} makes a {kind} of what {whose} has"))?;
        let free = custody.open.is_none() && !custody.closed && statement.body.prev() == Some(custody.tip);
        holds(free, "I1", || format!("{me} makes a {kind} of what is offered, closed, or gone on"))?;
        (custody.tip, custody.length) = (statement.sid(), custody.length + 1);
        match &statement.body {
            Body::Offer(offer) => {
                let rises = offer.hop.0 > custody.hop;
                holds(rises, "I10", || format!("{me} offers as hop {}", offer.hop.0))?;
                (custody.hop, custody.open) = (offer.hop.0, Some(statement.sid()));
                let handed = Handed {
                    track,
                    hop: offer.hop.0,
                    from: me.clone(),
                    to: offer.to.clone(),
                    decision: None,
                    recalled: false,
                };
                self.offers.insert(statement.sid(), handed);
            }
            Body::Completed(_) => {
                holds(!custody.completed, "I10", || format!("{me} completes a second time"))?;
                custody.completed = true;
            }
            Body::Returned(_) => {
                holds(custody.completed, "I10", || format!("{me} returns what is not completed"))?;
                custody.closed = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// The register of an offer is written once, by its receiver, and custody follows it.
    fn decided(
        &mut self,
        me: &AgencyId,
        statement: &Statement,
        tid: Tid,
        refused: Option<RefusalCause>,
    ) -> Sound {
        let handed = self.offers.get_mut(&tid);
        let handed = some(handed, "I1", || format!("{me} decides an offer that is on no disk"))?;
        let decider = if refused == Some(RefusalCause::Reclaimed) { &handed.from } else { &handed.to };
        holds(decider == me, "I1", || format!("{me} decides an offer to {}", handed.to))?;
        holds(handed.decision.is_none(), "I4", || format!("{me} decides hop {} twice", handed.hop))?;
        handed.decision = Some((statement.sid(), refused));
        let custody = some(self.dossiers.get_mut(&handed.track), "I2", || "an offer of no dossier")?;
        holds(custody.open == Some(tid), "I1", || format!("{me} decides hop {}, which is over", handed.hop))?;
        (custody.open, custody.tip, custody.length) = (None, statement.sid(), custody.length + 1);
        if refused.is_none() {
            custody.custodian = me.clone();
        }
        Ok(())
    }

    /// What a retired agency had is its successor's, behind the last of it that is left, and only once.
    fn succeeded(&mut self, me: &AgencyId, sid: Sid, b: &Succeed) -> Sound {
        let custody = some(self.dossiers.get_mut(&b.track), "I2", || "a succession to no dossier")?;
        let right = custody.tip == b.prev && !custody.closed && custody.hop == b.hop.0;
        holds(right, "I1", || format!("{me} takes over what {} has, in its middle", custody.custodian))?;
        if let Some(handed) = custody.open.and_then(|tid| self.offers.get_mut(&tid)) {
            handed.decision = Some((sid, Some(RefusalCause::Succeeded)));
        }
        (custody.open, custody.tip, custody.length) = (None, sid, custody.length + 1);
        let before = core::mem::replace(&mut custody.custodian, me.clone());
        holds(self.disks.get(&before).is_none_or(BTreeSet::is_empty), "I1", || {
            format!("{me} takes over from {before}, who is not gone")
        })
    }

    /// What an agency did in the time it has forgotten, it may do again.
    pub(crate) fn forget_answers(&mut self, me: &AgencyId, disk: &BTreeSet<Sid>) {
        self.forgetful.insert(me.clone());
        self.answered.retain(|(who, _)| who != me);
        self.effects.retain(|(who, _), sid| who != me || disk.contains(sid));
    }

    /// Whether an agency has a statement on its disk.
    pub fn has(&self, agency: &AgencyId, sid: &Sid) -> bool {
        self.disks.get(agency).is_some_and(|d| d.contains(sid))
    }

    /// What a command did, if it is durable.
    pub fn effect(&self, agency: &AgencyId, key: &Arc<str>) -> Option<Sid> {
        self.effects.get(&(agency.clone(), key.clone())).copied()
    }
}
