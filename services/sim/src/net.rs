//! The lines between the nodes and the courier: they lose, repeat, delay and reorder, and can be cut in one direction.

use crate::nats::Message;
use crate::random::Stream;
use std::collections::VecDeque;

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
/// Messages of the past that may come again days later.
const OLD: usize = 256;

/// One node's line.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    out_cut_until: u64,
    in_cut_until: u64,
    slow_until: u64,
}

/// All lines.
#[derive(Debug)]
pub struct Net {
    lines: Vec<Line>,
    old: VecDeque<Message>,
    stream: Stream,
    /// Whether faults are over.
    sound: bool,
}

/// What the net does with a message on its way to the courier: copies arrive after these times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// One for each copy, in milliseconds.
    pub after: Vec<u64>,
    /// What happened, where it is a fault.
    pub faults: Vec<&'static str>,
}

impl Net {
    /// Lines of so many nodes.
    pub fn new(nodes: usize, stream: Stream) -> Self {
        Self { lines: vec![Line::default(); nodes], old: VecDeque::new(), stream, sound: false }
    }

    /// Faults are over.
    pub fn heal(&mut self) {
        self.sound = true;
        self.lines.fill(Line::default());
    }

    /// Whether a node reaches the courier.
    pub fn goes_out(&self, now: u64, node: usize) -> bool {
        self.lines[node].out_cut_until <= now
    }

    /// When the courier reaches a node, if not now.
    pub fn comes_in_at(&self, now: u64, node: usize) -> u64 {
        self.lines[node].in_cut_until.max(now)
    }

    /// How long something takes on a node's line.
    pub fn delay(&mut self, now: u64, node: usize) -> u64 {
        if self.sound {
            return 5;
        }
        let slow = self.lines[node].slow_until > now;
        let most = if slow || self.stream.chance(20) { MINUTE } else { 400 };
        self.stream.magnitude(2, most)
    }

    /// A message leaves a node whose line is whole.
    pub fn carry(&mut self, now: u64, message: &Message) -> Passage {
        let mut passage = Passage::default();
        let first = self.delay(now, message.from);
        if self.sound {
            passage.after.push(first);
            return passage;
        }
        if self.old.len() == OLD {
            self.old.pop_front();
        }
        self.old.push_back(message.clone());
        match self.stream.below(1_000) {
            0..40 => passage.faults.push("message dropped"),
            40..70 => {
                passage.after.extend([first, first + self.stream.magnitude(1, 5 * MINUTE)]);
                passage.faults.push("message duplicated");
            }
            70..75 => {
                passage.after.extend([first, self.stream.between(DAY, 9 * DAY)]);
                passage.faults.push("message duplicated days later");
            }
            _ => passage.after.push(first),
        }
        if first > 5_000 && !passage.after.is_empty() {
            passage.faults.push("message delayed");
        }
        passage
    }

    /// Whether an acknowledgement to the courier is lost.
    pub fn loses_ack(&mut self) -> bool {
        !self.sound && self.stream.chance(20)
    }

    /// Whether a mailbox is emptied in any order this time, and by which numbers.
    pub fn reorder(&mut self) -> Option<&mut Stream> {
        (!self.sound && self.stream.chance(300)).then_some(&mut self.stream)
    }

    /// A message of the past comes again.
    pub fn echo(&mut self) -> Option<Message> {
        let number = self.stream.below(self.old.len() as u64) as usize;
        self.old.get(number).cloned()
    }

    /// Something happens to a line; what, and how long until the next strike.
    pub fn strike(&mut self, now: u64) -> (usize, &'static str) {
        let node = self.stream.below(self.lines.len() as u64) as usize;
        let until = now + self.stream.magnitude(5_000, 10 * MINUTE);
        let line = &mut self.lines[node];
        let what = match self.stream.below(5) {
            0 => {
                (line.out_cut_until, line.in_cut_until) = (until, until);
                "partition"
            }
            1 => {
                line.out_cut_until = until;
                "partition, outward only"
            }
            2 => {
                line.in_cut_until = until;
                "partition, inward only"
            }
            3 => {
                line.slow_until = until;
                "slow line"
            }
            _ => "old message comes again",
        };
        (node, what)
    }

    /// When the next strike comes.
    pub fn next_strike(&mut self) -> u64 {
        self.stream.magnitude(10_000, 8 * MINUTE)
    }
}
