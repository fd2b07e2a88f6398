//! A small world for tests: real nodes, ledgers in memory, a network that does as it is told, and clocks that lie.
//!
//! Nothing here decides. The world only persists, carries, loses, repeats and restarts.
#![allow(dead_code, unreachable_pub)] // each test binary uses its part

pub mod codec;
pub mod gone;
pub mod mirror;
pub mod network;
pub mod people;
pub mod truth;
pub mod words;

use codec::Plain;
use lienthong_core::delivery::courier::Timing;
use lienthong_core::directory::{Agency, Directory, Pattern, Rule};
use lienthong_core::durable::Durable;
use lienthong_core::ids::{AgencyId, Head, Instant, Sid, Tid, WallMs};
use lienthong_core::node::{Answer, Input, Node, Now};
use lienthong_core::record::{Origin, Record};
use lienthong_core::statement::{Body, Statement};
use lienthong_core::{custody::state::State, reason::Reason};
use mirror::Mirror;
use network::{Letter, Mailbox};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What went wrong, in words; the caller adds where.
pub type Fault = String;

/// First resend after a second, at most a minute apart, and a window so small that rows wait for it.
pub const TIMING: Timing = Timing { resend_first_ms: 1_000, resend_max_ms: 60_000, window: 3 };

/// 2024-01-15 08:00 in Viet Nam.
const MORNING: i64 = 1_705_280_400_000;

/// Agencies, the network between them, and what was ever decided.
pub struct World {
    pub places: BTreeMap<AgencyId, Place>,
    pub letters: Vec<Letter>,
    /// Numbers of letters on their way, oldest first.
    pub pending: Vec<usize>,
    pub mono: u64,
    /// Every decision that became durable, by its maker.
    pub decided: BTreeMap<(AgencyId, Tid), Sid>,
    /// Commits so far, of all processes.
    pub commits: u64,
    /// Crash at these commits.
    pub crash_at: BTreeMap<u64, Crash>,
    /// Whether the planned crash happened since somebody last looked.
    pub crashed: bool,
    pub calls: u64,
    /// Each start draws something of its own.
    pub starts: u128,
}

/// Where a planned crash strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The batch is lost.
    BeforeDurable,
    /// The batch is durable and nothing of it was sent.
    BeforeSpeaking,
}

/// An agency's node and its disk.
pub struct Place {
    pub id: AgencyId,
    /// None while it is not started.
    pub node: Option<Node<Plain>>,
    /// What it knew when it died.
    pub buried: Option<State>,
    pub directory: Arc<Directory>,
    pub ledger: Vec<Record>,
    pub head: Head,
    /// Batches taken and not durable.
    pub flights: VecDeque<Vec<Record>>,
    /// What the queues were told.
    pub mirror: Mirror,
    pub mailbox: Mailbox,
    /// Added to the true time.
    pub clock_ms: i64,
    /// Agencies of one process share commits.
    pub process: usize,
    /// The disk is slow: batches are taken and wait.
    pub stalled: bool,
}

/// A directory in which everybody may hand to everybody, with some pairs taken out.
pub fn directory(names: &[&str], epoch: u64, allowed: impl Fn(&str, &str) -> bool) -> Arc<Directory> {
    let agency =
        |(n, name): (usize, &&str)| (id(name), Agency { level: "commune".into(), code: format!("H51.{n}") });
    let mut rules = Vec::new();
    for from in names {
        for to in names.iter().filter(|to| *to != from && allowed(from, to)) {
            let (from, to) = (Pattern::Agency(id(from)), Pattern::Agency(id(to)));
            rules.push(Rule { from, to, procedures: Vec::new() });
        }
    }
    Arc::new(Directory { epoch, agencies: names.iter().enumerate().map(agency).collect(), rules })
}

/// An agency's id.
pub fn id(name: &str) -> AgencyId {
    AgencyId::parse(&name.to_lowercase()).unwrap_or_else(|| panic!("{name} is no agency id"))
}

impl World {
    /// Started agencies that may all hand to each other.
    pub fn new(names: &[&str]) -> Self {
        let mut world = Self {
            places: BTreeMap::new(),
            letters: Vec::new(),
            pending: Vec::new(),
            mono: 0,
            decided: BTreeMap::new(),
            commits: 0,
            crash_at: BTreeMap::new(),
            crashed: false,
            calls: 0,
            starts: 0,
        };
        let directory = directory(names, 1, |_, _| true);
        for (process, name) in names.iter().enumerate() {
            world.place(name, process, directory.clone());
        }
        names.iter().for_each(|name| world.start(&id(name)).expect("an empty node starts"));
        world
    }

    fn place(&mut self, name: &str, process: usize, directory: Arc<Directory>) {
        let place = Place {
            id: id(name),
            node: None,
            buried: None,
            directory,
            ledger: Vec::new(),
            head: Head::EMPTY,
            flights: VecDeque::new(),
            mirror: Mirror::default(),
            mailbox: Mailbox::Open,
            clock_ms: 0,
            process,
            stalled: false,
        };
        self.places.insert(id(name), place);
    }

    /// Both clocks of an agency.
    pub fn now(&self, id: &AgencyId) -> Now {
        let wall = MORNING + self.mono as i64 + self.places[id].clock_ms;
        Now { mono: Instant(self.mono), wall: WallMs(wall) }
    }

