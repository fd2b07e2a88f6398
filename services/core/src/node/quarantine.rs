//! What an officer does with an envelope in quarantine.

use super::{Answer, Node, Now};
use crate::codec::Codec;
use crate::custody::commands::{About, Kept, short};
use crate::custody::state::State;
use crate::ids::{Digest, LedgerIndex};
use crate::reason::{Reason, Rejection};
use crate::record::{QuarantineSettled, Record};

impl<C: Codec> Node<C> {
    /// An envelope leaves the quarantine. What becomes of its bytes is the caller's, who has them.
    pub(super) fn settle(&mut self, now: Now, mut settled: QuarantineSettled) -> Result<Answer, Rejection> {
        if let Some(done) = self.state.command(&settled.command.key) {
            if done.digest != short(&settled.command.digest) {
                return Err(Reason::IdempotencyConflict);
            }
            let (track, sid, index) = (done.track, done.sid, done.index);
            return Ok(Answer::Done { track, sid, index, repeated: true });
        }
        if !self.state.is_quarantined(settled.index) {
            return Err(Reason::NotInQuarantine);
        }
        settled.at = now.wall;
        let index = self.write(Record::QuarantineSettled(settled));
        Ok(Answer::Done { track: Digest::ZERO, sid: Digest::ZERO, index, repeated: false })
    }
}

impl State {
    /// Whether the envelope whose record is at this place is in quarantine.
    pub fn is_quarantined(&self, index: LedgerIndex) -> bool {
        self.quarantined.values().any(|kept| kept.values().any(|at| *at == index))
    }

    pub(crate) fn apply_settled(&mut self, index: LedgerIndex, settled: &QuarantineSettled) {
        for kept in self.quarantined.values_mut() {
            kept.retain(|_, at| *at != settled.index);
        }
        self.quarantined.retain(|_, kept| !kept.is_empty());
        let (digest, about) = (short(&settled.command.digest), About::Alone(Digest::ZERO));
        self.commands.put(&settled.command.key, Kept { digest, index, about });
    }
}
