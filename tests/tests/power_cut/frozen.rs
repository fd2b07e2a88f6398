//! The first rig, the judge: the image below a mounted file system is frozen while the writer works, and the copy is
//! mounted.

use crate::disk::{Disk, Missing};
use crate::rounds::{CUTS_PER_RUN, Tally, runs};
use crate::writer::{self, Done, Pattern};
use lienthong_tests::Dice;
use lienthong_tests::skip_or_fail;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// More steps than a writer does before its power goes.
const STEPS: usize = 3900;
/// The same for plain sled, whose flush is quick because it does not wait for the disk.
const PLAIN_STEPS: usize = 60_000;
/// The longest time to a cut, and between two.
const WAIT_LIMIT_MS: u64 = 400;
/// Acknowledgements that wait to be counted.
const WAITING: usize = 1 << 16;

/// A writer at work, and how many steps it acknowledged.
struct Working {
    child: Child,
    told: Receiver<usize>,
    acknowledged: usize,
}

impl Working {
    fn begin(dir: &Path, pattern: Pattern, seed: u64) -> Self {
        let steps = if pattern == Pattern::Plain { PLAIN_STEPS } else { STEPS };
        let mut command = writer::write(dir, pattern, seed, steps, 0);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the writer starts");
        let out: ChildStdout = child.stdout.take().expect("its output");
        let (tell, told) = sync_channel(WAITING);
        std::thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            let mut steps = lines.filter_map(|line| line.parse::<usize>().ok());
            steps.all(|step| tell.send(step).is_ok())
        });
        Self { child, told, acknowledged: 0 }
    }

    /// Counts for some time.
    fn count_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            match self.told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(steps) => self.acknowledged = steps,
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    // It came to the end of its script, which is a moment as good as any.
                    let ended = self.child.wait().expect("the writer ends");
                    assert!(ended.success(), "the writer failed: {ended}");
                    return;
                }
            }
        }
    }

    /// Kills it; what it acknowledged by then.
    fn end(mut self) -> usize {
        self.child.kill().expect("the writer can be killed");
        self.child.wait().expect("the writer ends");
        self.told.iter().last().unwrap_or(self.acknowledged)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(disk: &mut Disk, pattern: Pattern, seed: u64, dice: &mut Dice, tally: &mut Tally) {
    let live = disk.begin();
    let mut working = Working::begin(&live, pattern, seed);
    let mut cuts = Vec::new();
    for nth in 0..CUTS_PER_RUN {
        working.count_for(Duration::from_millis(dice.below(WAIT_LIMIT_MS)));
        cuts.push(working.acknowledged);
        disk.freeze(nth);
    }
    let begun = working.end() + 1;
    disk.end();
    for (nth, acknowledged) in cuts.into_iter().enumerate() {
        let cut = disk.restore(nth);
        let done = Done { acknowledged, begun };
        tally.count(seed, done, writer::judge(&cut, pattern, seed, done));
        disk.forget(nth);
    }
}

fn rounds(pattern: Pattern) {
    let mut disk = match Disk::set_up() {
        Ok(disk) => disk,
        Err(Missing::Forbidden(why)) => {
            // No machine can be blamed for that, and the second rig runs there.
            println!(
                "VERDICT power_cut: SKIPPED, NO POWER CUT OF A MOUNTED FILE SYSTEM: this machine does not allow loop mounts: {why}"
            );
            return;
        }
        Err(Missing::Program(what)) => return skip_or_fail(&format!("{what} is missing")),
    };
    let mut dice = Dice::thrown();
    let mut tally = Tally::new("a mounted file system", pattern);
    for seed in 0..runs() {
        run(&mut disk, pattern, seed, &mut dice, &mut tally);
    }
    tally.conclude();
}

#[test]
fn a_mounted_ledger_survives_cuts() {
    rounds(Pattern::Ledger);
}

#[test]
fn mounted_queues_survive_cuts() {
    rounds(Pattern::Queues);
}

#[test]
fn mounted_plain_sled_does_not() {
    rounds(Pattern::Plain);
}
