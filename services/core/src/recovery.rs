//! A node restored from an old copy (protocol.md 6): it fences its old incarnation at every peer, collects what they
//! hold of it, and only then acts again. The hardest fault, because the copy believes it still has what it gave away.
//!
//! | rule | here |
//! |---|---|
//! | R1 answer nothing, offer nothing | `Node` drops arrivals and sends no rows while [`State::recovery`] is there |
//! | R2 every peer stores the fence, then gives back | [`asking`] counts all peers of the directory that the authority has not retired; [`giving`] answers |
//! | R3 1 + the highest any peer holds | [`Word::Fenced`] tells what is held, and the fence is set anew above it |
//! | R4 fences of others are learned again | the claim of each FENCED has the peer's incarnation |
//! | R5 overlapping recoveries end together | [`Word::Stands`]: nobody asks before all fences stand everywhere |
//! | R6, R7 own decisions found at others count, by replay | [`asking`] places each statement behind the one it follows |
//!
//! A fence is by incarnation: of an old one only those statements pass that the new one has vouched for, which are
//! those that came back to it or were never lost, and still have a row in its outbox. What is on its way and was
//! forgotten by its maker is vouched for by nobody, and can move nothing.

pub mod apply;
pub mod asking;
pub mod giving;
pub mod pool;

use crate::authority::Acts;
use crate::custody::state::State;
use crate::ids::{AgencyId, Digest, Incarnation, LedgerIndex, Sid, TrackId, WallMs};
use crate::statement::{AckItem, Claim};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// What nodes say to each other around a recovery. It is about no track and lies on no spine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// "From now on take from me only this incarnation, and what it vouches for."
    Fence {
        /// The new incarnation, which is also that of the claim.
        incarnation: Incarnation,
        /// Drawn at each start: without it a copy that is put back twice, with a clock that stands, would say the same
        /// FENCE twice, and the second would be taken for the first.
        nonce: Nonce,
    },
    /// Answer to a FENCE, durable before it is said.
    Fenced {
        /// The FENCE that is answered: a copy that is put back twice asks for one incarnation twice, and an answer to the
        /// first is none to the second.
        fence: Sid,
        /// Whether the fence stands here; not where as high a one was known.
        taken: bool,
        /// The highest other incarnation of the asker known here.
        held: Incarnation,
        /// Whether the answering node recovers too.
        recovering: bool,
    },
    /// "My fence stands at every peer", for those who recover at the same time.
    Stands {
        /// The FENCE.
        fence: Sid,
    },
    /// "This I know of the tracks you have part in": what differs is to be given back.
    Ask(Ask),
    /// One track given back, with its statements as the certificate beside it.
    Given(Given),
    /// "I act again, and vouch for these statements of earlier incarnations."
    Resumed {
        /// The FENCE with which the recovery began.
        fence: Sid,
        /// Sids of own statements.
        vouched: Vec<Sid>,
        /// Whether the recovery ends with it.
        last: bool,
    },
    /// "I have started": the claim says from where.
    Hello,
    /// "You said more than you remember": the newest statement of the receiver that is known here lies beside it.
    Rollback,
    /// "These acts of the authority are on my disk" ([`crate::authority`]); those that the receiver may lack lie beside it.
    Acts {
        /// Sids of the acts.
        known: Vec<Sid>,
        /// Whether the receiver is to say the same.
        asks: bool,
    },
    /// "What do you have of this retired agency about these transfers to it?" ([`crate::authority::reclaim`])
    Seek {
        /// The receiver.
        agency: AgencyId,
        /// Every act that the asker knows; they lie beside it.
        acts: Vec<Sid>,
        /// The transfers, each with its track.
        items: Vec<AckItem>,
    },
    /// "I have the acts that your SEEK names, and of its receiver what lies beside this, and nothing else."
    Sought {
        /// The SEEK.
        seek: Sid,
    },
    /// "What is there of the dossiers that agencies held whom I succeed?" ([`crate::authority::succeed`])
    Estate(Estate),
    /// One such dossier, with its statements as the certificate beside it.
    Left(Left),
}

/// One part of a successor's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estate {
    /// Every act that the asker knows; they lie beside it. Who knows others too does not answer.
    pub acts: Vec<Sid>,
    /// What the asker has of it: each track with what the asked agency gave of it before.
    pub ask: Ask,
}

/// One answer to a successor's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which answer it is.
    pub given: Given,
    /// The track lies in the inbox of the answering agency, which may still sign for it.
    pub undecided: bool,
    /// As far as is known there, somebody holds it who is none of those whom the asker succeeds.
    pub moved_on: bool,
}

