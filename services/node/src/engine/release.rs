//! An envelope that an officer lets out of quarantine: the record that says so, and its bytes as if they came now.

use super::admit;
use super::events::{Done, Opened};
use super::run::{Engine, Fatal};
use super::taking::Taken;
use lienthong_core::ids::{AgencyId, Digest};
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::record::QuarantineSettled;
use tokio::sync::oneshot;

/// A release on its way into the loop.
pub(crate) struct Release {
    pub(crate) agency: AgencyId,
    pub(crate) settled: QuarantineSettled,
    /// Who sent the bytes.
    pub(crate) from: AgencyId,
    /// Of the kept bytes.
    pub(crate) sha256: Digest,
    /// Verified again.
    pub(crate) envelopes: Vec<Opened>,
    /// The record, and why an envelope was refused again.
    pub(crate) reply: oneshot::Sender<Result<Released, Reason>>,
}

/// What a release came to.
#[derive(Clone, Debug)]
pub(crate) struct Released {
    pub(crate) done: Done,
    pub(crate) refused: Option<Reason>,
}

impl Engine {
    pub(crate) fn on_release(&mut self, release: Release) -> Result<(), Fatal> {
        let Release { agency, settled, from, sha256, envelopes, reply } = release;
        let settled = self.settle(&agency, settled);
        let released = match settled {
            Err(reason) => Err(reason),
            Ok(done) if done.repeated => Ok(Released { done, refused: None }),
            Ok(done) => {
                // Whoever lets it out wants it tried, however often it was.
                self.attempts.done(&sha256);
                let mut refused = None;
                for opened in envelopes {
                    match self.take(&from, &agency, opened)? {
                        Taken::In => {}
                        // There was room for the record; its sender has no answer and sends it again.
                        Taken::Left => refused = Some(Reason::StorageFull),
                        Taken::Refused(reason) => refused = Some(reason),
                    }
                }
                Ok(Released { done, refused })
            }
        };
        self.group.replies.push(Box::new(move || drop(reply.send(released))));
        Ok(())
    }

    fn settle(&mut self, agency: &AgencyId, settled: QuarantineSettled) -> Result<Done, Reason> {
        let (level, caps, now) = (self.pressure.level(), self.caps, self.clock.now());
        let host = self.hosts.get_mut(agency).ok_or(Reason::AgencyNotHosted)?;
        let input = Input::Settle(settled);
        admit::input(level, caps, host, &input)?;
        match host.node.step(now, input)? {
            Answer::Done { track, sid, index, repeated } => {
                Ok(Done::about(None, track, sid, index, repeated))
            }
            Answer::Noted(index) => Ok(Done::about(None, Digest::ZERO, Digest::ZERO, index, false)),
            Answer::Nothing => Err(Reason::NotInQuarantine),
        }
    }
}
