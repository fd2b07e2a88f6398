//! What was decided together and becomes durable together, and what may be told then.

use super::events::{Level, Release, TransferKey, Waiter};
use super::news::News;
use lienthong_core::ids::{AgencyId, Incarnation, LedgerIndex};
use lienthong_core::record::Record;
use lienthong_link::Ack;
use lienthong_store::queues::Change;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// Work of one group that waits for its commit.
#[derive(Default)]
pub(crate) struct Group {
    /// Replies to callers.
    pub(crate) replies: Vec<Release>,
    /// Messages that may be taken off the courier.
    pub(crate) acks: Vec<Ack>,
    /// Inputs taken.
    pub(crate) inputs: usize,
    /// Somebody waits for it.
    pub(crate) is_awaited: bool,
    /// When the first came that nobody waits for.
    pub(crate) since: Option<Instant>,
}

/// Bytes of one group's records. The last input adds to it: a message of 768 KiB can become 3.3 MiB of records, for small
/// statements each with a frame and a proof. Together they fit the commit of the smallest segment a node is given (8 MiB).
pub(crate) const GROUP_BYTES: usize = 512 << 10;
/// Inputs of one group: what a commit of a millisecond can carry without making the first wait for the last.
pub(crate) const GROUP_INPUTS: usize = 1_024;

/// So long a group that nobody waits for stays open. A receipt only frees a row and a place in the window; with a commit of its
/// own the next offer, which mostly comes a moment later, would wait for the disk twice.
pub(crate) const UNAWAITED: Duration = Duration::from_millis(2);

/// How often others on the loop's threads and the processors have their turn before a group is closed that is smaller than
/// the last ones were. Callers move in step, and who comes a moment after a commit began waits for it and for the next:
/// measured with 64 under way, a tenth more a second. More turns brought no more.
pub(crate) const TURNS_FOR_MORE: usize = 6;

/// Inputs of groups below which nobody is waited for: callers who come one after the other.
const FEW: usize = 4;

/// How many inputs the last groups had: an average, the half of it of the very last.
#[derive(Debug, Default)]
pub(crate) struct Usual(usize);

impl Usual {
    /// A group was closed with so many.
    pub(crate) fn follow(&mut self, inputs: usize) {
        self.0 = (self.0 + inputs) / 2;
    }

    /// Whether so many are few beside it: more are likely on their way.
    pub(crate) fn is_above(&self, inputs: usize) -> bool {
        self.0 >= FEW && inputs > 0 && inputs * 5 < self.0 * 4
    }
}

impl Group {
    /// Until when it may stay open for what else comes; none when somebody waits for it, or nothing is in it.
    pub(crate) fn open_until(&self) -> Option<Instant> {
        self.since.filter(|_| !self.is_awaited).map(|since| since + UNAWAITED)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.acks.is_empty()
    }

    /// Everything in it is durable: tell.
    pub(crate) fn release(self) {
        self.replies.into_iter().for_each(|reply| reply());
        self.acks.into_iter().for_each(Ack::ack);
    }
}

/// A group whose records are on their way to the disk.
pub(crate) struct Committing {
    pub(crate) group: Group,
    /// Rows it leads to.
    pub(crate) rows: Vec<Change>,
    /// What is news for officers.
    pub(crate) news: Vec<(AgencyId, Vec<News>)>,
    /// Transfers that reached a level.
    pub(crate) reached: Vec<(TransferKey, Level)>,
    /// The states as of this commit, when a snapshot is due.
    pub(crate) frozen: Option<Vec<lienthong_core::custody::state::State>>,
}

/// Records of one agency in a commit, in order from `first` on.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) agency: AgencyId,
    pub(crate) incarnation: Incarnation,
    pub(crate) first: LedgerIndex,
    pub(crate) records: Vec<Record>,
}

/// Callers who wait for a level of a transfer.
#[derive(Default)]
pub(crate) struct Waiters(HashMap<TransferKey, VecDeque<Waiter>>);

impl Waiters {
    pub(crate) fn add(&mut self, key: TransferKey, waiter: Waiter) {
        self.0.entry(key).or_default().push_back(waiter);
    }

    /// Tells those whose level is reached, and forgets those who went away.
    pub(crate) fn reached(&mut self, key: &TransferKey, level: Level) {
        let Some(waiting) = self.0.remove(key) else { return };
        let mut left = VecDeque::new();
        for waiter in waiting {
            if waiter.level <= level {
                let _ = waiter.reached.send(level);
            } else if !waiter.reached.is_closed() {
                left.push_back(waiter);
            }
        }
        if !left.is_empty() {
            self.0.insert(key.clone(), left);
        }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets callers who stopped waiting.
    pub(crate) fn prune(&mut self) {
        self.0.retain(|_, waiting| {
            waiting.retain(|w| !w.reached.is_closed());
            !waiting.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_group_that_nobody_waits_for_stays_open_and_not_for_long() {
        let mut group = Group::default();
        assert_eq!(group.open_until(), None, "nothing is in it");
        let since = Instant::now();
        group.since = Some(since);
        assert_eq!(group.open_until(), Some(since + UNAWAITED));
        group.is_awaited = true;
        assert_eq!(group.open_until(), None);
    }

    #[test]
    fn more_are_expected_only_behind_larger_groups() {
        let mut usual = Usual::default();
        assert!(!usual.is_above(1), "nothing is known");
        (0..9).for_each(|_| usual.follow(1));
        assert!(!usual.is_above(1), "one caller after the other");
        (0..9).for_each(|_| usual.follow(40));
        assert!(usual.is_above(1) && usual.is_above(30) && !usual.is_above(32) && !usual.is_above(0));
        (0..9).for_each(|_| usual.follow(1));
        assert!(!usual.is_above(1), "they went away");
    }
}