/// One part of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Of this start of the asker, repeated in the answers: what was given to an earlier one was numbered otherwise.
    pub nonce: Nonce,
    /// Attempt; answers to earlier ones do not count.
    pub round: u32,
    /// Part, from 1.
    pub number: u32,
    /// How many parts there are.
    pub of: u32,
    /// Tracks up to this one were given back already; zero at first.
    pub after: TrackId,
    /// What is known.
    pub tracks: Vec<Known>,
}

/// What the asker knows of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The track.
    pub track: TrackId,
    /// Exclusive or of the sids of its statements, CANCEL left out: equal sets are equal here.
    pub statements: Digest,
    /// Whether its content is here.
    pub has_content: bool,
}

/// One answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Of the question.
    pub nonce: Nonce,
    /// Round of the question.
    pub round: u32,
    /// Which answer, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// Whether asking again gives more.
    pub more: bool,
    /// The track; none where nothing is missing.
    pub track: Option<TrackId>,
}

/// A recovery that has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The new incarnation.
    pub incarnation: Incarnation,
    /// Where the FENCE is that asks for it.
    pub fence: LedgerIndex,
    /// Its sid.
    pub sid: Sid,
    /// Size of the ledger when the recovery began.
    pub kept: u64,
    /// When, by this node's clock.
    pub since: WallMs,
}

/// What is known of a peer's incarnations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerFence {
    /// The lowest that is listened to.
    pub min: Incarnation,
    /// The FENCE behind it; none where it was learned otherwise.
    pub fence: Option<Sid>,
    /// Statements of earlier incarnations that this one vouches for.
    pub vouched: BTreeSet<Sid>,
    /// Whether the peer still recovers.
    pub recovering: bool,
}

/// The furthest a peer's ledger was seen to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Incarnation claimed.
    pub incarnation: Incarnation,
    /// Place claimed, in the peer's ledger.
    pub index: LedgerIndex,
    /// The statement that claims it, in this ledger.
    pub at: LedgerIndex,
}

/// Fences, pins and what is vouched for; a part of [`State`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// This node's own recovery, while it lasts.
    pub recovery: Option<Recovery>,
    /// The FENCE of this node's last recovery, ended or not.
    pub last_fence: Option<Sid>,
    /// Own answers before this place were given by an earlier incarnation: peers do not listen to them.
    pub answers_from: LedgerIndex,
    /// Day (`yymmdd`) of the last recovery and the number that codes of that day begin above: what was issued and
    /// lost must not be issued again.
    pub code_gap: Option<(Digits, u32)>,
    /// Own statements of earlier incarnations, with the RESUMED that vouches for each.
    pub vouched: BTreeMap<Sid, LedgerIndex>,
    /// Of each peer that ever recovered.
    pub fences: BTreeMap<crate::ids::AgencyId, PeerFence>,
    /// Of each peer that was heard.
    pub pins: BTreeMap<crate::ids::AgencyId, Pin>,
    /// Acts of the authority.
    pub acts: Acts,
}

/// What makes two fences differ.
pub type Nonce = [u8; 16];

/// A day as in dossier codes.
pub type Digits = [u8; 6];

/// Codes left out of the counter of the day of a recovery: more than the busiest agency issues in a day, so that no code
/// which was printed and then lost is printed twice.
pub const CODE_GAP: u32 = 5_000;
/// Tracks in one ASK: keeps its body below 40 KiB.
pub const ASKED_AT_ONCE: usize = 512;
/// The highest incarnation that is believed: no node recovers so often, and above it there is always room for the next.
pub const HIGHEST_INCARNATION: u64 = 1 << 48;
/// Parts of one question: two million tracks, more than one agency has part in.
pub const ASK_PARTS: u32 = 4_096;
/// Statements of one peer's answers that may wait for what comes before them: more than it has undecided offers to one agency,
/// which wait until they are sent again.
pub const POOLED_OF_ONE: usize = 20_000;
/// Tracks given back for one round: a commit's worth of records. The asker asks again for more.
pub const GIVEN_AT_ONCE: usize = 128;
/// Statements vouched for in one RESUMED: keeps its body below 10 KiB.
pub const VOUCHED_AT_ONCE: usize = 256;

impl Memory {
    /// Whether the peer's fence lets a statement through (I13).
    pub fn admits(&self, claim: &Claim, sid: &Sid) -> bool {
        let fence = self.fences.get(&claim.agency);
        fence.is_none_or(|f| claim.incarnation >= f.min || f.vouched.contains(sid))
    }

    /// The highest incarnation of a peer that is known here.
    pub fn highest(&self, peer: &crate::ids::AgencyId) -> Incarnation {
        let fenced = self.fences.get(peer).map_or(Incarnation(0), |f| f.min);
        self.pins.get(peer).map_or(fenced, |pin| fenced.max(pin.incarnation))
    }
}

impl State {
    /// Whether this node recovers: it takes dossiers in, and does nothing else.
    pub fn recovering(&self) -> bool {
        self.memory.recovery.is_some()
    }
}
