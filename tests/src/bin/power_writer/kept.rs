//! The store of a run, opened as a node opens it: every record compared with the script, the queues brought level.

use crate::rows::{Commits, word};
use crate::script::{Pattern, Script, Step};
use lienthong_core::ids::LedgerIndex;
use lienthong_store::lock::DataLock;
use lienthong_store::queues::{Queues, QueuesReport};
use lienthong_store::{Body, Config, Ledger, NewRecord, Position, ScanFrom, StoredRecord};
use std::error::Error;
use std::path::Path;

/// What is wrong with a store.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// It opens, and something acknowledged is not there, or something is there that was never written.
    Lost(String),
    /// It does not open, or fails at once.
    Closed(String),
}

/// An error that means the store is not usable, with its causes.
pub(crate) fn closed(what: &str) -> impl Fn(&dyn Error) -> Wrong {
    move |e| Wrong::Closed(format!("{what}: {}", causes(e)))
}

/// An error and what caused it, in one line.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line += &format!(": {error}");
        cause = error.source();
    }
    line
}

/// The steps done: all before `acknowledged` for certain, none from `begun` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) acknowledged: usize,
    pub(crate) begun: usize,
    pub(crate) syncs: Syncs,
}

/// Whether the disk did what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// Every sync that failed was told to who asked for it.
    Told,
    /// sled's own thread may have had the failure of a sync and kept it to itself: rows that were flushed may be
    /// missing, as long as those that are there are exact and the ledger fills them up.
    Failed,
}

/// An open store whose content is that of the script.
pub(crate) struct Kept {
    pub(crate) ledger: Ledger,
    pub(crate) queues: Option<Queues>,
    pub(crate) commits: Commits,
    /// What was found, for the figures.
    pub(crate) report: String,
    _lock: DataLock,
}

/// The smallest segments, so that a short run rolls over.
fn config(dir: &Path) -> Config {
    Config { segment_bytes: Config::SEGMENT_MIN, queue_cache_bytes: 8 << 20, ..Config::new(dir) }
}

impl Kept {
    /// Opens or creates the store and proves what is in it.
    pub(crate) fn open(dir: &Path, script: &Script, done: Done) -> Result<Self, Wrong> {
        let lock = DataLock::acquire(dir, "power").map_err(|e| closed("lock")(&e))?;
        let mut seen = Vec::new();
        let (ledger, found) = Ledger::open(&config(dir), ScanFrom::Start, |record| {
            seen.push(record);
            Ok::<_, std::convert::Infallible>(())
        })
        .map_err(|e| closed("ledger")(&e))?;
        let mut commits = compare(script, done, seen)?;
        let cut = if found.cut.is_some() { "cut" } else { "whole" };
        let mut report = format!("commits {} tail {cut}", commits.len());
        let queues = match script.pattern {
            Pattern::Queues => {
                let (queues, found) = level(dir, script, done, &mut commits)?;
                report += &format!(" queues {}", word(&found));
                Some(queues)
            }
            Pattern::Ledger | Pattern::Plain => None,
        };
        Ok(Self { ledger, queues, commits, report, _lock: lock })
    }
}

/// Compares what was replayed with the script: whole commits, at least the acknowledged and at most the begun ones.
fn compare(script: &Script, done: Done, seen: Vec<StoredRecord>) -> Result<Commits, Wrong> {
    let least = script.commits(done.acknowledged).count();
    let most = script.commits(done.begun).count();
    let mut commits = Commits::default();
    let mut seen = seen.into_iter().peekable();
    for (nth, due) in script.commits(done.begun).enumerate() {
        if seen.peek().is_none() {
            break;
        }
        let mut places: Vec<Position> = Vec::new();
        for (at, record) in due.iter().enumerate() {
            let told =
                |what: &str| Wrong::Lost(format!("commit {nth}, record {at} of {}: {what}", record.agency));
            let stored = seen.next().ok_or_else(|| told("half a commit"))?;
            places.push(stored.position);
            same(script, done, (nth, at), record, &stored).map_err(told)?;
        }
        let place = |p: &Position| (p.segment, p.commit);
        if places.iter().any(|p| place(p) != place(&places[0])) {
            return Err(Wrong::Lost(format!("commit {nth} is in more than one place")));
        }
        commits.push(due.clone(), places);
    }
    if seen.next().is_some() {
        return Err(Wrong::Lost(format!("more than the {most} commits that were begun")));
    }
    if commits.len() < least {
        return Err(Wrong::Lost(format!("{} commits of {least} that were acknowledged", commits.len())));
    }
    Ok(commits)
}

fn same(
    script: &Script,
    done: Done,
    (commit, at): (usize, usize),
    due: &NewRecord,
    stored: &StoredRecord,
) -> Result<(), &'static str> {
    let LedgerIndex(index) = due.index;
    if stored.agency != due.agency || stored.index.0 != index {
        return Err("another record is in its place");
    }
    if stored.payload != due.payload || stored.proof != due.proof {
        return Err("payload or proof is not what was written");
    }
    let erased_at = script.erasures.get(&(commit, at)).filter(|step| **step < done.begun);
    match (&stored.body, &due.body) {
        (None, None) => Ok(()),
        (Some(Body::Present(_)), _) if erased_at.is_some_and(|step| *step < done.acknowledged) => {
            Err("its body was erased and is there again")
        }
        (Some(Body::Present(body)), Some(due)) if body == due => Ok(()),
        (Some(Body::Erased { .. }), Some(_)) if erased_at.is_some() => Ok(()),
        _ => Err("its body is not what was written"),
    }
}

/// Opens the queues, proves their rows, and applies the commits that they do not reflect.
fn level(
    dir: &Path,
    script: &Script,
    done: Done,
    commits: &mut Commits,
) -> Result<(Queues, QueuesReport), Wrong> {
    let (queues, report) = Queues::open(&config(dir)).map_err(|e| closed("queues")(&e))?;
    let lost = |what: &str| Wrong::Lost(format!("queues {report:?}: {what}"));
    let reflected = commits.reflected(&queues).ok_or_else(|| lost("their mark is at no commit"))?;
    let flush = script.steps[..done.acknowledged].iter().rposition(|step| matches!(step, Step::Flush));
    let flushed = flush.map_or(0, |at| script.commits(at).count());
    let rebuilt = matches!(report, QueuesReport::Rebuilding { .. });
    if reflected < flushed && !rebuilt && done.syncs == Syncs::Told {
        return Err(lost(&format!("they reflect {reflected} commits and {flushed} were flushed")));
    }
    let broken = closed("queues");
    if !commits.exact(&queues, reflected).map_err(|e| broken(&e))? {
        return Err(lost("rows that are not those of their mark"));
    }
    for commit in reflected..commits.len() {
        commits.apply(&queues, commit).map_err(|e| broken(&e))?;
    }
    if !commits.exact(&queues, commits.len()).map_err(|e| broken(&e))? {
        return Err(lost("rows that are not those of the ledger after they were brought level"));
    }
    Ok((queues, report))
}
