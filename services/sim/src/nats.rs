//! The courier: mailboxes as JetStream keeps them, in a store that may be wiped, put back from an old copy, or refuse.
//!
//! A message is kept until it is acknowledged and comes again while it is not. Nothing here is a promise (level L0).

use crate::random::Stream;
use bytes::Bytes;
use lienthong_core::delivery::courier::Trouble;
use lienthong_core::node::Lane;
use std::collections::BTreeMap;

/// Messages of one sender in one mailbox: the per-subject cap, small, so that it is met.
const PER_SENDER: usize = 40;
/// A delivery without acknowledgement comes again after this, as the real link has it.
pub const ACK_WAIT_MS: u64 = 30_000;

/// What is sent: from whom, to whom, and a pack.
#[derive(Clone, Debug)]
pub struct Message {
    /// Sender's number; NATS permissions pin it.
    pub from: usize,
    /// Receiver's number.
    pub to: usize,
    /// Lane.
    pub lane: Lane,
    /// An encoded pack.
    pub pack: Bytes,
}

#[derive(Clone, Debug)]
struct Stored {
    message: Message,
    /// When it may be delivered (again).
    ready: u64,
    deliveries: u32,
}

#[derive(Clone, Debug, Default)]
struct Mailbox {
    exists: bool,
    refuses_until: u64,
    messages: BTreeMap<u64, Stored>,
    next: u64,
}

/// The store of the courier.
#[derive(Clone, Debug)]
pub struct Nats {
    boxes: Vec<Mailbox>,
    saved: Option<Vec<Mailbox>>,
}

/// A message on its way out of a mailbox.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Names it in its acknowledgement.
    pub id: u64,
    /// What it is.
    pub message: Message,
    /// Whether it was delivered before.
    pub again: Again,
}

/// Whether something happens for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The first time.
    First,
    /// Not the first time.
    Repeated,
}

impl Nats {
    /// A courier without mailboxes.
    pub fn new(agencies: usize) -> Self {
        Self { boxes: vec![Mailbox::default(); agencies], saved: None }
    }

    /// An agency makes or repairs its mailbox.
    pub fn open(&mut self, agency: usize) {
        self.boxes[agency].exists = true;
    }

    /// Whether an agency has a mailbox.
    pub fn has(&self, agency: usize) -> bool {
        self.boxes[agency].exists
    }

    /// Takes a message, or says why not.
    pub fn publish(&mut self, now: u64, message: Message) -> Result<(), Trouble> {
        let mailbox = &mut self.boxes[message.to];
        if !mailbox.exists {
            return Err(Trouble::NoMailbox);
        }
        let of_sender = mailbox.messages.values().filter(|m| m.message.from == message.from).count();
        if now < mailbox.refuses_until || of_sender >= PER_SENDER {
            return Err(Trouble::MailboxFull);
        }
        let id = mailbox.next;
        mailbox.next += 1;
        mailbox.messages.insert(id, Stored { message, ready: now, deliveries: 0 });
        Ok(())
    }

    /// Gives up to `most` messages that are due, in their order or in any.
    pub fn take(&mut self, now: u64, agency: usize, most: usize, order: Option<&mut Stream>) -> Vec<Taken> {
        let mailbox = &mut self.boxes[agency];
        let mut due: Vec<u64> =
            mailbox.messages.iter().filter(|(_, m)| m.ready <= now).map(|(id, _)| *id).collect();
        if let Some(stream) = order {
            for last in (1..due.len()).rev() {
                due.swap(last, stream.below(last as u64 + 1) as usize);
            }
        }
        due.truncate(most);
        let taken = due.into_iter().filter_map(|id| {
            let stored = mailbox.messages.get_mut(&id)?;
            let again = if stored.deliveries == 0 { Again::First } else { Again::Repeated };
            (stored.ready, stored.deliveries) = (now + ACK_WAIT_MS, stored.deliveries + 1);
            Some(Taken { id, message: stored.message.clone(), again })
        });
        taken.collect()
    }

    /// When a mailbox has something to deliver next.
    pub fn next(&self, agency: usize) -> Option<u64> {
        self.boxes[agency].messages.values().map(|m| m.ready).min()
    }

    /// The receiver has it.
    pub fn ack(&mut self, agency: usize, id: u64) {
        self.boxes[agency].messages.remove(&id);
    }

    /// The store is deleted: mailboxes and all.
    pub fn wipe(&mut self) {
        self.boxes.fill(Mailbox::default());
    }

    /// A copy of the store is put aside.
    pub fn save(&mut self) {
        self.saved = Some(self.boxes.clone());
    }

    /// The copy is put back: what was acknowledged since comes again, what came since is gone. `false` without a copy.
    pub fn resurrect(&mut self) -> bool {
        let Some(saved) = self.saved.take() else { return false };
        self.boxes = saved;
        true
    }

    /// A mailbox takes nothing until then.
    pub fn refuse(&mut self, agency: usize, until: u64) {
        self.boxes[agency].refuses_until = until;
    }

    /// Every mailbox takes messages again.
    pub fn heal(&mut self) {
        self.boxes.iter_mut().for_each(|b| b.refuses_until = 0);
    }

    /// I15: whether every mailbox is within its caps.
    pub fn is_bounded(&self) -> bool {
        self.boxes.iter().all(|b| b.messages.len() <= PER_SENDER * self.boxes.len())
    }
}
