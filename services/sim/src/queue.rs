//! What is going to happen, in order of virtual time; at the same time in the order in which it was foreseen.

use crate::nats::Message;
use lienthong_core::custody::command::Command;
use lienthong_core::delivery::courier::Trouble;
use std::collections::BTreeMap;

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody turns to a dossier.
    Visit(usize),
    /// Somebody asks an agency: which dossier it is about, and how it is counted.
    Ask(usize, usize, Box<Command>, &'static str),
    /// An agency's timer.
    Timer(usize),
    /// A disk is done with a commit of this life.
    Synced(usize, u64),
    /// A message reaches the courier.
    Publish(Message),
    /// The courier says to an agency that a message to that other one was not taken.
    Troubled(usize, usize, Trouble),
    /// An agency looks into its mailbox.
    Poll(usize),
    /// An agency makes its mailbox anew.
    Repair(usize),
    /// A node of this life starts again.
    Start(usize, u64),
    /// Something goes wrong.
    Strike(Side),
    /// An agency is gone for good.
    Die(usize),
    /// The act that retires it is brought to somebody.
    Retire,
}

/// What can go wrong by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A line.
    Net,
    /// The courier.
    Nats,
    /// A process.
    Process,
    /// A wall clock. It is not counted as a step: runs with other clocks have the same steps.
    Clock,
    /// A disk, at rest.
    Disk,
    /// A copy of a disk.
    Copy,
}

impl Side {
    /// Every side.
    pub const ALL: [Side; 6] = [Side::Net, Side::Nats, Side::Process, Side::Clock, Side::Disk, Side::Copy];
}

/// Events to come.
#[derive(Debug, Default)]
pub struct Queue {
    events: BTreeMap<(u64, u64), Event>,
    next: u64,
}

impl Queue {
    /// Foresees an event.
    pub fn push(&mut self, at: u64, event: Event) {
        self.events.insert((at, self.next), event);
        self.next += 1;
    }

    /// Whether nothing is foreseen but timers, and people and faults, who rest when it is calm.
    pub fn has_only_timers(&self) -> bool {
        self.events.values().all(|event| {
            matches!(event, Event::Timer(_) | Event::Visit(_) | Event::Ask(..) | Event::Strike(_))
        })
    }

    /// The next event and its time.
    pub fn pop(&mut self) -> Option<(u64, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}
