//! The simulated province: agencies, the courier between them, people, and virtual time. One thread, one seed.

use crate::cast::Cast;
use crate::clock::{Clock, Clocks};
use crate::disk::Fate;
use crate::mutant::Mutant;
use crate::nats::Nats;
use crate::net::Net;
use crate::officer;
use crate::place::Place;
use crate::queue::{Event, Queue, Side};
use crate::random::{Concern, Stream};
use crate::tally::Tally;
use crate::trace::{Aloud, Trace};
use crate::truth::Truth;
use crate::violation::Sound;
use crate::workload::Dossier;
use lienthong_core::delivery::outbox::RowKey;
use lienthong_core::ids::{LedgerIndex, Sid, TrackId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a run is made.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Events before faults stop.
    pub steps: u64,
    /// Dossiers.
    pub dossiers: usize,
    /// Whether old copies are put back.
    pub copies: bool,
    /// Whether an agency is gone for good at some moment, and retired later.
    pub gone: bool,
    /// Whether clocks lie.
    pub clocks: Clocks,
    /// A rule left out.
    pub mutant: Mutant,
    /// Whether events are printed.
    pub aloud: Aloud,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            steps: 6_000,
            dossiers: 50,
            copies: true,
            gone: false,
            clocks: Clocks::Wild,
            mutant: Mutant::None,
            aloud: Aloud::No,
        }
    }
}

/// Whether things still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// They do.
    Rough,
    /// Faults have stopped, and people rest.
    Calm,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    pub(crate) seed: u64,
    pub(crate) config: Config,
    pub(crate) weather: Weather,
    pub(crate) now: u64,
    pub(crate) queue: Queue,
    pub(crate) cast: Cast,
    pub(crate) places: Vec<Place>,
    pub(crate) nats: Nats,
    pub(crate) net: Net,
    pub(crate) dossiers: Vec<Dossier>,
    pub(crate) truth: Truth,
    /// The agency that is gone for good.
    pub(crate) gone: Option<usize>,
    /// What callers were told: the effect of each command.
    pub(crate) told: BTreeMap<(usize, Arc<str>), (Sid, LedgerIndex)>,
    /// Statements that were acknowledged and then lost with a copy, by agency.
    pub(crate) owed: BTreeSet<(usize, Sid)>,
    /// Tracks of which something became durable since the last check.
    pub(crate) fresh: BTreeSet<TrackId>,
    /// Offers that were on their way when the courier lost its store.
    pub(crate) wiped: BTreeSet<Sid>,
    /// Rows that the courier took, for [`Mutant::FreeOnPubAck`].
    pub(crate) taken: BTreeSet<(usize, RowKey)>,
    pub(crate) polls: Vec<Option<u64>>,
    pub(crate) streams: Streams,
    /// Commits of records so far, and the one at which a crash is planned.
    pub(crate) commits: u64,
    pub(crate) planned: (u64, Fate),
    /// Counts.
    pub tally: Tally,
    /// The course.
    pub trace: Trace,
}

/// Streams that outlive an event.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) disks: Vec<Stream>,
    pub(crate) nats: Stream,
    pub(crate) process: Stream,
    pub(crate) clock: Stream,
    pub(crate) officer: Stream,
    pub(crate) check: Stream,
    pub(crate) copies: Stream,
    pub(crate) gone: Stream,
}

/// The k of "crash at the k-th commit" goes round below this; runs are longer.
const PLANNED: u64 = 600;

impl World {
    /// The world of a seed, before anything happened.
    pub fn new(seed: u64, config: Config) -> Self {
        let cast = Cast::of(seed);
        let nodes = cast.ids.len();
        let stream = |concern, number| Stream::new(seed, concern, number);
        let mut clock = stream(Concern::Clock, 0);
        let places: Vec<Place> =
            (0..nodes).map(|n| Place::new(n, &cast, Clock::found(config.clocks, &mut clock))).collect();
        let mut world = Self {
            seed,
            config,
            weather: Weather::Rough,
            now: 0,
            queue: Queue::default(),
            places,
            nats: Nats::new(nodes),
            net: Net::new(nodes, stream(Concern::Net, 0)),
            dossiers: vec![Dossier::default(); config.dossiers],
            truth: Truth::default(),
            gone: None,
            told: BTreeMap::new(),
            owed: BTreeSet::new(),
            fresh: BTreeSet::new(),
            wiped: BTreeSet::new(),
            taken: BTreeSet::new(),
            polls: vec![None; nodes],
            streams: Streams {
                disks: (0..nodes as u64).map(|n| stream(Concern::Disk, n)).collect(),
                nats: stream(Concern::Nats, 0),
                process: stream(Concern::Process, 0),
                clock,
                officer: stream(Concern::Officer, u64::MAX),
                check: stream(Concern::Check, 0),
                copies: stream(Concern::Copy, 0),
                gone: stream(Concern::Gone, 0),
            },
            commits: 0,
            planned: (1 + seed % PLANNED, Fate::CRASHES[(seed / PLANNED % 4) as usize]),
            cast,
            tally: Tally::default(),
            trace: Trace::new(config.aloud),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for n in 0..self.places.len() {
            // Some nodes are installed later: until then they have no mailbox.
            let late = self.streams.process.chance(250);
            let at = if late { self.streams.process.magnitude(60_000, 1_200_000) } else { 0 };
            self.queue.push(at, Event::Start(n, 0));
        }
        for dossier in 0..self.dossiers.len() {
            let mut stream = Stream::new(self.seed, Concern::Officer, dossier as u64);
            let at = officer::pause(&mut stream);
            self.queue.push(at, Event::Visit(dossier));
        }
        self.foresee_the_end();
        for side in Side::ALL {
            let at = self.next_strike(side);
            self.queue.push(at, Event::Strike(side));
        }
    }

    /// Lets everything happen: faults and people for the given steps, then quiet, then the last decisions.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn play(&mut self) -> Sound {
        let mut steps = 0;
        while steps < self.config.steps {
            let Some((at, event)) = self.queue.pop() else { break };
            self.now = at;
            steps += u64::from(!matches!(event, Event::Strike(Side::Clock)));
            self.happen(event)?;
        }
        self.tally.work("steps", steps);
        self.end()
    }

    /// One event, and the checks after it.
    pub(crate) fn happen(&mut self, event: Event) -> Sound {
        match event {
            Event::Visit(dossier) => self.visit(dossier),
            Event::Ask(agency, dossier, command, name) => self.ask(agency, dossier, *command, name),
            Event::Timer(n) => self.timer(n),
            Event::Synced(n, life) => self.synced(n, life),
            Event::Publish(message) => self.publish(message),
            Event::Troubled(n, to, trouble) => self.troubled(n, to, trouble),
            Event::Poll(n) => self.poll(n),
            Event::Repair(n) => self.repair(n),
            Event::Start(n, life) => self.start(n, life),
            Event::Strike(side) => self.strike(side),
            Event::Die(n) => self.die(n),
            Event::Retire => self.retire(),
        }
    }

    /// The name of an agency in the trace.
    pub(crate) fn name(&self, n: usize) -> &str {
        self.places[n].id.as_str()
    }

    /// The number of the dossier of a track.
    pub(crate) fn dossier_of(&self, track: &TrackId) -> Option<usize> {
        self.dossiers.iter().position(|d| d.track.as_ref() == Some(track))
    }
}
