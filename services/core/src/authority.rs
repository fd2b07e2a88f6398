//! Acts of the authority of the directory: an agency that is gone for good, or merged into another, is retired.
//!
//! The act is a statement (RETIRE) signed with a key of the directory's authority and with no agency's. It may come to any
//! node, from an operator or from a peer, any number of times and in any order with other acts; the set of acts known
//! decides, and nothing takes one back. Whoever knows the act of B
//!
//! | what | where |
//! |---|---|
//! | takes nothing that B makes any more, a fence above every incarnation; what others carry of B's past is taken | `custody::arrival`, `node::acts` |
//! | offers nothing to B, and gives nothing back to it | `custody::command` |
//! | sends B nothing but the act, and lets go of what only waited for B's acknowledgement | [`State::apply_act`], `node` |
//! | does not wait for B in a recovery, as soon as every other peer knows the act too (R2) | `recovery::asking` |
//! | passes the act on until each peer has said that it is durable there | [`telling`] |
//! | takes back what it had offered to B and B never accepted | [`reclaim`] |
//! | takes over what B held, where the act that stands names it | [`succeed`], [`collecting`] |
//! | does nothing itself any more, where it is B | `custody::command`, `node` |
//!
//! That a peer knows an act counts from its word on, and until it begins to recover: who was put back from an old copy may
//! have forgotten. The acts lie beside every FENCED, so that nobody ends a recovery without them.
//!
//! A retired agency whose node still runs and never hears of it holds what it holds, and nobody takes any of it: one
//! custodian among those who are not retired is all that can be promised then. Switch the node off before the act is made.

pub mod collecting;
pub mod reclaim;
pub mod succeed;
pub mod telling;

use crate::custody::state::State;
use crate::ids::{AgencyId, LedgerIndex, Sid, WallMs};
use crate::statement::{Body, Statement};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// Body of an act: this agency does nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retire {
    /// Who.
    pub agency: AgencyId,
    /// Who takes over its work; none where nobody is named.
    pub successor: Option<AgencyId>,
    /// Why, such as the number of the resolution; at most [`WHY_BYTES`].
    pub why: String,
}

/// An act that is in this ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Who is retired.
    pub agency: AgencyId,
    /// Who takes over.
    pub successor: Option<AgencyId>,
    /// Epoch of the directory for which it was made.
    pub epoch: u64,
    /// When it was made, by the authority's clock.
    pub made_at: WallMs,
    /// Its place in this ledger.
    pub index: LedgerIndex,
    /// Peers who have said that they have it on disk.
    pub known_by: BTreeSet<AgencyId>,
}

/// The acts known, by sid; a part of [`crate::recovery::Memory`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acts(pub BTreeMap<Sid, Act>);

/// Bytes of an act's reason: a reference and a sentence.
pub const WHY_BYTES: usize = 500;
/// Acts that one node keeps: more than half of a province's agencies; together they fit one envelope.
pub const ACTS: usize = 128;
/// Acts about one agency that one node keeps: a first one, and corrections of its successor.
pub const ACTS_OF_ONE: usize = 4;

impl Acts {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an agency is retired.
    pub fn retires(&self, agency: &AgencyId) -> bool {
        self.0.values().any(|act| act.agency == *agency)
    }

    /// The act about an agency that stands: the one made last, for the latest directory. All of them retire it.
    pub fn standing(&self, agency: &AgencyId) -> Option<(&Sid, &Act)> {
        let about = self.0.iter().filter(|(_, act)| act.agency == *agency);
        about.max_by_key(|(sid, act)| (act.epoch, act.made_at, **sid))
    }

    /// Every retired agency once, with the act that stands.
    pub fn retired(&self) -> impl Iterator<Item = (&Sid, &Act)> {
        let standing = |act: &Act| self.standing(&act.agency).map(|(sid, _)| *sid);
        self.0.iter().filter(move |(sid, act)| standing(act) == Some(**sid))
    }

    /// Whether a statement is an act that is not known, and there is room for it.
    pub fn takes(&self, statement: &Statement) -> bool {
        let Body::Retire(retire) = &statement.body else { return false };
        let about = self.0.values().filter(|act| act.agency == retire.agency).count();
        !self.0.contains_key(&statement.sid()) && about < ACTS_OF_ONE && self.0.len() < ACTS
    }

    /// Whether a peer has said of every act that it has it.
    pub fn are_known_to(&self, peer: &AgencyId) -> bool {
        self.0.values().all(|act| act.known_by.contains(peer))
    }

    /// Places of the acts that are not among those.
    pub fn beside(&self, known: &BTreeSet<Sid>) -> Vec<LedgerIndex> {
        self.0.iter().filter(|(sid, _)| !known.contains(sid)).map(|(_, act)| act.index).collect()
    }

    /// A peer says that it has these.
    pub(crate) fn heard(&mut self, peer: &AgencyId, known: &[Sid]) {
        for sid in known {
            if let Some(act) = self.0.get_mut(sid) {
                act.known_by.insert(peer.clone());
            }
        }
    }

    /// Whether a peer's word says something new.
    pub fn is_news(&self, peer: &AgencyId, known: &[Sid]) -> bool {
        known.iter().any(|sid| self.0.get(sid).is_some_and(|act| !act.known_by.contains(peer)))
    }

    /// A peer recovers and may have forgotten them; `None`: this node does, and what it knows of peers may be old.
    pub(crate) fn forgotten_by(&mut self, peer: Option<&AgencyId>) {
        for act in self.0.values_mut() {
            act.known_by.retain(|known| peer.is_some_and(|peer| peer != known));
        }
    }
}

impl State {
    /// Whether this agency is retired: it does nothing any more.
    pub fn retired(&self) -> bool {
        self.memory.acts.retires(&self.me)
    }

    pub(crate) fn apply_act(&mut self, index: LedgerIndex, statement: &Statement, retire: &Retire) {
        let act = Act {
            agency: retire.agency.clone(),
            successor: retire.successor.clone(),
            epoch: statement.claim.epoch,
            made_at: statement.claim.made_at,
            index,
            known_by: BTreeSet::new(),
        };
        self.memory.acts.0.entry(statement.sid()).or_insert(act);
        // What it was to acknowledge it never will; what it was to decide stays, and waits for what follows from the act.
        self.outbox.unacknowledged(&retire.agency);
    }
}
