//! Messages that are left at the courier: they come again, and keep their sender within the room it has there.
//!
//! What is left counts against the sender's part of the mailbox, so the courier refuses the sender more: that is the
//! credit a sender has. Beyond a bound messages are taken off after all, so that one sender's cannot fill the mailbox or
//! use up what may be outstanding; nothing is lost, because a sender resends until it has the signed answer.

use super::incoming::Sender;
use lienthong_core::ids::AgencyId;
use lienthong_link::Ack;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Messages of one sender left in one mailbox: half of what a sender has per lane.
const PER_SENDER: usize = 2_048;
/// Messages left in one mailbox: below the 10,000 that may be outstanding at the courier.
const PER_MAILBOX: usize = 6_000;

/// When what found no room to wait comes again: what waits before it is done by then.
pub(crate) const SOON: Duration = Duration::from_secs(3);
/// When what finds no room on the disk comes again: often enough to be noticed when there is room.
pub(crate) const LATER: Duration = Duration::from_secs(10);

/// What was left lately, by mailbox and sender.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    mailboxes: Arc<Mutex<BTreeMap<AgencyId, Mailbox>>>,
    mailbox_bytes: u64,
}

#[derive(Debug, Default)]
struct Mailbox {
    /// By when they come again.
    messages: BTreeMap<(Instant, u64), (Sender, u64)>,
    count: u64,
    bytes: u64,
    senders: BTreeMap<Sender, (usize, u64)>,
}

impl Left {
    /// For mailboxes of this size.
    pub(crate) fn new(mailbox_bytes: u64) -> Self {
        Self { mailboxes: Arc::default(), mailbox_bytes }
    }

    /// Leaves a message at the courier, which brings it again after `pause`, or takes it off where too much is left
    /// already.
    pub(crate) fn leave(&self, to: &AgencyId, from: &Sender, bytes: u64, ack: Ack, pause: Duration) {
        let now = Instant::now();
        let mut mailboxes = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        let mailbox = mailboxes.entry(to.clone()).or_default();
        mailbox.forget(now);
        if mailbox.fits(from, bytes, self.mailbox_bytes) {
            mailbox.note(now + pause, from, bytes);
            ack.later(pause);
        } else {
            ack.discard();
        }
    }
}

impl Mailbox {
    fn fits(&self, from: &Sender, bytes: u64, mailbox_bytes: u64) -> bool {
        let (count, theirs) = self.senders.get(from).copied().unwrap_or_default();
        count < PER_SENDER
            && self.messages.len() < PER_MAILBOX
            && theirs + bytes <= mailbox_bytes / 8
            && self.bytes + bytes <= mailbox_bytes / 2
    }

    fn note(&mut self, again: Instant, from: &Sender, bytes: u64) {
        self.count += 1;
        self.messages.insert((again, self.count), (from.clone(), bytes));
        self.bytes += bytes;
        let theirs = self.senders.entry(from.clone()).or_default();
        *theirs = (theirs.0 + 1, theirs.1 + bytes);
    }

    /// What was to come again has come.
    fn forget(&mut self, now: Instant) {
        while let Some(first) = self.messages.first_entry()
            && first.key().0 <= now
        {
            let (from, bytes) = first.remove();
            self.bytes -= bytes;
            if let Some((count, theirs)) = self.senders.get_mut(&from) {
                (*count, *theirs) = (*count - 1, *theirs - bytes);
                if *count == 0 {
                    self.senders.remove(&from);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_has_its_part_of_a_mailbox_and_no_more() {
        let (now, mut mailbox) = (Instant::now(), Mailbox::default());
        let id = |n: usize| Some(AgencyId::parse(&format!("a{n}")).expect("an id"));
        let room = 64 << 20;
        let mut left = 0;
        while mailbox.fits(&id(1), 1 << 20, room) {
            mailbox.note(now + SOON, &id(1), 1 << 20);
            left += 1;
        }
        assert_eq!(left, 8, "an eighth in bytes");
        assert!(mailbox.fits(&id(2), 1 << 20, room), "another has its own");
        for sender in 2..20 {
            while mailbox.fits(&id(sender), 1 << 20, room) {
                mailbox.note(now + LATER, &id(sender), 1 << 20);
            }
        }
        assert_eq!(mailbox.bytes, 32 << 20, "half of it altogether");
        mailbox.forget(now + SOON);
        assert_eq!((mailbox.bytes, mailbox.senders.contains_key(&id(1))), (24 << 20, false));
        mailbox.forget(now + LATER);
        assert!(mailbox.bytes == 0 && mailbox.senders.is_empty() && mailbox.messages.is_empty());
        while mailbox.fits(&id(1), 10, room) {
            mailbox.note(now, &id(1), 10);
        }
        assert_eq!(mailbox.messages.len(), PER_SENDER, "small ones are bounded by their number");
    }
}
