//! What a retired agency held: its successor asks, the others answer, and it is taken over ([`crate::authority::succeed`]).

use super::{Node, Now};
use crate::authority::collecting::Collecting;
use crate::codec::Codec;
use crate::custody::arrival::Arrival;
use crate::ids::{AgencyId, LedgerIndex, TrackId};
use crate::record::Origin;
use crate::recovery::giving::{self, Gift};
use crate::recovery::{Estate, Left, Nonce, Word};
use crate::statement::{Body, Statement};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What was answered to the last question of a successor.
#[derive(Clone, Debug)]
pub(super) struct Told {
    question: (Nonce, u32),
    said: Vec<(LedgerIndex, Gift)>,
}

impl<C: Codec> Node<C> {
    /// How far this node is with what those held whom it succeeds.
    pub fn collecting(&self) -> &Collecting {
        &self.collecting
    }

    /// Acts came, or a peer may have forgotten something: what is collected is collected anew.
    pub(super) fn collect_anew(&mut self, now: Now, forgot: bool) {
        if self.state.recovering() || self.state.retired() {
            // Nobody listens to what an earlier incarnation said, or would have.
            self.told.clear();
            self.gifts.retain(|(_, gift)| !matches!(gift.word, Word::Left(_)));
            return self.collecting.forget();
        }
        let peers = self.peers_to_hear().into_iter();
        if forgot {
            self.collecting.begin(now.mono, &self.state, peers);
        } else {
            self.collecting.sync(now.mono, &self.state, peers);
        }
    }

    /// A successor asks, and nobody else is answered: what is told are dossiers with their contents. It is answered by who knows
    /// the same acts, does not recover, and has no open question of its own: what it may still learn of a retired receiver, it
    /// would not tell.
    pub(super) fn estate_asked(&mut self, from: &AgencyId, estate: &Estate) {
        if self.state.memory.acts.left_to(from).is_empty() {
            return;
        }
        let acts: BTreeSet<_> = estate.acts.iter().collect();
        let same = self.state.memory.acts.0.keys().eq(acts);
        if self.state.recovering() || !same || !self.seeking.is_idle() {
            return;
        }
        let (ask, question) = (&estate.ask, (estate.ask.nonce, estate.ask.round));
        if let Some(told) = self.told.get(from).filter(|told| told.question == question) {
            let all_said = !self.gifts.iter().any(|(to, _)| to == from);
            let again = if all_said && ask.number == ask.of { told.said.clone() } else { Vec::new() };
            for (said, gift) in again {
                self.send_gift(from, said, gift);
            }
            return;
        }
        let whole = self.gathering.entry(from.clone()).or_default().take(ask);
        let Some(known) = whole else { return };
        self.gathering.remove(from);
        self.gifts.retain(|(to, _)| to != from);
        self.told.insert(from.clone(), Told { question, said: Vec::new() });
        let gifts = giving::left(&self.state, from, &estate.ask, &known);
        self.gifts.extend(gifts.into_iter().map(|gift| (from.clone(), gift)));
    }

    /// Says one gift of a recovery or of an estate. What is said of an estate is said again to whoever asks again.
    pub(super) fn give(&mut self, now: Now, to: &AgencyId, gift: Gift) {
        let index = self.speak(now, Body::Recovery(gift.word.clone()));
        if let (Word::Left(_), Some(told)) = (&gift.word, self.told.get_mut(to)) {
            told.said.push((index, gift.clone()));
        }
        self.send_gift(to, index, gift);
    }

    fn send_gift(&mut self, to: &AgencyId, said: LedgerIndex, gift: Gift) {
        let mut said = self.answer(to.clone(), said);
        (said.certificate, said.content) = (gift.statements, gift.content);
        self.pending.spoken.push(said);
    }

    /// A peer says what it has of a dossier, or that it has nothing else.
    pub(super) fn left(&mut self, now: Now, arrival: &Arrival, left: &Left) {
        if left.given.nonce != self.nonce || !self.collecting.awaits(&arrival.from, left) {
            return;
        }
        let Some(track) = left.given.track else {
            self.keep(&arrival.statement); // what a SUCCEED rests on
            return self.collecting.answered(now.mono, (&arrival.from, left), &[], false);
        };
        // What is of an earlier incarnation was asked for when it was fenced, and had no place: to fence once more brings nothing.
        let forgotten = |s: &&Arc<Statement>| {
            let mine = s.claim.agency == self.state.me && s.claim.incarnation >= self.state.incarnation;
            mine && self.state.track(&track).is_none_or(|t| t.entry(&s.sid()).is_none())
        };
        if arrival.certificate.iter().any(|s| forgotten(&s)) {
            if self.is_old_copy(arrival) {
                self.fence_myself(now);
            }
            return;
        }
        let known = self.state.track(&track);
        let learns = self.collecting.may_learn(&self.state.memory.acts, known, &arrival.certificate);
        if known.is_none() && !learns {
            return; // nobody was asked for it
        }
        if learns && !self.collecting.pool.add(&arrival.from, track, &arrival.certificate) {
            return; // no room: it counts as not given
        }
        let news = learns && self.place(track, arrival);
        self.collecting.answered(now.mono, (&arrival.from, left), &arrival.certificate, news);
    }

    /// Writes what has its place now. `true` where that is more than was known of a track to take over.
    fn place(&mut self, id: TrackId, arrival: &Arrival) -> bool {
        let (mut content, mut news) = (arrival.content.clone(), false);
        while let Some(statement) = self.collecting.pool.next_of(&self.state, &id) {
            let content = self.lacks_content(&id).then(|| content.take()).flatten();
            self.write_statement(Origin::Learned, statement, content);
            news = true;
        }
        let intake = arrival.certificate.iter().find(|s| s.sid() == id);
        if let (Some(content), Some(intake), true) = (content, intake, self.lacks_content(&id)) {
            self.write_statement(Origin::Learned, intake.clone(), Some(content));
        }
        news && self.state.track(&id).is_some_and(|track| self.collecting.collects(track))
    }

    /// Asks who is to be asked, asks again, and takes over when everybody has answered.
    pub(super) fn collect(&mut self, now: Now) {
        if !self.collecting.is_active() || self.state.recovering() {
            return;
        }
        self.collecting.conclude(now.mono, &self.state, self.seeking.is_idle());
        let beside = self.state.memory.acts.beside(&BTreeSet::new());
        while self.pending.bytes < super::recovering::SPEAK_BYTES {
            let asked = self.collecting.ask(now.mono, &self.state, (self.nonce, &mut self.round));
            let Some((peer, part)) = asked else { break };
            let part = self.speak(now, Body::Recovery(Word::Estate(part)));
            self.repeat_beside(&peer, part, beside.clone());
            self.collecting.asked(now.mono, &peer, part);
        }
        for (peer, part) in self.collecting.due(now.mono) {
            self.repeat_beside(&peer, part, beside.clone());
        }
        self.take_over(now);
    }

    fn take_over(&mut self, now: Now) {
        while self.pending.bytes < super::recovering::SPEAK_BYTES {
            let Some((track, undecided)) = self.collecting.conclusion(&self.state) else { return };
            if let Some(succeed) = self.state.succeed(track, undecided) {
                self.speak(now, Body::Succeed(succeed));
            }
        }
    }
}
