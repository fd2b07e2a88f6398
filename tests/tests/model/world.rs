//! The state of everything, and every step it can take.

use super::disk::{Disk, Phase, insert};
use super::properties;
use super::receive::receive;
use super::recovery;
use super::rules::{AfterWipe, Receipts, Rule, Rules};
use super::words::{Id, Kind, Letter, Message, NODES, Tid};
use stateright::{Model, Property};
use std::fmt;

/// A recovery that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Recovery {
    /// The new incarnation.
    pub(crate) inc: u8,
    /// Peers that have fenced the old one, as bits.
    pub(crate) fenced: u8,
}

/// A node: its disk, and whether it is recovering.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// What it has durably. Every step is one durable write; speaking before writing is the simulator's subject.
    pub(crate) disk: Disk,
    /// Recovering: it answers nothing and offers nothing (R1).
    pub(crate) recovery: Option<Recovery>,
    /// An old copy that may be put back.
    pub(crate) copy: Option<Disk>,
}

/// The world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// The nodes.
    pub(crate) nodes: Vec<Node>,
    /// Every letter that was sent since the last wipe, sorted. Any may be delivered, again and again, or never.
    pub(crate) net: Vec<Letter>,
    /// Copies still to be taken.
    pub(crate) copies: u8,
    /// Restores still to come.
    pub(crate) restores: u8,
    /// Wipes still to come.
    pub(crate) wipes: u8,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The custodian offers the track.
    Offer(Id, Id),
    /// The giver asks for it back.
    Recall(Id),
    /// An officer decides what is in the inbox.
    Decide(Id, Kind),
    /// A letter arrives.
    Deliver(Letter),
    /// The rows of a node's outbox are sent again.
    Resend(Id),
    /// NATS loses everything.
    Wipe,
    /// The disk of a node is copied.
    Copy(Id),
    /// The copy is put back.
    Restore(Id),
    /// The second fences the old incarnation of the first.
    Fence(Id, Id),
    /// A recovering node resumes.
    Finish(Id),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offer(n, to) => write!(f, "{n} offers to {to}"),
            Self::Recall(n) => write!(f, "{n} recalls"),
            Self::Decide(n, kind) => write!(f, "{n} decides {kind:?}"),
            Self::Deliver(letter) => write!(f, "deliver {letter}"),
            Self::Resend(n) => write!(f, "{n} sends again"),
            Self::Wipe => write!(f, "NATS is wiped"),
            Self::Copy(n) => write!(f, "{n} is copied"),
            Self::Restore(n) => write!(f, "{n} is restored"),
            Self::Fence(n, at) => write!(f, "{n} is fenced at {at}"),
            Self::Finish(n) => write!(f, "{n} resumes"),
        }
    }
}

impl World {
    /// Node 0 holds the track, nothing is under way.
    pub(crate) fn new(rules: &Rules) -> Self {
        let node = |n| Node { disk: Disk::new(n), recovery: None, copy: None };
        let Rules { restores, wipes, .. } = *rules;
        Self { nodes: (0..NODES).map(node).collect(), net: vec![], copies: restores, restores, wipes }
    }

