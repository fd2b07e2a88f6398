//! What must hold after every step: what one agency can check on itself, and what only the shadow can see.

use crate::place::{Place, TIMING};
use crate::truth::Custody;
use crate::violation::{Sound, Violation, holds, some};
use crate::world::World;
use lienthong_core::custody::track::{Phase, Track};
use lienthong_core::custody::tracks::Kept;
use lienthong_core::custody::transfers::Transfers;
use lienthong_core::delivery::outbox::Awaits;
use lienthong_core::ids::{Tid, TrackId};
use lienthong_core::limits;
use lienthong_core::statement::{Kind, RefusalCause};

impl World {
    /// Checks what changed at an agency since it was last checked, and every dossier that this may concern.
    pub(crate) fn check(&mut self, n: usize) -> Sound {
        let mut concerned = std::mem::take(&mut self.fresh);
        let place = &self.places[n];
        let state = place.state();
        for (id, kept) in state.tracks.iter() {
            let before = place.seen.tracks.get(id);
            if before.is_some_and(|seen| seen.is_same(&kept)) {
                continue;
            }
            let track = &*kept.read();
            state.check_track(id, track).map_err(|v| Violation {
                invariant: v.invariant,
                what: format!("{}: {}", place.id, v.what),
            })?;
            self.moved(place, track, before.map(Kept::read).as_deref())?;
            concerned.insert(*id);
        }
        for id in &concerned {
            self.one_custodian(id)?;
        }
        self.freed(place)?;
        self.bounded(place)?;
        let state = place.state();
        let changed = concerned.iter().filter_map(|id| Some((*id, state.tracks.kept(id)?)));
        let changed: Vec<(TrackId, Kept)> = changed.collect();
        let rows = state.outbox.rows().map(|(key, row)| (key.clone(), row.clone())).collect();
        let seen = &mut self.places[n].seen;
        seen.tracks.extend(changed);
        seen.rows = rows;
        Ok(())
    }

    /// I3, I5: content is never lost while it is needed; I17: an inbox holds only what the directory allows.
    fn moved(&self, place: &Place, track: &Track, before: Option<&Track>) -> Sound {
        let id = &place.id;
        if let Some(before) = before {
            let kept = before.content.is_none() || track.content.is_some();
            holds(kept, "I5", || format!("{id} let go of a content"))?;
        }
        if let Phase::Inbox(tid) = track.phase
            && place.node.is_some()
            && before.is_none_or(|b| b.phase != track.phase)
        {
            let transfer = some(track.transfers.get(&tid), "I17", || "an inbox without a transfer")?;
            let allowed = place.directory.allows(&transfer.from, id, &track.procedure);
            holds(allowed, "I17", || format!("{id} has in its inbox what {} may not send", transfer.from))?;
        }
        Ok(())
    }

    /// I1 and I2, against the shadow and by the letter.
    fn one_custodian(&self, track: &TrackId) -> Sound {
        let Some(custody) = self.truth.dossiers.get(track) else { return Ok(()) };
        let dossier = self.dossier_of(track);
        let mut acting = 0;
        // Who recovers has no say: it decides nothing and offers nothing.
        for place in self.places.iter().filter(|p| !p.recovering()) {
            let known = place.state().track(track);
            let phase = known.map(|t| t.phase);
            let (me, is_custodian) = (&place.id, custody.custodian == place.id);
            // What a copy forgot may be found again on the line: it counts when it is durable.
            let unsure = place.state().next.0 > place.ledger.len() as u64;
            if unsure && !self.truth.forgetful.is_empty() {
                continue;
            }
            acting += u32::from(phase == Some(Phase::Held));
            let right = match phase {
                Some(Phase::Held) if is_custodian => {
                    custody.open.is_none_or(|tid| Self::reclaims(place, track, tid))
                }
                Some(Phase::Offered(_)) if is_custodian => true,
                // It accepted, and may have offered further, in what is not durable yet.
                Some(Phase::Held) => self.takes_over(place, track, custody),
                Some(Phase::Offered(tid)) => match self.truth.offers.get(&tid) {
                    Some(handed) => matches!(handed.decision, Some((_, None))),
                    None => self.takes_over(place, track, custody),
                },
                Some(Phase::Inbox(tid)) => {
                    let handed = self.truth.offers.get(&tid);
                    !is_custodian && handed.is_some_and(|h| h.to == *me && h.decision.is_none())
                }
                Some(Phase::Followed | Phase::Gone | Phase::Out) | None => !is_custodian,
            };
            let invariant = if is_custodian { "I2" } else { "I1" };
            holds(right, invariant, || {
                let whose = &custody.custodian;
                format!(
                    "dossier {dossier:?} is {whose}'s, open {:?}, and {me} has it as {phase:?}",
                    custody.open
                )
            })?;
        }
        holds(acting <= 1, "I1", || format!("{acting} agencies act on dossier {dossier:?}"))
    }

