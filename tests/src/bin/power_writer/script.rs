//! What a run does, step by step, out of a seed alone: the writer follows it and the judge knows what must be there.

use bytes::Bytes;
use lienthong_core::ids::{AgencyId, LedgerIndex};
use lienthong_store::NewRecord;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The largest content of a dossier.
const CONTENT_LIMIT: usize = 512 << 10;
/// The largest payload of a record.
const PAYLOAD_LIMIT: usize = 256 << 10;
/// A commit is closed when it has this much: with one more record it still fits into half of the smallest segment.
const COMMIT_BYTES: usize = 1 << 20;
/// Three ledgers in one log.
const AGENCIES: [&str; 3] = ["an-hiep", "my-tu", "so-tnmt"];
/// Bytes that all content is a part of: the judge needs no copy of it.
const POOL: usize = 2 << 20;
/// Values of plain sled stay below the size from which it puts them into files of their own.
const PLAIN_LIMIT: usize = 4000;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The ledger alone.
    Ledger,
    /// The ledger, the queues that follow it, and snapshots.
    Queues,
    /// sled and its `flush()`, nothing else: known to be wrong.
    Plain,
}

/// One thing done, and acknowledged when it is durable.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A commit; with queues, its rows too.
    Append(Vec<NewRecord>),
    /// The proof that the last commit was durable.
    Mark,
    /// The body of a record in an earlier commit is erased.
    Erase { commit: usize, record: usize },
    /// The queues are made durable.
    Flush,
    /// A snapshot under the number of the step.
    Snapshot(Bytes),
    /// A row of plain sled and its flush.
    Row(Bytes),
}

/// The steps of a seed.
pub(crate) struct Script {
    pub(crate) pattern: Pattern,
    pub(crate) steps: Vec<Step>,
    /// The step that erases the body of a record, by commit and record.
    pub(crate) erasures: BTreeMap<(usize, usize), usize>,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "ledger" => Some(Self::Ledger),
            "queues" => Some(Self::Queues),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }
}

impl Script {
    /// The first `count` steps of a seed.
    pub(crate) fn new(pattern: Pattern, seed: u64, count: usize) -> Self {
        let mut writing =
            Writing { dice: Dice(seed), sizes: seed % 3, commits: 0, sizes_of: [0; 3], bodies: Vec::new() };
        let steps: Vec<Step> = (0..count).map(|_| writing.step(pattern)).collect();
        let erasures = steps.iter().enumerate().filter_map(|(at, step)| match step {
            Step::Erase { commit, record } => Some(((*commit, *record), at)),
            _ => None,
        });
        Self { pattern, erasures: erasures.collect(), steps }
    }

    /// The commits among the first `steps` steps.
    pub(crate) fn commits(&self, steps: usize) -> impl Iterator<Item = &Vec<NewRecord>> {
        self.steps[..steps.min(self.steps.len())].iter().filter_map(|step| match step {
            Step::Append(records) => Some(records),
            _ => None,
        })
    }
}

/// SplitMix64: the same numbers from the same seed for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit as u64) as usize
    }

    /// From `from` to `to`, small ones as often as large ones.
    fn size(&mut self, from: usize, to: usize) -> usize {
        let doublings = (to / from).ilog2() as usize + 1;
        let top = from << self.below(doublings + 1);
        (top / 2 + self.below(top / 2 + 1)).clamp(from, to)
    }

    fn bytes(&mut self, len: usize) -> Bytes {
        let at = self.below(POOL - len);
        pool().slice(at..at + len)
    }
}

fn pool() -> &'static Bytes {
    static BYTES: OnceLock<Bytes> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut dice = Dice(7);
        let words = (0..POOL / 8).flat_map(|_| dice.roll().to_le_bytes());
        words.collect::<Vec<_>>().into()
    })
}

/// What the next step depends on.
struct Writing {
    dice: Dice,
    /// 0: all sizes; 1: some hundred bytes; 2: mostly the largest.
    sizes: u64,
    commits: usize,
    sizes_of: [u64; 3],
    /// Commit and record of the bodies that were not erased.
    bodies: Vec<(usize, usize)>,
}

impl Writing {
    fn step(&mut self, pattern: Pattern) -> Step {
        match (pattern, self.dice.below(100)) {
            (Pattern::Plain, _) => {
                let len = self.dice.size(200, PLAIN_LIMIT);
                Step::Row(self.dice.bytes(len))
            }
            (_, 0..6) => Step::Mark,
            (_, 6..14) if !self.bodies.is_empty() => {
                let which = self.dice.below(self.bodies.len());
                let (commit, record) = self.bodies.swap_remove(which);
                Step::Erase { commit, record }
            }
            (Pattern::Queues, 14..28) => Step::Flush,
            (Pattern::Queues, 28..34) => {
                let len = self.dice.size(200, COMMIT_BYTES);
                Step::Snapshot(self.dice.bytes(len))
            }
            _ => Step::Append(self.commit()),
        }
    }

    fn commit(&mut self) -> Vec<NewRecord> {
        let mut records: Vec<NewRecord> = Vec::new();
        let count = 1 + self.dice.below(4);
        let mut bytes = 0;
        while records.len() < count && bytes < COMMIT_BYTES {
            let record = self.record();
            bytes += record.stored_bytes() as usize;
            if record.body.is_some() {
                self.bodies.push((self.commits, records.len()));
            }
            records.push(record);
        }
        self.commits += 1;
        records
    }

    fn record(&mut self) -> NewRecord {
        let which = self.dice.below(AGENCIES.len());
        let index = LedgerIndex(self.sizes_of[which]);
        self.sizes_of[which] += 1;
        let (payload, body) = match self.sizes {
            1 => (self.dice.size(200, 2000), (self.dice.below(4) == 0).then(|| self.dice.size(200, 2000))),
            2 => (self.dice.size(200, PAYLOAD_LIMIT), (self.dice.below(4) != 0).then_some(CONTENT_LIMIT)),
            _ => {
                let body = (self.dice.below(4) == 0).then(|| self.dice.size(200, CONTENT_LIMIT));
                (self.dice.size(200, 32 << 10), body)
            }
        };
        NewRecord {
            agency: AgencyId::parse(AGENCIES[which]).expect("an agency id"),
            index,
            payload: self.dice.bytes(payload),
            proof: self.dice.bytes(200),
            body: body.map(|len| self.dice.bytes(len)),
        }
    }
}
