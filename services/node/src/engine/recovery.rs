//! What people are told of a recovery: what showed that a ledger is an old copy, and what came of it.

use super::Host;
use lienthong_core::ids::{AgencyId, Incarnation, WallMs};
use lienthong_core::node::Recovered;
use lienthong_runtime::Metrics;

/// What showed that a ledger is an old copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `lienthong restore` left its marker.
    Restored,
    /// The anchor was further than the ledger.
    AnchorAhead,
    /// The anchor was as far as the ledger, with another head or a later incarnation.
    AnchorForks,
    /// The anchor was of another store.
    OtherStore,
    /// There was no anchor for a ledger with records.
    NoAnchor,
    /// A peer knew more of this agency than it does itself.
    Peer,
    /// It began before this start.
    Earlier,
}

impl Cause {
    /// A word for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Restored => "restored",
            Cause::AnchorAhead => "anchor ahead",
            Cause::AnchorForks => "anchor forks",
            Cause::OtherStore => "other store",
            Cause::NoAnchor => "no anchor",
            Cause::Peer => "peer",
            Cause::Earlier => "earlier start",
        }
    }
}

/// The recovery of an agency since this start, under way or ended.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    /// What showed it.
    pub cause: Cause,
    /// Since when.
    pub since: WallMs,
    /// How many records the copy had.
    pub kept: u64,
    /// The new incarnation.
    pub incarnation: Incarnation,
    /// When it ended, and what it came to.
    pub ended: Option<(WallMs, Recovered)>,
}

/// Notes the begin or the end of a recovery, once, when the records of it are about to be written.
pub(crate) fn look(agency: &AgencyId, host: &mut Host, now: WallMs, metrics: &Metrics) {
    match (host.node.state().memory.recovery, &mut host.recovery) {
        (Some(lasting), Some(note)) if note.ended.is_none() => note.incarnation = lasting.incarnation,
        (Some(lasting), note) => {
            let cause = host.cause.take().unwrap_or(Cause::Peer);
            let (since, kept, incarnation) = (lasting.since, lasting.kept, lasting.incarnation);
            *note = Some(Note { cause, since, kept, incarnation, ended: None });
            let cause = cause.name();
            tracing::warn!(%agency, cause, records = kept, incarnation = incarnation.0, "an old copy: it recovers from its peers");
            metrics.recovery_began(agency.as_str(), cause);
        }
        (None, Some(note)) if note.ended.is_none() => {
            let Some(recovered) = host.node.recovered() else { return };
            note.ended = Some((now, recovered));
            let Recovered { returned, learned, unplaced, .. } = recovered;
            tracing::warn!(%agency, returned, learned, unplaced, "recovered: it hands on again");
            metrics.recovery_ended(agency.as_str());
        }
        (None, _) => {}
    }
}
