//! Old copies: disks are copied away, and put back later (protocol.md 6). What was said since is then known to others
//! alone, or on its way, or to nobody; the shadow follows what is left of it anywhere.

use crate::disk::Kept;
use crate::engine::Remains;
use crate::place::{Place, Seen};
use crate::queue::Event;
use crate::truth::{Custody, Fence, Handed, Truth};
use crate::violation::{Sound, Violation, holds};
use crate::world::World;
use lienthong_core::custody::spine::Walk;
use lienthong_core::custody::track::{Phase, Track};
use lienthong_core::ids::{AgencyId, Sid};
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::recovery::Word;
use lienthong_core::statement::{Body, Statement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The agency that is never put back.
const REMEMBERS: usize = 0;

impl World {
    /// Copies a disk away, or puts a copy back; sometimes two at once.
    pub(crate) fn strike_copy(&mut self) -> Sound {
        let stream = &mut self.streams.copies;
        let nodes = self.places.len() as u64;
        let (n, other) = (stream.below(nodes) as usize, stream.below(nodes) as usize);
        let (back, both) = (stream.chance(450), stream.chance(300));
        if !self.config.copies {
            return Ok(());
        }
        if !back {
            self.copy(n);
            return Ok(());
        }
        self.put_back(n)?;
        if both && other != n { self.put_back(other) } else { Ok(()) }
    }

    fn copy(&mut self, n: usize) {
        let place = &mut self.places[n];
        if !place.disk.is_flipped() && !place.ledger.is_empty() {
            place.copy = Some(place.disk.clone());
            self.tally.work("copies of a disk", 1);
        }
    }

    /// A node comes back from its copy. Its operator says so, or the anchor does; both are the same to it.
    fn put_back(&mut self, n: usize) -> Sound {
        // One agency remembers: where all have forgotten an incarnation, nobody can tell that it was, and what is still on
        // its way from it passes every fence (ARCHITECTURE.md 9).
        if n == REMEMBERS || self.places[n].gone {
            return Ok(());
        }
        let Some(copy) = self.places[n].copy.clone() else { return Ok(()) };
        if self.places[n].node.is_some() {
            self.crash(n, Remains::Nothing, "loses its disk")?;
        }
        let before = self.places[n].ledger.len();
        self.places[n].disk = copy;
        self.places[n].snapshot = None;
        let (id, unreadable) = (self.places[n].id.clone(), self.places[n].stop().err());
        holds(unreadable.is_none(), "P1", || format!("{id} cannot read its copy: {unreadable:?}"))?;
        let place = &mut self.places[n];
        (place.restored, place.seen) = (true, Seen::default());
        let (life, after) = (place.life, self.streams.copies.magnitude(1_000, 60_000));
        self.queue.push(self.now + after, Event::Start(n, life));
        self.tally.fault("old copy put back");
        let lost = before - self.places[n].ledger.len();
        self.tally.work("records lost with a copy", lost as u64);
        self.trace.event(self.now, format_args!("{id}: an old copy is put back, without {lost} records"));
        self.truth.put_back(&id, &self.places[n].ledger)?;
        self.forget_promises(n);
        self.check(n)
    }

    /// What nobody else heard is gone, and may be said so; what others have must come back.
    fn forget_promises(&mut self, n: usize) {
        let id = &self.places[n].id;
        let gone: Vec<_> = self
            .told
            .iter()
            .filter(|((place, _), (sid, _))| *place == n && !self.truth.has(id, sid))
            .map(|(key, (sid, _))| (key.clone(), *sid))
            .collect();
        for (key, sid) in gone {
            self.told.remove(&key);
            self.owed.insert((n, sid));
            self.tally.work("answers given and lost with a copy", 1);
        }
    }

    /// What was acknowledged, lost with a copy and known to anybody else is back, and so is each content (I3).
    pub(crate) fn everything_came_back(&self) -> Sound {
        for place in self.places.iter().filter(|p| !p.gone) {
            let custodian = |t: &Track| matches!(t.phase, Phase::Held | Phase::Offered(_) | Phase::Inbox(_));
            let all = place.state().tracks.iter().map(|(id, kept)| (id, kept.read().into_owned()));
            let lacks = all.filter(|(_, t)| custodian(t) && t.content.is_none());
            for (id, _) in lacks {
                let content = |p: &&Place| p.state().track(id).is_some_and(|t| t.content.is_some());
                let elsewhere = self.places.iter().filter(|p| !p.gone).find(content).map(|p| p.id.clone());
                holds(elsewhere.is_none(), "I3", || {
                    format!("{} lacks a content that {elsewhere:?} has", place.id)
                })?;
            }
        }
        // What follows something that is gone everywhere has no place any more.
        let spines = self.truth.spines()?;
        self.owed.iter().filter(|(_, sid)| spines.contains(sid)).try_for_each(|(n, sid)| {
            let (id, kind) = (&self.places[*n].id, self.truth.ever.get(sid).map(|s| s.body.kind()));
            let back = self.truth.has(id, sid);
            holds(back, "R2", || format!("a {kind:?} of {id} was lost and did not come back"))
        })
    }
}

impl Truth {
    /// A disk says less than it did.
    pub(crate) fn put_back(&mut self, me: &AgencyId, ledger: &[Kept]) -> Sound {
        self.fenced.retain(|(keeper, _), _| keeper != me);
        let mut disk = BTreeSet::new();
        for kept in ledger {
            if let Record::Statement(record) = &kept.record {
                disk.insert(record.statement.sid());
                self.note_fence(me, record);
            }
        }
        self.forget_answers(me, &disk);
        self.disks.insert(me.clone(), disk);
        self.rebuild()
    }

    /// A fence is durable, or what passes it.
    pub(crate) fn note_fence(&mut self, me: &AgencyId, record: &StatementRecord) {
        let claim = &record.statement.claim;
        let key = (me.clone(), claim.agency.clone());
        match (&record.statement.body, record.origin) {
            (Body::Recovery(Word::Fence { incarnation, .. }), Origin::Taken) => {
                self.fenced.insert(key, Fence { min: *incarnation, ..Fence::default() });
            }
            (Body::Recovery(Word::Resumed { vouched, .. }), Origin::Taken) => {
                let fence = self.fenced.entry(key).or_default();
                if claim.incarnation >= fence.min {
                    fence.vouched.extend(vouched);
                }
            }
            _ => {}
        }
    }

    /// Whether any disk has a statement.
    pub(crate) fn is_anywhere(&self, sid: &Sid) -> bool {
        self.disks.values().any(|disk| disk.contains(sid))
    }

    /// Somebody keeps another's statement; tells whether its maker has forgotten it. That may happen before the maker's
    /// fence stands there, and not afterwards (I13).
    pub(crate) fn kept(&mut self, me: &AgencyId, record: &StatementRecord) -> Sound<bool> {
        self.note_fence(me, record);
        let (statement, maker) = (&*record.statement, &record.statement.claim.agency);
        let sid = statement.sid();
        if record.origin == Origin::Returned {
            holds(maker == me, "R6", || format!("{me} takes back what {maker} made"))?;
        }
        // An act is the authority's, which has no disk.
        if self.has(maker, &sid) || matches!(statement.body, Body::Recovery(_) | Body::Retire(_)) {
            return Ok(false);
        }
        if record.origin != Origin::Taken {
            // In the certificate of something that its maker has forgotten too.
            let forgotten = self.forgetful.contains(maker);
            holds(self.is_anywhere(&sid) || forgotten, "I6", || format!("{me} learns what is on no disk"))?;
            return Ok(true);
        }
        let fence = self.fenced.get(&(me.clone(), maker.clone()));
        let passes = |f: &Fence| statement.claim.incarnation >= f.min || f.vouched.contains(&sid);
        holds(fence.is_none_or(passes), "I13", || {
            format!("{me} takes a {} that {maker} has forgotten", statement.body.kind().name())
        })?;
        holds(self.forgetful.contains(maker), "I6", || {
            format!("{me} keeps a statement that {maker} has not on its disk")
        })?;
        Ok(true)
    }

    /// Every statement that has its place on a spine.
    fn spines(&self) -> Sound<BTreeSet<Sid>> {
        let (statements, mut spines) = (self.left(), BTreeSet::new());
        let behind = by_predecessor(&statements);
        for intake in statements.iter().filter(|s| matches!(s.body, Body::Intake(_))) {
            custody(intake, (&behind, &acts(&statements)), &mut spines)?;
        }
        Ok(spines)
    }

    /// What is left on any disk.
    fn left(&self) -> Vec<Arc<Statement>> {
        let alive: BTreeSet<&Sid> = self.disks.values().flatten().collect();
        self.ever.iter().filter(|(sid, _)| alive.contains(sid)).map(|(_, s)| s.clone()).collect()
    }

    /// Who has what, from all disks together.
    pub(crate) fn rebuild(&mut self) -> Sound {
        let statements = self.left();
        let behind = by_predecessor(&statements);
        let intakes = statements.iter().filter(|s| matches!(s.body, Body::Intake(_)));
        let acts = acts(&statements);
        let dossiers = intakes
            .map(|i| custody(i, (&behind, &acts), &mut BTreeSet::new()).map(|custody| (i.sid(), custody)));
        self.dossiers = dossiers.collect::<Sound<_>>()?;
        let recalled = statements.iter().filter_map(|s| match &s.body {
            Body::Cancel(b) => Some(b.tid),
            _ => None,
        });
        let recalled: BTreeSet<Sid> = recalled.collect();
        self.offers = statements
            .iter()
            .filter_map(|s| match &s.body {
                Body::Offer(offer) => {
                    let handed = Handed {
                        track: offer.track,
                        hop: offer.hop.0,
                        from: s.claim.agency.clone(),
                        to: offer.to.clone(),
                        decision: decision(behind.get(&s.sid())),
                        recalled: recalled.contains(&s.sid()),
                    };
                    Some((s.sid(), handed))
                }
                _ => None,
            })
            .collect();
        Ok(())
    }
}

fn decision(
    behind: Option<&Vec<&Statement>>,
) -> Option<(Sid, Option<lienthong_core::statement::RefusalCause>)> {
    behind.into_iter().flatten().find_map(|s| match &s.body {
        Body::Accept(_) => Some((s.sid(), None)),
        Body::Refuse(b) => Some((s.sid(), Some(b.cause))),
        Body::Reclaim(_) => Some((s.sid(), Some(lienthong_core::statement::RefusalCause::Reclaimed))),
        Body::Succeed(_) => Some((s.sid(), Some(lienthong_core::statement::RefusalCause::Succeeded))),
        _ => None,
    })
}

fn acts(statements: &[Arc<Statement>]) -> Vec<&Statement> {
    statements.iter().map(|s| &**s).filter(|s| matches!(s.body, Body::Retire(_))).collect()
}

fn by_predecessor(statements: &[Arc<Statement>]) -> BTreeMap<Sid, Vec<&Statement>> {
    let mut behind: BTreeMap<Sid, Vec<&Statement>> = BTreeMap::new();
    for statement in statements {
        if let Some(prev) = statement.body.prev() {
            behind.entry(prev).or_default().push(statement);
        }
    }
    behind
}

/// Walks a spine over all that is left of it.
fn custody(
    intake: &Arc<Statement>,
    (behind, acts): (&BTreeMap<Sid, Vec<&Statement>>, &[&Statement]),
    spine: &mut BTreeSet<Sid>,
) -> Sound<Custody> {
    spine.insert(intake.sid());
    let no_intake =
        |_| Violation { invariant: "I10", what: "a dossier does not begin with its intake".into() };
    let mut walk = Walk::begin(intake).map_err(no_intake)?;
    acts.iter().try_for_each(|act| walk.step(act)).map_err(no_intake)?;
    let mut length = 1;
    while let Some(next) = behind.get(&walk.last) {
        let fits = |s: &&&Statement| walk.clone().step(s).is_ok();
        let fit: Vec<&&Statement> = next.iter().filter(fits).collect();
        holds(fit.len() <= 1, "I1", || format!("two statements follow one of {:?}", walk.track))?;
        let Some(next) = fit.first() else { break };
        walk.step(next).map_err(|b| Violation { invariant: "I10", what: b.to_string() })?;
        length += 1;
        spine.insert(next.sid());
    }
    let content = match &intake.body {
        Body::Intake(intake) => intake.content.clone(),
        _ => None,
    };
    Ok(Custody {
        custodian: walk.holder.clone(),
        origin: intake.claim.agency.clone(),
        content,
        open: walk.open.as_ref().map(|(tid, _)| *tid),
        tip: walk.last,
        length,
        hop: walk.hop.0,
        completed: walk.completed,
        closed: walk.closed,
    })
}