    /// The nodes that take part.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Disk> {
        self.nodes.iter().filter(|n| n.recovery.is_none()).map(|n| &n.disk)
    }

    /// Takes a step.
    pub(crate) fn take(&mut self, action: &Action, rules: &Rules) {
        match action {
            Action::Offer(n, to) => self.write(*n, rules, |disk| {
                let tid = Tid { hop: disk.hop() + 1, from: *n, to: *to, place: disk.next_place() };
                disk.make(Kind::Offer, tid);
            }),
            Action::Recall(n) => self.write(*n, rules, |disk| {
                if let Phase::Offered(tid) = disk.phase(rules) {
                    disk.make(Kind::Cancel, tid);
                }
            }),
            Action::Decide(n, kind) => self.write(*n, rules, |disk| {
                if let Phase::Inbox(tid) = disk.phase(rules) {
                    disk.make(*kind, tid);
                }
            }),
            Action::Deliver(letter) => {
                let answers = receive(&mut self.nodes[letter.to as usize].disk, letter, rules);
                self.send(answers, rules);
            }
            Action::Resend(n) => self.resend(*n, rules),
            Action::Wipe => {
                self.wipes -= 1;
                self.net.clear();
            }
            Action::Copy(n) => {
                self.copies -= 1;
                let node = &mut self.nodes[*n as usize];
                node.copy = Some(node.disk.clone());
            }
            Action::Restore(n) => self.restore(*n, rules),
            Action::Fence(n, at) => recovery::fence(&mut self.nodes, *n, *at, rules),
            Action::Finish(n) => {
                recovery::finish(&mut self.nodes, *n, rules);
                self.resend(*n, rules);
            }
        }
        self.drop_the_dead();
    }

    /// With no restore to come fences only rise, so a letter that one stops is never taken: states that differ only
    /// in such letters are one.
    fn drop_the_dead(&mut self) {
        if self.restores == 0 {
            let Self { nodes, net, .. } = self;
            net.retain(|l| l.inc >= nodes[l.to as usize].disk.fences[l.from as usize]);
        }
    }

    fn restore(&mut self, n: Id, rules: &Rules) {
        self.restores -= 1;
        if let Some(old) = self.nodes[n as usize].copy.clone() {
            recovery::restore(&mut self.nodes, n, old, rules);
        }
        if self.restores == 0 {
            // A copy nobody will put back changes nothing: states that differ only in it are one.
            self.copies = 0;
            self.nodes.iter_mut().for_each(|node| node.copy = None);
        }
    }

    /// A durable write, after which its new rows may leave.
    fn write(&mut self, n: Id, rules: &Rules, change: impl FnOnce(&mut Disk)) {
        let disk = &mut self.nodes[n as usize].disk;
        let before = disk.rows(rules);
        change(disk);
        let new: Vec<Letter> = disk.rows(rules).into_iter().filter(|row| !before.contains(row)).collect();
        self.send(new, rules);
    }

    fn resend(&mut self, n: Id, rules: &Rules) {
        if rules.holds(Rule::RowUntilAnswered) {
            let rows = self.nodes[n as usize].disk.rows(rules);
            self.send(rows, rules);
        }
    }

    fn send(&mut self, letters: Vec<Letter>, rules: &Rules) {
        let receipt = |l: &Letter| matches!(l.message, Message::Received(_) | Message::Ack(_));
        let letters = letters.into_iter();
        letters
            .filter(|l| rules.receipts == Receipts::Delivered || !receipt(l))
            .for_each(|letter| insert(&mut self.net, letter));
    }

    /// What a node may do by itself.
    fn acts(&self, disk: &Disk, rules: &Rules, actions: &mut Vec<Action>) {
        let n = disk.me;
        match disk.phase(rules) {
            Phase::Held if disk.hop() < rules.hops && disk.proven(rules) => {
                actions.extend((0..NODES).filter(|to| *to != n).map(|to| Action::Offer(n, to)));
            }
            Phase::Offered(tid) if !disk.made(Kind::Cancel, tid) => actions.push(Action::Recall(n)),
            Phase::Inbox(_) => {
                actions.extend([Kind::Accept, Kind::Refuse].map(|kind| Action::Decide(n, kind)));
            }
            Phase::None | Phase::Held | Phase::Offered(_) | Phase::Gone | Phase::Out => {}
        }
        if rules.wipes > self.wipes {
            actions.push(Action::Resend(n));
        }
    }

    fn faults(&self, actions: &mut Vec<Action>) {
        if self.wipes > 0 {
            actions.push(Action::Wipe);
        }
        for (n, node) in (0..).zip(&self.nodes) {
            // A second copy before the first was put back would only take its place.
            let due = node.copy.as_ref().is_none_or(|copy| copy.inc < node.disk.inc);
            if node.recovery.is_none() && due && self.copies > 0 {
                actions.push(Action::Copy(n));
            }
            if node.copy.is_some() && self.restores > 0 {
                actions.push(Action::Restore(n));
            }
        }
    }

    /// Every step of a recovery that can be taken.
    pub(crate) fn recoveries(&self, rules: &Rules, actions: &mut Vec<Action>) {
        for (n, node) in (0..).zip(&self.nodes) {
            let Some(recovery) = &node.recovery else { continue };
            let missing = (0..NODES).filter(|p| *p != n && recovery.fenced & 1 << p == 0);
            actions.extend(missing.map(|p| Action::Fence(n, p)));
            if recovery::may_finish(&self.nodes, n, rules) {
                actions.push(Action::Finish(n));
            }
        }
    }
}

impl Model for Rules {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if self.after_wipe == AfterWipe::Rests && world.wipes < self.wipes {
            return;
        }
        world.live().for_each(|disk| world.acts(disk, self, actions));
        let awake = |l: &&Letter| world.nodes[l.to as usize].recovery.is_none();
        actions.extend(world.net.iter().filter(awake).cloned().map(Action::Deliver));
        world.recoveries(self, actions);
        world.faults(actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.take(&action, self);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
