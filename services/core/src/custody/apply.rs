//! From a record to the new state. Total: it never refuses and never decides; replay and live running are this.

use super::commands::{About, Kept, short};
use super::state::{DAYS_COUNTED, State, hash};
use super::track::{Entry, Outcome, Phase, Track, Transfer};
use super::transfers::Transfers;
use crate::code::{DossierCode, counter};
use crate::delivery::outbox::{Awaits, Row};
use crate::ids::{AgencyId, Hop, LedgerIndex, Sid, Tid, TrackId};
use crate::record::{Origin, Record, StatementRecord};
use crate::statement::{
    Accept, AckItem, Body, Intake, Kind, Offer, ReceivedItem, RefusalCause, Refuse, Statement,
};
use alloc::sync::Arc;
use alloc::vec::Vec;

impl State {
    /// Applies the next record of this agency's ledger.
    pub fn apply(&mut self, record: &Record) {
        let index = self.next;
        self.next = LedgerIndex(index.0 + 1);
        match record {
            Record::Opened { incarnation, .. } => self.incarnation = *incarnation,
            Record::Statement(record) => self.apply_statement(index, record),
            Record::Quarantined(q) => {
                self.quarantined.entry(q.from.clone()).or_default().insert(q.sha256, index);
            }
            Record::QuarantineSettled(settled) => self.apply_settled(index, settled),
            Record::SnapshotTaken { .. } | Record::ContentRead { .. } => {}
        }
        self.tracks.settle();
    }

    fn apply_statement(&mut self, index: LedgerIndex, record: &StatementRecord) {
        let statement = &*record.statement;
        if record.origin == Origin::Taken {
            self.pin(index, &statement.claim);
        }
        if let Some(command) = &record.command {
            let about = statement.track().map_or(About::Alone(statement.sid()), About::Track);
            self.commands.put(&command.key, Kept { digest: short(&command.digest), index, about });
        }
        match &statement.body {
            Body::Received(items) => {
                items.iter().for_each(|item| self.apply_receipt(index, &statement.claim.agency, item));
            }
            Body::Ack(items) => self.apply_ack(index, &statement.claim.agency, items),
            Body::Checkpoint { .. } => {}
            Body::Recovery(word) => self.apply_word(index, statement, word),
            Body::Retire(retire) => self.apply_act(index, statement, retire),
            Body::Intake(intake) => self.apply_intake(index, record, intake),
            Body::Note(_)
            | Body::Offer(_)
            | Body::Accept(_)
            | Body::Refuse(_)
            | Body::Cancel(_)
            | Body::Reclaim(_)
            | Body::Succeed(_)
            | Body::Completed(_)
            | Body::Returned(_) => self.apply_to_track(index, record),
        }
    }

    fn apply_intake(&mut self, index: LedgerIndex, record: &StatementRecord, intake: &Intake) {
        let statement = &*record.statement;
        let id = statement.sid();
        if self.track(&id).is_some() {
            // Given back after its statements.
            if let Some(track) = record.content.as_ref().and_then(|_| self.tracks.get_mut(&id)) {
                track.content = Some(index);
            }
            return;
        }
        let mine = statement.claim.agency == self.me;
        let code: Arc<str> = intake.code.as_str().into();
        self.codes.put((hash(&code), id), ());
        if mine {
            self.count_code(&code);
        }
        let track = Track {
            origin: statement.claim.agency.clone(),
            code,
            procedure: intake.procedure.as_str().into(),
            procedure_version: intake.procedure_version,
            channel: intake.channel,
            received_at: statement.claim.made_at,
            due_at: intake.due_at,
            commitment: intake.content.clone(),
            content: record.content.is_some().then_some(index),
            phase: if mine { Phase::Held } else { Phase::Followed },
            hop: Hop(0),
            entries: Vec::from([Entry::of(index, statement)]),
            transfers: Transfers::default(),
            completed: None,
            returned: None,
        };
        self.tracks.insert(id, track);
    }

    fn count_code(&mut self, code: &str) {
        if let Some(code) = DossierCode::parse(code) {
            let number = self.numbers.entry(counter(code.day, code.agency).into()).or_default();
            *number = code.number.max(*number);
        }
        while self.numbers.len() > DAYS_COUNTED {
            self.numbers.pop_first();
        }
    }

