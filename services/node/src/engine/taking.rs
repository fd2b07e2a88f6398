//! Taking one envelope in: left with its sender, handled, or kept in quarantine; and one that ends the process is tried
//! three times and no more.

use super::admit;
use super::events::Opened;
use super::pressure::Level;
use super::run::{Engine, Fatal};
use lienthong_core::custody::arrival::Arrival;
use lienthong_core::ids::{AgencyId, Digest};
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::record::Quarantined;
use lienthong_store::attempts::Attempt;
use lienthong_store::format::BODY_LIMIT;
use lienthong_wire::chain;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// What became of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was handled.
    In,
    /// It stays with its sender for now.
    Left,
    /// It was refused, and is in quarantine where there was room.
    Refused(Reason),
}

impl Engine {
    /// Takes one envelope in.
    pub(crate) fn take(&mut self, from: &AgencyId, to: &AgencyId, opened: Opened) -> Result<Taken, Fatal> {
        let room = self.pressure.level();
        let Some(host) = self.hosts.get_mut(to) else { return Ok(Taken::In) };
        // Above the high-water mark what begins something stays with its sender; so does what would be kept aside.
        let leaves = match &opened.arrival {
            Ok(arrival) if admit::leaves(room, host, arrival) => true,
            Ok(arrival) => {
                let is_full = !self.inboxes.admits(self.caps.inbox, host, arrival);
                if is_full && let Some(left) = self.inboxes.full.about(from) {
                    let most = self.caps.inbox;
                    tracing::warn!(%from, %to, most, left, "the inbox has as many undecided offers of this peer as limits.inbox_per_peer lets: more stay at the courier until some are decided");
                }
                is_full
            }
            Err(_) => room > Level::Ample,
        };
        if leaves {
            return Ok(Taken::Left);
        }
        let Opened { bytes, arrival } = opened;
        let sha256 = self.attempts.is_watching().then(|| chain::payload_hash(&bytes));
        let handled = match arrival {
            Err(reason) => Err(reason),
            Ok(arrival) => match sha256.map(|sha| self.attempts.begin(sha)) {
                Some(Ok(Attempt::TooOften)) => Err(Reason::HandlerCrashed),
                Some(Err(error)) => return Err(Fatal::Attempts(error)),
                None | Some(Ok(Attempt::Begun)) => {
                    let handled = self.handle(to, *arrival, &bytes, sha256);
                    if let Some(sha) = sha256 {
                        self.attempts.done(&sha);
                    }
                    handled
                }
            },
        };
        match handled {
            Ok(_) => Ok(Taken::In),
            Err(Reason::Fenced) => {
                // Its maker has forgotten it, and nothing stands behind it: it is no evidence of anything.
                self.metrics.duplicate("fenced");
                tracing::info!(%from, %to, "an envelope of an earlier incarnation is let go");
                Ok(Taken::In)
            }
            Err(Reason::OwnStatementUnknown) => Err(Fatal::RunsTwice(to.clone())),
            Err(reason) => {
                self.keep_aside(from, to, &bytes, reason);
                Ok(Taken::Refused(reason))
            }
        }
    }

    /// A panic ends the process, because nobody knows what it left half done; first it is counted.
    fn handle(
        &mut self,
        to: &AgencyId,
        arrival: Arrival,
        bytes: &[u8],
        counted: Option<Digest>,
    ) -> Result<Answer, Reason> {
        let Some(host) = self.hosts.get_mut(to) else { return Err(Reason::AgencyNotHosted) };
        let (kind, before) = (arrival.statement.body.kind().name(), host.node.state().next);
        self.metrics.received(kind, 1);
        let (now, sid) = (self.clock.now(), arrival.statement.sid());
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            poison(&sid);
            host.node.step(now, Input::Arrival(arrival))
        }));
        let answer = stepped.unwrap_or_else(|panic| {
            tracing::error!(%to, kind, "handling an envelope panicked: the node ends, and tries it again at its next start, three times in all");
            if counted.is_none()
                && let Err(error) = self.attempts.failed(chain::payload_hash(bytes))
            {
                tracing::error!(%error, "the attempt could not be counted");
            }
            resume_unwind(panic)
        })?;
        if host.node.state().next == before {
            self.metrics.duplicate(kind);
        }
        Ok(answer)
    }

    fn keep_aside(&mut self, from: &AgencyId, to: &AgencyId, bytes: &[u8], reason: Reason) {
        let Some(host) = self.hosts.get_mut(to) else { return };
        let now = self.clock.now();
        let kept = Quarantined {
            from: from.clone(),
            reason,
            sha256: chain::payload_hash(bytes),
            length: bytes.len() as u64,
            at: now.wall,
            // What the courier carried above every limit is kept as far as a record can hold it.
            bytes: Some(Arc::from(&bytes[..bytes.len().min(BODY_LIMIT)])),
        };
        self.metrics.quarantined(from.as_str(), reason.number());
        let before = host.node.state().next;
        if host.node.step(now, Input::Quarantine(kept)).is_err() {
            if let Some(dropped) = self.complaints.about(from) {
                tracing::error!(%from, %to, dropped, "the quarantine for this peer is full: envelopes are dropped");
            }
        } else if host.node.state().next != before {
            tracing::warn!(%from, %to, reason = reason.number(), "an envelope is kept in quarantine");
        }
    }
}

/// In debug builds, handling the statement `LIENTHONG_PANIC_ON_STATEMENT` panics, and handling the statement
/// `LIENTHONG_ABORT_ON_STATEMENT` ends the process at once, as a stack overflow or the kernel would.
fn poison(sid: &Digest) {
    if !cfg!(debug_assertions) {
        return;
    }
    let is = |name: &str| std::env::var(name).is_ok_and(|poison| poison == sid.to_string());
    if is("LIENTHONG_ABORT_ON_STATEMENT") {
        std::process::abort();
    }
    assert!(!is("LIENTHONG_PANIC_ON_STATEMENT"), "this statement is poison");
}
