//! Follows a script and acknowledges each step; after a failure it opens the store again and goes on.

use crate::kept::{Done, Kept, Syncs, Wrong, causes, closed};
use crate::script::{Script, Step};
use lienthong_core::ids::Digest;
use lienthong_store::{NewRecord, StoreError, snapshots};
use std::path::Path;

/// A step that fails more often than this will not be done: the writer gives up and says so.
const TRIES: usize = 4;

/// Why a step was not done.
enum Failed {
    /// Nothing was written and the ledger is as it was.
    Refused(String),
    /// The ledger or the queues take nothing more until they are opened again.
    Broken(String),
    /// The store did something that it must never do.
    Never(Wrong),
}

/// Does the steps from `from` on and prints the count after each. With an error: how it gave up.
pub(crate) fn write(dir: &Path, script: &Script, from: usize) -> Result<(), Wrong> {
    let steps = script.steps.len();
    let (mut done, mut tries) = (from, 0);
    let mut open: Option<Kept> = None;
    while done < steps {
        let mut kept = match open.take() {
            Some(kept) => kept,
            None => match Kept::open(dir, script, so_far(done)) {
                Ok(kept) => kept,
                Err(Wrong::Closed(why)) if tries < TRIES => {
                    tries += 1;
                    eprintln!("step {done}: {why}");
                    continue;
                }
                Err(wrong) => return Err(wrong),
            },
        };
        let outcome = if is_done(script, done, &kept) { Ok(()) } else { step(dir, script, done, &mut kept) };
        match outcome {
            Ok(()) => {
                done += 1;
                tries = 0;
                println!("{done}");
                open = Some(kept);
            }
            Err(Failed::Never(wrong)) => return Err(wrong),
            Err(Failed::Refused(why) | Failed::Broken(why)) if tries >= TRIES => {
                return Err(Wrong::Closed(format!("step {done}: {why}")));
            }
            Err(Failed::Refused(why)) => {
                eprintln!("step {done}: {why}");
                tries += 1;
                open = Some(kept);
            }
            Err(Failed::Broken(why)) => {
                eprintln!("step {done}: {why}");
                tries += 1;
            }
        }
    }
    Ok(())
}

fn so_far(done: usize) -> Done {
    Done { acknowledged: done, begun: done + 1, syncs: Syncs::Failed }
}

/// A commit that was not acknowledged may be there all the same when the store is opened again.
fn is_done(script: &Script, step: usize, kept: &Kept) -> bool {
    matches!(script.steps[step], Step::Append(_)) && kept.commits.len() > script.commits(step).count()
}

fn step(dir: &Path, script: &Script, at: usize, kept: &mut Kept) -> Result<(), Failed> {
    match &script.steps[at] {
        Step::Append(records) => append(kept, records),
        Step::Mark => {
            let marked = kept.ledger.idle_mark();
            marked.map_err(|e| failed(kept, e))
        }
        Step::Erase { commit, record } => {
            let erased = kept.ledger.erase_body(kept.commits.place(*commit, *record));
            erased.map_err(|e| failed(kept, e))
        }
        Step::Flush => kept.queues.iter().try_for_each(|q| q.flush()).map_err(|e| Failed::Broken(causes(&e))),
        Step::Snapshot(bytes) => {
            let saved = snapshots::save(dir, at as u64, bytes);
            saved.map(drop).map_err(|e| Failed::Refused(causes(&e)))
        }
        Step::Row(_) => Err(Failed::Never(Wrong::Closed("a row is for plain sled".to_owned()))),
    }
}

fn append(kept: &mut Kept, records: &[NewRecord]) -> Result<(), Failed> {
    let appended = match kept.ledger.append(records.to_vec()) {
        Ok(appended) => appended,
        Err(e) => return Err(failed(kept, e)),
    };
    kept.commits.push(records.to_vec(), appended.positions);
    let queues = kept.queues.iter();
    let mut applied = queues.map(|queues| kept.commits.apply(queues, kept.commits.len() - 1));
    applied.try_for_each(|r| r).map_err(|e| Failed::Broken(causes(&e)))
}

/// A failed write must have poisoned the ledger, which is still read; after anything else it must be as it was.
fn failed(kept: &mut Kept, error: StoreError) -> Failed {
    let never = |what: String| Failed::Never(Wrong::Lost(what));
    let head = kept.ledger.physical_head();
    let poisoned = matches!(kept.ledger.append(Vec::new()), Err(StoreError::Poisoned(_)));
    match &error {
        StoreError::Write(_) | StoreError::Poisoned(_) if !poisoned => {
            return never(format!("not poisoned after: {error}"));
        }
        StoreError::Write(_) | StoreError::Poisoned(_) => {}
        StoreError::Prepare(_) | StoreError::Io { .. } if poisoned => {
            return never(format!("poisoned after: {error}"));
        }
        StoreError::Prepare(_) | StoreError::Io { .. } => {}
        _ => return never(format!("refused by mistake: {error}")),
    }
    if let Err(wrong) = still_read(kept, head) {
        return Failed::Never(wrong);
    }
    let why = causes(&error);
    if poisoned { Failed::Broken(why) } else { Failed::Refused(why) }
}

fn still_read(kept: &Kept, head: Digest) -> Result<(), Wrong> {
    if kept.ledger.physical_head() != head {
        return Err(Wrong::Lost("a refusal moved the head".to_owned()));
    }
    let Some(last) = kept.commits.len().checked_sub(1) else { return Ok(()) };
    let read = kept.ledger.reader().read(kept.commits.place(last, 0));
    read.map(drop).map_err(|e| closed("read after a failure")(&e))
}