    fn apply_to_track(&mut self, index: LedgerIndex, record: &StatementRecord) {
        let statement = &*record.statement;
        let Some(id) = statement.track() else { return };
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.entries.reserve_exact(1);
        track.entries.push(Entry::of(index, statement));
        if record.content.is_some() {
            track.content = Some(index);
        }
        match &statement.body {
            Body::Offer(offer) => self.apply_offer(index, id, record, offer),
            Body::Accept(Accept { tid, .. }) => self.apply_outcome(index, id, statement, *tid, None),
            Body::Refuse(Refuse { tid, cause, .. }) => {
                self.apply_outcome(index, id, statement, *tid, Some(*cause));
            }
            Body::Reclaim(reclaim) => {
                self.apply_outcome(index, id, statement, reclaim.tid, Some(RefusalCause::Reclaimed));
            }
            Body::Succeed(succeed) => self.apply_succeed(index, id, statement, succeed.prev),
            Body::Cancel(cancel) => self.apply_cancel(index, id, statement, cancel.tid),
            Body::Note(_) | Body::Completed(_) | Body::Returned(_) => {}
            Body::Intake(_)
            | Body::Received(_)
            | Body::Ack(_)
            | Body::Checkpoint { .. }
            | Body::Recovery(_)
            | Body::Retire(_) => {}
        }
        self.read_spine(&id);
        if matches!(statement.body, Body::Note(_) | Body::Completed(_) | Body::Returned(_)) {
            self.copy_to_origin(index, id, statement, None);
        }
    }

    /// What a track is, the spine says: a copy that floats changes nothing, and one that closes a gap brings in what
    /// floated behind it.
    fn read_spine(&mut self, id: &TrackId) {
        let Some(track) = self.tracks.get_mut(id) else { return };
        let standing = track.standing();
        (track.hop, track.completed, track.returned) = (standing.hop, standing.completed, standing.returned);
    }

    fn apply_offer(&mut self, index: LedgerIndex, id: TrackId, record: &StatementRecord, offer: &Offer) {
        let statement = &*record.statement;
        let (me, maker, tid) = (self.me.clone(), &statement.claim.agency, statement.sid());
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let transfer = Transfer {
            hop: offer.hop,
            from: maker.clone(),
            to: offer.to.clone(),
            offer: index,
            arrived: false,
            receipt: None,
            outcome: early_outcome(track, tid, maker, &offer.to),
            cancel: None,
        };
        track.transfers.add(tid, transfer);
        if *maker == me {
            track.phase = Phase::Offered(tid);
        } else if offer.to == me && record.origin == Origin::Taken {
            arrive(track, tid);
        }
        self.transfers.put(tid, id);
        if *maker == me {
            self.wait(index, offer.to.clone(), statement, id, Awaits::Receipt);
            self.copy_to_origin(index, id, statement, Some(&offer.to));
        }
    }

    fn apply_outcome(
        &mut self,
        index: LedgerIndex,
        id: TrackId,
        statement: &Statement,
        tid: Tid,
        refused: Option<RefusalCause>,
    ) {
        let (me, maker) = (self.me.clone(), &statement.claim.agency);
        let Some(track) = self.tracks.get_mut(&id) else { return };
        // A copy that came before its OFFER floats until that comes.
        let Some(transfer) = track.transfers.get_mut(&tid) else { return };
        let reclaimed = refused == Some(RefusalCause::Reclaimed);
        let right = if reclaimed { &transfer.from } else { &transfer.to };
        if transfer.outcome.is_some() || right != maker {
            return;
        }
        if reclaimed {
            return self.apply_reclaim(index, id, statement, tid);
        }
        transfer.outcome = Some(Outcome { sid: statement.sid(), index, refused });
        let (giver, offer, cancel) = (transfer.from.clone(), transfer.offer, transfer.cancel);
        let accepted = refused.is_none();
        if *maker == me {
            match (accepted, track.phase) {
                (true, _) => track.phase = Phase::Held,
                (false, Phase::Inbox(open)) if open == tid => track.phase = Phase::Out,
                (false, _) => {} // a tombstone never moves the phase
            }
        } else if track.phase == Phase::Offered(tid) {
            track.phase = if accepted { Phase::Gone } else { Phase::Held };
        }
        if *maker == me {
            self.wait(index, giver.clone(), statement, id, Awaits::Ack);
            self.copy_to_origin(index, id, statement, Some(&giver));
        } else if giver == me {
            [Some(offer), cancel].into_iter().flatten().for_each(|row| self.outbox.free(row, maker));
        }
    }

    /// In the place of the decision of a receiver that is retired. Nobody is told but the place of receipt.
    fn apply_reclaim(&mut self, index: LedgerIndex, id: TrackId, statement: &Statement, tid: Tid) {
        let (me, maker) = (self.me.clone(), &statement.claim.agency);
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(transfer) = track.transfers.get_mut(&tid) else { return };
        let refused = Some(RefusalCause::Reclaimed);
        transfer.outcome = Some(Outcome { sid: statement.sid(), index, refused });
        let (to, rows) = (transfer.to.clone(), [Some(transfer.offer), transfer.cancel]);
        match track.phase {
            Phase::Offered(open) if open == tid => track.phase = Phase::Held,
            Phase::Inbox(open) if open == tid => track.phase = Phase::Out,
            _ => {}
        }
        if *maker == me {
            rows.into_iter().flatten().for_each(|row| self.outbox.free(row, &to));
            self.copy_to_origin(index, id, statement, None);
        }
    }

