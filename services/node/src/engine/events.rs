//! What reaches the loop.

use bytes::Bytes;
use lienthong_core::custody::arrival::Arrival;
use lienthong_core::custody::track::{Phase, Track, Transfer};
use lienthong_core::ids::{AgencyId, LedgerIndex, Sid, Tid, TrackId};
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_link::Ack;
use tokio::sync::oneshot;

use super::Hosts;

/// How far a statement has come (protocol.md 3). L0 is not among them: it means nothing to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Durable here.
    Stored,
    /// L1: the receiver's node signed for it.
    Received,
    /// L2: decided.
    Decided,
    /// L3: the decision is known to the giver.
    Acknowledged,
}

impl Level {
    /// Of a transfer, as its giver or a follower knows it.
    pub fn of(transfer: &Transfer) -> Self {
        match (transfer.outcome, transfer.receipt) {
            (Some(_), _) => Level::Decided,
            (None, Some(_)) => Level::Received,
            (None, None) => Level::Stored,
        }
    }
}

/// What a command or a note came to.
#[derive(Clone, Debug)]
pub struct Done {
    /// What it was about; zero when it was about no track.
    pub track: TrackId,
    /// The dossier code of the track.
    pub code: String,
    /// The statement; zero when only a record was written.
    pub sid: Sid,
    /// Its place, the effect id.
    pub index: LedgerIndex,
    /// Whether an earlier call with the same key made it.
    pub repeated: bool,
    /// Where the track stands now.
    pub phase: Option<(Phase, bool)>,
    /// How far the statement has come.
    pub level: Level,
}

impl Done {
    pub(crate) fn about(
        track: Option<&Track>,
        id: TrackId,
        sid: Sid,
        index: LedgerIndex,
        repeated: bool,
    ) -> Self {
        let level = match track {
            Some(t) if t.transfers.contains_key(&sid) => Level::of(&t.transfers[&sid]),
            _ => Level::Stored,
        };
        Self {
            track: id,
            code: track.map_or_else(String::new, |t| t.code.to_string()),
            sid,
            index,
            repeated,
            phase: track.map(|t| (t.phase, t.returned.is_some())),
            level,
        }
    }
}

/// A caller who waits until a transfer reaches a level.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) level: Level,
    pub(crate) reached: oneshot::Sender<Level>,
}

/// Work for the loop.
pub(crate) enum Event {
    /// An input for one agency, with the caller.
    Input {
        agency: AgencyId,
        input: Box<Input>,
        waiter: Option<Waiter>,
        reply: oneshot::Sender<Result<Done, Reason>>,
    },
    /// Something that reads the state: it is run at once, and what it returns when all it saw is durable.
    Look(Look),
    /// An envelope is let out of quarantine.
    Release(Box<super::release::Release>),
    /// A courier's word about a peer of an agency.
    Trouble { agency: AgencyId, peer: AgencyId, trouble: lienthong_core::delivery::courier::Trouble },
    /// The courier takes for this peer again what it refused.
    Through { agency: AgencyId, peer: AgencyId },
    /// The courier can be reached again.
    Reconnected,
}

pub(crate) type Release = Box<dyn FnOnce() + Send>;
pub(crate) type Look = Box<dyn FnOnce(&Hosts) -> Release + Send>;

/// One message of the courier, opened.
pub(crate) struct Arrived {
    pub(crate) from: AgencyId,
    pub(crate) to: AgencyId,
    pub(crate) envelopes: Vec<Opened>,
    pub(crate) ack: Ack,
}

/// One envelope: verified, or why not. The bytes are kept for the quarantine.
pub(crate) struct Opened {
    pub(crate) bytes: Bytes,
    pub(crate) arrival: Result<Box<Arrival>, Reason>,
}

/// Identity of a transfer at one agency.
pub(crate) type TransferKey = (AgencyId, Tid);
