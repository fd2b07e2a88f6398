//! Plays seeds and says what happened.

use clap::Parser;
use lienthong_sim::clock::Clocks;
use lienthong_sim::mutant::Mutant;
use lienthong_sim::run::run;
use lienthong_sim::tally::{Kind, Tally};
use lienthong_sim::trace::Aloud;
use lienthong_sim::world::Config;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;

/// Plays a simulated province: 3-7 agencies with the real rules, the real bytes and real signatures, on bad lines, bad
/// disks and bad clocks, with people who are late and do things twice. After every step all invariants are checked.
///
/// A seed always means the same run. When one breaks an invariant, its number, the invariant and the last events are
/// printed: run it again with --verbose to see everything that led there, mend the cause, and add the seed to
/// services/sim/seeds.txt, which is replayed by the tests for ever.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
    lienthong-sim --seed 42 --verbose            one run, every event\n  \
    lienthong-sim --seeds 0..500                 as `make test` does, with the counts at the end\n  \
    lienthong-sim --seeds 0..500 --mutant speak-early   a rule broken on purpose: must be found"
)]
struct Args {
    /// Play this seed.
    #[arg(long, default_value_t = 1, conflicts_with = "seeds")]
    seed: u64,
    /// Play these seeds, such as 0..500.
    #[arg(long, value_parser = seeds)]
    seeds: Option<Range<u64>>,
    /// Events before faults stop and the province is left to heal.
    #[arg(long, default_value_t = Config::default().steps)]
    steps: u64,
    /// Dossiers.
    #[arg(long, default_value_t = Config::default().dossiers)]
    dossiers: usize,
    /// One agency is gone for good at some moment, and retired later.
    #[arg(long)]
    gone: bool,
    /// Leave the clocks right. The decisions must be the same (I20).
    #[arg(long)]
    right_clocks: bool,
    /// Break a rule on purpose: speak-early, ack-early, forget-keys, free-on-puback.
    #[arg(long, value_parser = mutant)]
    mutant: Option<Mutant>,
    /// Print every event.
    #[arg(long, short)]
    verbose: bool,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("write them as FROM..TO, the last not included")?;
    let number = |t: &str| t.parse().map_err(|_| format!("{t:?} is no number"));
    Ok(number(from)?..number(to)?)
}

fn mutant(text: &str) -> Result<Mutant, String> {
    let known = Mutant::ALL.iter().find(|(name, _)| *name == text);
    known
        .map(|(_, mutant)| *mutant)
        .ok_or_else(|| format!("{text:?} is none of the rules that can be broken"))
}

fn main() -> ExitCode {
    let args = Args::parse();
    let config = Config {
        copies: true,
        gone: args.gone,
        steps: args.steps,
        dossiers: args.dossiers,
        clocks: if args.right_clocks { Clocks::Right } else { Clocks::Wild },
        mutant: args.mutant.unwrap_or_default(),
        aloud: if args.verbose { Aloud::Yes } else { Aloud::No },
    };
    let seeds = args.seeds.unwrap_or(args.seed..args.seed.saturating_add(1));
    let (mut tally, mut played) = (Tally::default(), 0_u64);
    for seed in seeds.clone() {
        match run(seed, config) {
            Ok(report) => {
                tally.merge(&report.tally);
                played += 1;
                if seeds.end - seeds.start == 1 {
                    say(format_args!("trace {}  decisions {}", report.fingerprint, report.decided));
                }
            }
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    say(format_args!(
        "{tally}\nVERDICT sim: {played} seeds of {} steps, every invariant held: {}",
        config.steps,
        Sum(&tally)
    ));
    ExitCode::SUCCESS
}

/// What the runs were about, in a line.
struct Sum<'t>(&'t Tally);

impl fmt::Display for Sum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = [
            (Kind::Outcome, "hop accepted"),
            (Kind::Outcome, "dossier closed"),
            (Kind::Fault, "courier wiped"),
            (Kind::Fault, "old copy put back"),
            (Kind::Outcome, "recovery finished"),
            (Kind::Outcome, "hop reclaimed from a retired agency"),
        ];
        let told = told.map(|(kind, name)| format!("{name} {}", self.0.of(kind, name)));
        f.write_str(&told.join(", "))
    }
}

/// Whoever reads may stop reading.
fn say(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{what}");
}