    /// Whether an agency took the open offer back from one who is retired, which its disk does not say yet.
    fn reclaims(place: &Place, track: &TrackId, tid: Tid) -> bool {
        let transfer = place.state().track(track).and_then(|t| t.transfers.get(&tid));
        let refused = transfer.and_then(|t| t.outcome).and_then(|o| o.refused);
        refused == Some(RefusalCause::Reclaimed)
    }

    /// Whether an agency accepted the open offer, which its disk does not say yet.
    fn takes_over(&self, place: &Place, track: &TrackId, custody: &Custody) -> bool {
        if self.is_gone(&custody.custodian) {
            let known = place.state().track(track);
            let succeeds =
                |t: &Track| t.entries.iter().any(|e| e.kind == Kind::Succeed && e.maker == place.id);
            return known.is_some_and(succeeds);
        }
        let Some(tid) = custody.open else { return false };
        let transfer = place.state().track(track).and_then(|t| t.transfers.get(&tid));
        transfer.is_some_and(|t| t.to == place.id && t.outcome.is_some_and(|o| o.accepted()))
    }

    /// I5: a row is freed by what protocol.md 3 says and by nothing else, and only when that is durable over there.
    fn freed(&self, place: &Place) -> Sound {
        let outbox = &place.state().outbox;
        for (key, before) in &place.seen.rows {
            let now = outbox.row(key).map(|row| row.awaits);
            // What a peer forgot it may have acknowledged before; its fence makes that void, and it is sent again.
            let forgets = self.cast.number(&key.1).is_some_and(|n| self.places[n].recovering());
            // Nobody waits for one who is retired.
            let gone = self.is_gone(&key.1) && place.state().memory.acts.retires(&key.1);
            if now == Some(before.awaits) || forgets || gone || place.recovering() {
                continue;
            }
            let decided = |tid| self.truth.offers.get(tid).is_some_and(|h| h.decision.is_some());
            let right = match (before.awaits, now) {
                (Awaits::Receipt, Some(Awaits::Decision)) => self.truth.has(&key.1, &before.sid),
                (Awaits::Receipt | Awaits::Decision, None) => decided(&before.sid),
                (Awaits::Answer, None) => {
                    let transfers = place.state().track(&before.track).map(|t| &t.transfers);
                    let mut all = transfers.into_iter().flat_map(Transfers::iter);
                    all.any(|(tid, t)| t.cancel == Some(key.0) && decided(tid))
                }
                (Awaits::Ack, None) => self.truth.has(&key.1, &before.sid),
                (Awaits::Decision, Some(Awaits::Receipt)) => self.truth.forgetful.contains(&key.1),
                (_, Some(_)) => false,
            };
            holds(right, "I5", || {
                format!(
                    "{} frees a {} for {} that waits for {:?}",
                    place.id,
                    before.kind.name(),
                    key.1,
                    before.awaits
                )
            })?;
        }
        Ok(())
    }

    /// I15: every queue is within its number.
    fn bounded(&self, place: &Place) -> Sound {
        let Some(node) = &place.node else { return Ok(()) };
        for peer in &self.cast.ids {
            let (flying, _) = node.courier().load(peer);
            holds(flying <= TIMING.window, "I15", || format!("{} has {flying} in flight", place.id))?;
            let kept = node.state().quarantined.get(peer).map_or(0, |kept| kept.len());
            holds(kept <= limits::QUARANTINED_PER_PEER, "I15", || format!("{} keeps {kept}", place.id))?;
        }
        Ok(())
    }
}
