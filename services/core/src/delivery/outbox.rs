//! The outbox: one row per (statement, receiver), freed as protocol.md 3 says and not before.

use crate::ids::{AgencyId, LedgerIndex, Sid, TrackId, WallMs};
use crate::pages::Pages;
use crate::statement::Kind;
use core::ops::Bound;

/// A row's key: the statement's place in the ledger, and who should have it.
pub type RowKey = (LedgerIndex, AgencyId);

/// Rows that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    rows: Pages<RowKey, Row>,
    by_sid: Pages<Sid, LedgerIndex>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The statement.
    pub sid: Sid,
    /// Its kind.
    pub kind: Kind,
    /// What it is about.
    pub track: TrackId,
    /// What is awaited.
    pub awaits: Awaits,
    /// When the statement was made, by this agency's clock.
    pub since: WallMs,
}

/// What a row waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaits {
    /// An OFFER: the receipt. It is resent until then.
    Receipt,
    /// An OFFER that is received, no longer resent: the decision.
    Decision,
    /// A CANCEL: the decision. It is resent until then.
    Answer,
    /// A decision or a follower's copy: the ACK. It is resent until then.
    Ack,
}

impl Awaits {
    /// Whether the statement is still resent.
    pub fn resends(self) -> bool {
        self != Awaits::Decision
    }
}

impl Outbox {
    /// The outbox with these rows.
    pub fn from_rows(rows: impl IntoIterator<Item = (RowKey, Row)>) -> Self {
        let mut outbox = Self::default();
        rows.into_iter().for_each(|((index, to), row)| outbox.add(index, to, row));
        outbox
    }

    /// Puts a row in its place, for a state read from a snapshot.
    pub fn put(&mut self, (index, to): RowKey, row: Row) {
        self.add(index, to, row);
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, index: LedgerIndex, to: AgencyId, row: Row) {
        self.by_sid.insert(row.sid, index);
        self.rows.insert((index, to), row);
    }

    /// Frees a row; nothing when there is none.
    pub(crate) fn free(&mut self, index: LedgerIndex, to: &AgencyId) {
        if let Some(row) = self.rows.remove(&(index, to.clone()))
            && self.of(index).next().is_none()
        {
            self.by_sid.remove(&row.sid);
        }
    }

    /// Frees the row of the statement `sid` for `to` that waits for an ACK.
    pub(crate) fn acked(&mut self, sid: &Sid, to: &AgencyId) {
        if let Some(index) = self.awaiting_ack(sid, to) {
            self.free(index, to);
        }
    }

    /// The place of the statement `sid` where `to` has not acknowledged it.
    pub fn awaiting_ack(&self, sid: &Sid, to: &AgencyId) -> Option<LedgerIndex> {
        let index = *self.by_sid.get(sid)?;
        self.rows.get(&(index, to.clone())).filter(|row| row.awaits == Awaits::Ack).map(|_| index)
    }

    /// Frees every row that waits for an ACK of `to`.
    pub(crate) fn unacknowledged(&mut self, to: &AgencyId) {
        let of_it = self.rows.iter().filter(|(key, row)| key.1 == *to && row.awaits == Awaits::Ack);
        let places: alloc::vec::Vec<LedgerIndex> = of_it.map(|(key, _)| key.0).collect();
        places.into_iter().for_each(|index| self.free(index, to));
    }

    /// An OFFER is received: its row waits for the decision.
    pub(crate) fn received(&mut self, index: LedgerIndex, to: &AgencyId) {
        if let Some(row) = self.rows.get_mut(&(index, to.clone()))
            && row.awaits == Awaits::Receipt
        {
            row.awaits = Awaits::Decision;
        }
    }

    /// The receipt of an OFFER is void: it is sent again.
    pub(crate) fn unreceived(&mut self, key: &RowKey) {
        if let Some(row) = self.rows.get_mut(key)
            && row.awaits == Awaits::Decision
        {
            row.awaits = Awaits::Receipt;
        }
    }

    /// A row.
    pub fn row(&self, key: &RowKey) -> Option<&Row> {
        self.rows.get(key)
    }

    /// Rows of one statement.
    pub fn of(&self, index: LedgerIndex) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.rows.range(Bound::Included((index, AgencyId::lowest()))).take_while(move |(k, _)| k.0 == index)
    }

    /// Rows of later statements than this one, oldest first; all without one.
    pub fn after(&self, index: Option<LedgerIndex>) -> impl Iterator<Item = (&RowKey, &Row)> {
        let from = index.map_or(0, |index| index.0.saturating_add(1));
        self.rows.range(Bound::Included((LedgerIndex(from), AgencyId::lowest())))
    }

    /// All rows, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.rows.iter()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;
    use alloc::vec::Vec;

    fn agency(name: &str) -> AgencyId {
        AgencyId::parse(name).unwrap()
    }

    fn row(sid: u8, awaits: Awaits) -> Row {
        let (sid, track, since) = (Digest([sid; 32]), Digest::ZERO, WallMs(0));
        Row { sid, kind: Kind::Offer, track, awaits, since }
    }

    #[test]
    fn each_answer_frees_what_it_may() {
        let (mut outbox, b) = (Outbox::default(), agency("b"));
        outbox.add(LedgerIndex(1), b.clone(), row(1, Awaits::Receipt));
        outbox.acked(&Digest([1; 32]), &b);
        assert!(outbox.len() == 1 && !outbox.is_empty(), "an ACK does not free an OFFER");
        outbox.received(LedgerIndex(1), &b);
        let kept = outbox.row(&(LedgerIndex(1), b.clone())).unwrap();
        assert!(kept.awaits == Awaits::Decision && !kept.awaits.resends());
        outbox.free(LedgerIndex(1), &b);
        assert!(outbox.is_empty());
        outbox.free(LedgerIndex(1), &b);
        outbox.received(LedgerIndex(1), &b);
        assert!(outbox.is_empty());
    }

    #[test]
    fn one_receiver_does_not_answer_for_another() {
        let (mut outbox, b, c) = (Outbox::default(), agency("b"), agency("c"));
        outbox.add(LedgerIndex(1), b.clone(), row(1, Awaits::Ack));
        outbox.add(LedgerIndex(1), c.clone(), row(1, Awaits::Ack));
        outbox.acked(&Digest([1; 32]), &agency("d"));
        outbox.acked(&Digest([1; 32]), &b);
        let left: Vec<_> = outbox.of(LedgerIndex(1)).map(|(key, _)| key.1.clone()).collect();
        assert_eq!(
            (left.as_slice(), outbox.awaiting_ack(&Digest([1; 32]), &b)),
            ([c.clone()].as_slice(), None)
        );
        outbox.acked(&Digest([1; 32]), &c);
        assert_eq!(outbox, Outbox::default(), "nothing is left of it");
    }
}