    /// The successor of the retired custodian holds the track. An offer that it follows came to nobody.
    fn apply_succeed(&mut self, index: LedgerIndex, id: TrackId, statement: &Statement, prev: Sid) {
        let maker = &statement.claim.agency;
        let mine = *maker == self.me;
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if let Some(open) = track.transfers.get_mut(&prev).filter(|t| t.outcome.is_none()) {
            let refused = Some(RefusalCause::Succeeded);
            open.outcome = Some(Outcome { sid: statement.sid(), index, refused });
        }
        match track.phase {
            _ if mine => track.phase = Phase::Held,
            Phase::Inbox(open) if open == prev => track.phase = Phase::Out,
            Phase::Offered(_) | Phase::Held => track.phase = Phase::Gone, // this agency is the retired one
            _ => {}
        }
        if mine {
            let giver = track.last_giver(&statement.claim.agency).cloned();
            self.copy_to_origin(index, id, statement, None);
            let origin = self.track(&id).map(|t| t.origin.clone());
            if let Some(giver) = giver.filter(|giver| Some(giver) != origin.as_ref()) {
                self.wait(index, giver, statement, id, Awaits::Ack);
            }
        }
    }

    fn apply_cancel(&mut self, index: LedgerIndex, id: TrackId, statement: &Statement, tid: Tid) {
        let me = self.me.clone();
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(transfer) = track.transfers.get_mut(&tid) else { return };
        transfer.cancel = Some(index);
        let (to, undecided) = (transfer.to.clone(), transfer.outcome.is_none());
        if statement.claim.agency == me && undecided {
            self.wait(index, to, statement, id, Awaits::Answer);
        }
    }

    fn apply_receipt(&mut self, index: LedgerIndex, maker: &AgencyId, item: &ReceivedItem) {
        let (me, tid, answers_from) = (self.me.clone(), &item.tid, self.memory.answers_from);
        let Some(id) = self.transfers.get(tid).copied() else { return };
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if item.commitment != track.commitment_digest() {
            return;
        }
        let Some(transfer) = track.transfers.get_mut(tid).filter(|t| t.to == *maker) else { return };
        if transfer.receipt.is_none_or(|at| at < answers_from) {
            transfer.receipt = Some(index);
        }
        if transfer.from == me {
            self.outbox.received(transfer.offer, maker);
        }
        if *maker == me {
            answered(track, tid, index, answers_from);
        }
    }

    fn apply_ack(&mut self, index: LedgerIndex, maker: &AgencyId, items: &[AckItem]) {
        for AckItem { track, sid } in items {
            if *maker != self.me {
                self.outbox.acked(sid, maker);
            } else if let Some(track) = self.tracks.get_mut(track) {
                // Our own ACK: remember it beside what it answers, to repeat it to whoever asks again.
                answered(track, sid, index, self.memory.answers_from);
            }
        }
    }

    /// The place of receipt follows the track (protocol.md 3, "Watchers"): a copy of what this agency makes.
    fn copy_to_origin(
        &mut self,
        index: LedgerIndex,
        id: TrackId,
        statement: &Statement,
        peer: Option<&AgencyId>,
    ) {
        let Some(origin) = self.track(&id).map(|t| t.origin.clone()) else { return };
        if statement.claim.agency == self.me && origin != self.me && peer != Some(&origin) {
            self.wait(index, origin, statement, id, Awaits::Ack);
        }
    }

    fn wait(&mut self, index: LedgerIndex, to: AgencyId, s: &Statement, track: TrackId, awaits: Awaits) {
        if awaits == Awaits::Ack && self.memory.acts.retires(&to) {
            return; // it acknowledges nothing any more
        }
        let row = Row { sid: s.sid(), kind: s.body.kind(), track, awaits, since: s.claim.made_at };
        self.outbox.add(index, to, row);
    }
}

/// The decision on an OFFER that a follower got before the OFFER.
fn early_outcome(track: &Track, tid: Tid, from: &AgencyId, to: &AgencyId) -> Option<Outcome> {
    let decision = |e: &&Entry| {
        let right = match e.kind {
            Kind::Accept | Kind::Refuse => e.maker == *to,
            Kind::Reclaim => e.maker == *from,
            _ => false,
        };
        e.prev == Some(tid) && right
    };
    let entry = track.entries.iter().find(decision)?;
    Some(Outcome { sid: entry.sid, index: entry.index, refused: entry.cause })
}

/// An OFFER to this agency came with its content: it is in the inbox unless a recall was faster.
fn arrive(track: &mut Track, tid: Tid) {
    if let Some(transfer) = track.transfers.get_mut(&tid) {
        transfer.arrived = true;
        if transfer.outcome.is_none() {
            track.phase = Phase::Inbox(tid);
        }
    }
}

/// The first answer stands; one that an earlier incarnation gave is replaced.
fn answered(track: &mut Track, sid: &Sid, index: LedgerIndex, answers_from: LedgerIndex) {
    if let Some(entry) = track.entries.iter_mut().find(|e| e.sid == *sid) {
        entry.answer = Some(entry.answer.filter(|at| *at >= answers_from).unwrap_or(index));
    }
}
