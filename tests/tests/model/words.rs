//! What is said: nodes, transfers, statements, and the letters that carry them.

use std::fmt;
use std::sync::Arc;

/// Agencies in the model: the place of receipt (0) and two others, each with two peers to fence at.
pub(crate) const NODES: u8 = 3;

/// An agency's instance.
pub(crate) type Id = u8;

/// Where a statement lies in its maker's ledger; the order of R7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// Incarnation that made it.
    pub(crate) inc: u8,
    /// Number among its maker's own statements.
    pub(crate) index: u8,
}

/// Names one transfer, as the sid of its OFFER does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tid {
    /// Number of the offer, rising.
    pub(crate) hop: u8,
    /// The giver.
    pub(crate) from: Id,
    /// The receiver, the only one that decides.
    pub(crate) to: Id,
    /// Its place in the giver's ledger.
    pub(crate) place: Place,
}

/// What a statement says about its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// By the giver.
    Offer,
    /// By the receiver: custody moves.
    Accept,
    /// By the receiver: it does not, and never will by this offer.
    Refuse,
    /// By the giver: it asks for the dossier back.
    Cancel,
}

/// A signed statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Statement {
    /// Its place in its maker's ledger.
    pub(crate) place: Place,
    /// What it says.
    pub(crate) kind: Kind,
    /// What it is about.
    pub(crate) tid: Tid,
}

impl Statement {
    /// Who signed it.
    pub(crate) fn maker(&self) -> Id {
        match self.kind {
            Kind::Offer | Kind::Cancel => self.tid.from,
            Kind::Accept | Kind::Refuse => self.tid.to,
        }
    }

    /// Whether it decides its transfer.
    pub(crate) fn decides(&self) -> bool {
        matches!(self.kind, Kind::Accept | Kind::Refuse)
    }
}

/// The OFFER and its outcome for every hop before.
pub(crate) type Certificate = Arc<[Statement]>;

/// What a letter says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    /// OFFER or CANCEL, with the certificate beside it.
    Ask(Statement, Certificate),
    /// ACCEPT or REFUSE.
    Decision(Statement),
    /// The OFFER is safe at its receiver.
    Received(Tid),
    /// The decision is safe at the giver.
    Ack(Tid),
}

/// An envelope: it names the incarnation that sent it, which is what a fence looks at. A statement of an earlier
/// incarnation that survived is sent again under the new one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Letter {
    /// The sender.
    pub(crate) from: Id,
    /// The incarnation it sent in.
    pub(crate) inc: u8,
    /// The receiver.
    pub(crate) to: Id,
    /// The content.
    pub(crate) message: Message,
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hop, from, to, place } = self;
        write!(f, "hop {hop} {from}->{to} ({}.{})", place.inc, place.index)
    }
}

/// Rule the certificate: a path kept from one rule set is to be understood by another.
impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, tid) = match &self.message {
            Message::Ask(s, _) | Message::Decision(s) => (format!("{:?}", s.kind).to_uppercase(), s.tid),
            Message::Received(tid) => ("RECEIVED".into(), *tid),
            Message::Ack(tid) => ("ACK".into(), *tid),
        };
        write!(f, "{what} {tid} from {} as {} to {}", self.from, self.inc, self.to)
    }
}
