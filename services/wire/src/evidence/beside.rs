//! What lies beside the spine: receipts, recalls and acknowledgements must be about this track and by its parties.

use super::fault::What;
use lienthong_core::ids::{AgencyId, Tid, TrackId};
use lienthong_core::statement::{Body, Statement};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Giver and receiver of each offer shown.
pub(super) struct Offers<'a>(BTreeMap<Tid, (&'a AgencyId, &'a AgencyId)>);

impl<'a> Offers<'a> {
    pub(super) fn of(statements: &'a [Arc<Statement>]) -> Self {
        let parties = |s: &'a Arc<Statement>| match &s.body {
            Body::Offer(offer) => Some((s.sid(), (&s.claim.agency, &offer.to))),
            _ => None,
        };
        Self(statements.iter().filter_map(parties).collect())
    }

    /// A receipt covers many offers in one signed body: one of them must be shown, and each that is shown must be to
    /// the receipt's maker. A recall whose offer is not shown proves nothing and harms nothing.
    pub(super) fn check(&self, track: TrackId, statement: &Statement) -> Result<(), What> {
        let maker = &statement.claim.agency;
        let stranger = || Err(What::Stranger(maker.clone()));
        match &statement.body {
            Body::Received(items) => {
                let mut receivers = items.iter().filter_map(|item| self.0.get(&item.tid)).peekable();
                if receivers.peek().is_none() {
                    return Err(What::Foreign);
                }
                if receivers.all(|(_, to)| *to == maker) { Ok(()) } else { stranger() }
            }
            Body::Cancel(cancel) => match self.0.get(&cancel.tid) {
                Some((from, _)) if *from != maker => stranger(),
                Some(_) | None => Ok(()),
            },
            Body::Ack(items) if !items.iter().any(|item| item.track == track) => Err(What::Foreign),
            Body::Ack(_)
            | Body::Intake(_)
            | Body::Note(_)
            | Body::Offer(_)
            | Body::Accept(_)
            | Body::Refuse(_)
            | Body::Completed(_)
            | Body::Returned(_)
            | Body::Checkpoint { .. }
            | Body::Recovery(_)
            | Body::Retire(_)
            | Body::Reclaim(_)
            | Body::Succeed(_) => Ok(()),
        }
    }
}
