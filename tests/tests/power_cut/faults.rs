//! A disk that is full or broken from the k-th call on, or at that call alone, and a process killed before it: for
//! every k of a short run.

use crate::shadow::{Ignored, Loss, Shadow};
use crate::shim::{Shim, acknowledged};
use crate::trace::Entry;
use crate::writer::{self, Done, Pattern, Verdict};
use lienthong_tests::is_soak;

/// Steps of a run: enough to roll over into a second segment.
const STEPS: usize = 14;
/// A seed with the largest content.
const SEED: u64 = 2;
/// The ways to fail: no space, broken disk; the call alone, or everything after it too.
const WAYS: [&str; 4] = ["28:once", "5:on", "28:on", "5:once"];

/// How many calls of a class a run makes.
fn calls(trace: &[Entry], class: &str) -> usize {
    let of_class = |entry: &&Entry| match entry {
        Entry::Write { .. } | Entry::Zeros { .. } | Entry::Length { .. } => class == "write",
        Entry::Sync { .. } | Entry::SyncFailed { .. } | Entry::SyncFolder { .. } => class == "sync",
        Entry::Create { .. } | Entry::Folder { .. } | Entry::Rename { .. } | Entry::Remove { .. } => {
            class == "name"
        }
        Entry::Acknowledge { .. } => false,
    };
    trace.iter().filter(of_class).count()
}

/// One failure. The store as the process left it and as a power cut right then would leave it must both be whole, and
/// a failure that passes must not have stopped the writer.
fn fail(shim: &Shim, pattern: Pattern, how: &str) {
    let run = shim.run(pattern, SEED, STEPS, Some(how));
    let told = format!("{how}: {}: {}", run.status, run.told);
    let may_give_up = how.ends_with(":on");
    let gave_up = may_give_up && run.status.code() == Some(4);
    // Whoever hangs is killed, and has no code.
    assert!(run.status.success() || gave_up, "{told}");
    let mut shadow = Shadow::new(Ignored::None);
    run.trace.iter().for_each(|entry| shadow.follow(entry));
    let acknowledged = acknowledged(&run.trace);
    let done = Done { acknowledged, begun: (acknowledged + 1).min(STEPS) };
    let copy = shim.scratch();
    shadow.rebuild(copy.path(), &mut Loss::Unsynced);
    for (what, dir) in [("after a power cut", copy.path()), ("as it was left", run.dir.path())] {
        let verdict = writer::judge_after_failure(dir, pattern, SEED, done);
        assert!(matches!(verdict, Verdict::Whole(_)), "{what}, {acknowledged} steps: {verdict:?}\n{told}");
    }
}

fn every_call(pattern: Pattern, class: &str) {
    let Some(shim) = Shim::build() else { return };
    let clean = shim.run(pattern, SEED, STEPS, None);
    assert!(clean.status.success(), "{}: {}", clean.status, clean.told);
    let count = calls(&clean.trace, class);
    // Short runs take the ways in turn, long ones all of them at each call.
    let ways = if is_soak() { WAYS.len() } else { 1 };
    for k in 1..=count {
        for way in (0..ways).map(|n| WAYS[(k + n) % WAYS.len()]) {
            fail(&shim, pattern, &format!("{class}:{k}:{way}"));
        }
    }
    println!(
        "VERDICT power_cut: {pattern}, failing calls, {class}: {} failures in {count} calls, 0 faults",
        count * ways
    );
}

/// The writer is killed before a call, started again and comes to its end; then the power goes. What the killed one
/// did and had not synced must not be built upon.
fn killed_before_every_call(pattern: Pattern) {
    let Some(shim) = Shim::build() else { return };
    let clean = shim.run(pattern, SEED, STEPS, None);
    let mut rounds = 0;
    for class in ["sync", "name"] {
        for k in 1..=calls(&clean.trace, class) {
            let how = format!("{class}:{k}:0:kill");
            let killed = shim.run(pattern, SEED, STEPS, Some(&how));
            let run = shim.go_on(killed, pattern, SEED, STEPS);
            assert!(run.status.success(), "{how}: {}: {}", run.status, run.told);
            let mut shadow = Shadow::new(Ignored::None);
            run.trace.iter().for_each(|entry| shadow.follow(entry));
            let copy = shim.scratch();
            shadow.rebuild(copy.path(), &mut Loss::Unsynced);
            let done = Done { acknowledged: STEPS, begun: STEPS };
            let verdict = writer::judge(copy.path(), pattern, SEED, done);
            assert!(matches!(verdict, Verdict::Whole(_)), "{how}: {verdict:?}\n{}", run.told);
            rounds += 1;
        }
    }
    println!(
        "VERDICT power_cut: {pattern}, killed, started again, then a power cut: {rounds} rounds, 0 faults"
    );
}

#[test]
fn a_ledger_killed_before_every_call() {
    killed_before_every_call(Pattern::Ledger);
}

#[test]
fn queues_killed_before_every_call() {
    killed_before_every_call(Pattern::Queues);
}

#[test]
fn failing_writes_of_a_ledger() {
    every_call(Pattern::Ledger, "write");
}

#[test]
fn failing_syncs_of_a_ledger() {
    every_call(Pattern::Ledger, "sync");
}

#[test]
fn failing_names_of_a_ledger() {
    every_call(Pattern::Ledger, "name");
}

#[test]
fn failing_writes_of_queues() {
    every_call(Pattern::Queues, "write");
}

#[test]
fn failing_syncs_of_queues() {
    every_call(Pattern::Queues, "sync");
}

#[test]
fn failing_names_of_queues() {
    every_call(Pattern::Queues, "name");
}
