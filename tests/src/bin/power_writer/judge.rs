//! After a cut: everything acknowledged is there, nothing is half there, and the store goes on.

use crate::kept::{Done, Kept, Wrong, closed};
use crate::plain;
use crate::script::{Pattern, Script, Step};
use lienthong_store::{snapshots, verify};
use std::path::Path;

/// Judges what the cut left.
pub(crate) fn judge(dir: &Path, script: &Script, done: Done) -> Result<String, Wrong> {
    if script.pattern == Pattern::Plain {
        return plain::judge(dir, script, done);
    }
    let mut kept = Kept::open(dir, script, done)?;
    let report = kept.report.clone();
    let commits = kept.commits.len();
    kept_snapshots(dir, script, done)?;
    // It goes on: the next commit is taken, and is there when the store is opened again.
    let begun = script.steps.len();
    let next = script.commits(begun).nth(commits).cloned();
    let next = next.ok_or_else(|| Wrong::Lost("the script is too short".to_owned()))?;
    let appended = kept.ledger.append(next.clone()).map_err(|e| closed("append")(&e))?;
    kept.commits.push(next, appended.positions);
    if let Some(queues) = &kept.queues {
        kept.commits.apply(queues, commits).map_err(|e| closed("queues")(&e))?;
        queues.flush().map_err(|e| closed("queues")(&e))?;
    }
    drop(kept);
    let summary = verify::verify_dir(dir, |_, _| {}, drop).map_err(|e| closed("verify")(&e))?;
    if summary.commits != commits as u64 + 1 || summary.torn.is_some() {
        return Err(Wrong::Lost(format!("after one more commit: {summary:?}")));
    }
    let again = Kept::open(dir, script, Done { begun, ..done })?;
    let level = again.queues.as_ref().is_none_or(|q| again.commits.reflected(q) == Some(commits + 1));
    if again.commits.len() != commits + 1 || !level {
        return Err(Wrong::Lost(format!("opened again: {}", again.report)));
    }
    Ok(report)
}

/// Every snapshot that is listed is whole, and the last acknowledged one or a later one is listed.
fn kept_snapshots(dir: &Path, script: &Script, done: Done) -> Result<(), Wrong> {
    let is_snapshot = |step: &Step| matches!(step, Step::Snapshot(_));
    let least = script.steps[..done.acknowledged].iter().rposition(is_snapshot);
    let listed = snapshots::list(dir).map_err(|e| closed("snapshots")(&e))?;
    if listed.first().map(|n| *n as usize) < least {
        return Err(Wrong::Lost(format!("snapshots {listed:?}, and {least:?} was acknowledged")));
    }
    for number in listed {
        let (bytes, _) = snapshots::load(dir, number).map_err(|e| closed("snapshot")(&e))?;
        match script.steps.get(number as usize) {
            Some(Step::Snapshot(due)) if bytes == *due => {}
            _ => return Err(Wrong::Lost(format!("snapshot {number} is not what was written"))),
        }
    }
    Ok(())
}