    /// Starts an agency from its ledger.
    pub fn start(&mut self, id: &AgencyId) -> Result<(), Fault> {
        let now = self.now(id);
        self.starts += 1;
        let nonce = self.starts.to_be_bytes();
        let place = self.at_mut(id);
        let (me, directory) = (place.id.clone(), place.directory.clone());
        place.flights.clear();
        place.mailbox = Mailbox::Open;
        let node = if place.ledger.is_empty() {
            Node::open(me, Plain, directory, TIMING, now)
        } else {
            let seat = (Plain, directory, TIMING);
            Node::recover(State::new(me), place.ledger.iter().cloned(), place.head, seat, now)
        };
        place.mirror = Mirror::of(node.state());
        place.node = Some(node.with_nonce(nonce));
        let process = place.process;
        self.pump(process)
    }

    /// A power cut of a process: what is not durable is gone.
    pub fn crash(&mut self, process: usize) -> Result<(), Fault> {
        let hosted = self.hosted(process);
        for id in &hosted {
            let place = self.at_mut(id);
            (place.node, place.stalled) = (None, false);
        }
        hosted.iter().try_for_each(|id| self.start(id))
    }

    pub fn hosted(&self, process: usize) -> Vec<AgencyId> {
        self.places.values().filter(|p| p.process == process).map(|p| p.id.clone()).collect()
    }

    pub fn at(&self, id: &AgencyId) -> &Place {
        &self.places[id]
    }

    pub fn limit_quarantine(&mut self, id: &AgencyId, per_peer: usize) {
        let place = self.at_mut(id);
        place.node = place.node.take().map(|node| node.with_quarantine_of(per_peer));
    }

    pub fn at_mut(&mut self, id: &AgencyId) -> &mut Place {
        self.places.get_mut(id).unwrap_or_else(|| panic!("{id} is not in this world"))
    }

    pub fn state(&self, id: &AgencyId) -> &State {
        self.at(id).node.as_ref().unwrap_or_else(|| panic!("{id} is not started")).state()
    }

    /// Hands one input to a node, and sees to it that a rejection changes nothing.
    pub fn step(&mut self, id: &AgencyId, input: Input) -> Result<Result<Answer, Reason>, Fault> {
        let now = self.now(id);
        let place = self.at_mut(id);
        let node = place.node.as_mut().ok_or("the node is not started")?;
        let before = node.state().clone();
        let answer = node.step(now, input);
        if answer.is_err() && *node.state() != before {
            return Err(format!("{id}: a rejected input changed the state"));
        }
        let process = place.process;
        self.pump(process)?;
        Ok(answer)
    }

    /// Takes batches, makes them durable and sends what they let out, unless the disk is slow.
    pub fn pump(&mut self, process: usize) -> Result<(), Fault> {
        loop {
            let mut any = false;
            for id in self.hosted(process) {
                let now = self.now(&id);
                let place = self.at_mut(&id);
                let Some(node) = place.node.as_mut() else { continue };
                let Some(batch) = node.batch(now) else { continue };
                place.mirror.follow(&batch, node.state())?;
                let waiting: usize = place.flights.iter().map(Vec::len).sum();
                if batch.first.0 != (place.ledger.len() + waiting) as u64 {
                    return Err(format!("{id}: a batch does not follow the one before"));
                }
                place.flights.push_back(batch.records);
                any = true;
            }
            if !any || self.hosted(process).iter().any(|id| self.at(id).stalled) {
                return Ok(());
            }
            self.commit(process)?;
        }
    }

    /// Makes the oldest batch of each agency of a process durable, in one commit.
    pub fn commit(&mut self, process: usize) -> Result<(), Fault> {
        self.commits += 1;
        let crash = self.crash_at.get(&self.commits).copied();
        if crash.is_some() {
            self.crashed = true;
        }
        if crash == Some(Crash::BeforeDurable) {
            return self.crash(process);
        }
        let mut touched = Vec::new();
        for id in self.hosted(process) {
            let Some(records) = self.at_mut(&id).flights.pop_front() else { continue };
            for record in records {
                self.keep(&id, record)?;
            }
            touched.push(id);
        }
        if crash == Some(Crash::BeforeSpeaking) {
            return self.crash(process);
        }
        let durable = Durable::attest(touched.iter().map(|id| (id.clone(), self.at(id).head)).collect());
        for id in touched {
            let now = self.now(&id);
            let node = self.at_mut(&id).node.as_mut().ok_or("the node is not started")?;
            let dispatches = node.advance(now, &durable);
            self.post(&id, dispatches)?;
        }
        Ok(())
    }

    /// The slow disk of an agency catches up.
    pub fn catch_up(&mut self, id: &AgencyId) -> Result<(), Fault> {
        let place = self.at_mut(id);
        place.stalled = false;
        let process = place.process;
        while self.hosted(process).iter().any(|id| !self.at(id).flights.is_empty()) {
            self.commit(process)?;
        }
        self.pump(process)
    }

    fn keep(&mut self, id: &AgencyId, mut record: Record) -> Result<(), Fault> {
        if let Record::Statement(kept) = &mut record
            && kept.origin == Origin::Made
        {
            let mut signed = Statement::clone(&kept.statement);
            signed.sealed.proof = Arc::from(*b"signed");
            if let Body::Accept(_) | Body::Refuse(_) = &signed.body
                && let Some(tid) = signed.body.prev()
                && self.decided.insert((id.clone(), tid), signed.sid()).is_some()
            {
                return Err(format!("I4: {id} decided {tid:?} twice"));
            }
            kept.statement = Arc::new(signed);
        }
        let place = self.at_mut(id);
        place.head = codec::extend(place.head, &record);
        place.ledger.push(record);
        Ok(())
    }
}
