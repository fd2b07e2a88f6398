//! The second rig: the folder is rebuilt from the trace of a run, as a cut at any moment would have left it.

use crate::rounds::{CUTS_PER_RUN, Tally, runs};
use crate::shadow::{Ignored, Loss, Shadow};
use crate::shim::{Run, Shim, differ};
use crate::trace::Entry;
use crate::writer::{self, Done, Pattern};
use lienthong_tests::Dice;

/// Steps of a run: some segments where the records are large.
const STEPS: usize = 60;

/// Cuts a run at some moments, in turn losing all that was not synced and some of it.
fn cut(shim: &Shim, run: &Run, seed: u64, pattern: Pattern, dice: &mut Dice, tally: &mut Tally) {
    let mut moments: Vec<usize> =
        (0..CUTS_PER_RUN).map(|_| dice.below(run.trace.len() as u64 + 1) as usize).collect();
    moments.sort_unstable();
    let mut shadow = Shadow::new(Ignored::None);
    let (mut at, mut acknowledged) = (0, 0);
    for (nth, moment) in moments.into_iter().enumerate() {
        for entry in &run.trace[at..moment] {
            shadow.follow(entry);
            if let Entry::Acknowledge { steps } = entry {
                acknowledged = *steps;
            }
        }
        at = moment;
        let copy = shim.scratch();
        let mut loss = if nth % 2 == 0 { Loss::Unsynced } else { Loss::Some(dice) };
        shadow.rebuild(copy.path(), &mut loss);
        let done = Done { acknowledged, begun: acknowledged + 1 };
        tally.count(seed, done, writer::judge(copy.path(), pattern, seed, done));
    }
}

/// The whole trace must give the real files: else the store did something that the shim does not see.
fn nothing_was_missed(shim: &Shim, run: &Run) {
    let mut shadow = Shadow::new(Ignored::None);
    run.trace.iter().for_each(|entry| shadow.follow(entry));
    let copy = shim.scratch();
    shadow.rebuild(copy.path(), &mut Loss::Nothing);
    assert_eq!(differ(copy.path(), run.dir.path()), None, "the shim did not see everything");
}

fn rounds(pattern: Pattern) {
    let Some(shim) = Shim::build() else { return };
    let mut dice = Dice::thrown();
    let mut tally = Tally::new("rebuilt from what was synced", pattern);
    for seed in 0..runs() {
        let run = shim.run(pattern, seed, STEPS, None);
        assert!(run.status.success(), "seed {seed}: {}: {}", run.status, run.told);
        nothing_was_missed(&shim, &run);
        cut(&shim, &run, seed, pattern, &mut dice, &mut tally);
    }
    tally.conclude();
}

#[test]
fn a_traced_ledger_survives_cuts() {
    rounds(Pattern::Ledger);
}

#[test]
fn traced_queues_survive_cuts() {
    rounds(Pattern::Queues);
}

#[test]
fn traced_plain_sled_does_not() {
    rounds(Pattern::Plain);
}

/// A disk that lies about syncs is no disk to keep a ledger on; here it proves that the rig counts each kind of them.
#[test]
fn a_disk_that_ignores_syncs_is_seen() {
    let Some(shim) = Shim::build() else { return };
    for ignored in [Ignored::OfFiles, Ignored::OfFolders] {
        let run = shim.run(Pattern::Ledger, 1, STEPS, None);
        let mut shadow = Shadow::new(ignored);
        run.trace.iter().for_each(|entry| shadow.follow(entry));
        let copy = shim.scratch();
        shadow.rebuild(copy.path(), &mut Loss::Unsynced);
        let mut tally = Tally::new(&format!("syncs ignored: {ignored:?}"), Pattern::Ledger);
        let done = Done { acknowledged: STEPS, begun: STEPS };
        tally.count(1, done, writer::judge(copy.path(), Pattern::Ledger, 1, done));
        tally.conclude_red();
    }
}
