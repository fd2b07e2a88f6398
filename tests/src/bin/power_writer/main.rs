//! The process that loses its power: `write DIR PATTERN SEED STEPS FROM` works and acknowledges on standard output,
//! `judge DIR PATTERN SEED ACKNOWLEDGED BEGUN` tells what a cut left of it, `judge-after-failure` what a failing disk left.
//!
//! It ends with 0 when all is well, 3 when something is lost or was never written, 4 when the store does not open or
//! takes nothing more, and 2 when it is called wrongly.

mod judge;
mod kept;
mod plain;
mod rows;
mod script;
mod work;

use kept::{Done, Syncs, Wrong};
use script::{Pattern, Script};
use std::path::Path;
use std::process::ExitCode;

/// Enough for a commit to be among them.
const STEPS_AFTER: usize = 100;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let Some(outcome) = run(&args) else {
        eprintln!(
            "power_writer write DIR PATTERN SEED STEPS FROM | judge[-after-failure] DIR PATTERN SEED ACKNOWLEDGED BEGUN"
        );
        return ExitCode::from(2);
    };
    match outcome {
        Ok(report) => {
            eprint!("{report}");
            ExitCode::SUCCESS
        }
        Err(Wrong::Lost(what)) => {
            eprintln!("lost: {what}");
            ExitCode::from(3)
        }
        Err(Wrong::Closed(what)) => {
            eprintln!("closed: {what}");
            ExitCode::from(4)
        }
    }
}

fn run(args: &[&str]) -> Option<Result<String, Wrong>> {
    let [what, dir, pattern, seed, numbers @ ..] = args else { return None };
    let dir = Path::new(dir);
    let (pattern, seed) = (Pattern::parse(pattern)?, seed.parse().ok()?);
    let numbers = numbers.iter().map(|n| n.parse().ok()).collect::<Option<Vec<usize>>>()?;
    match (*what, numbers.as_slice()) {
        ("write", [steps, from]) => {
            let script = Script::new(pattern, seed, *steps);
            let write = if pattern == Pattern::Plain { plain::write } else { work::write };
            Some(write(dir, &script, *from).map(|()| String::new()))
        }
        ("judge" | "judge-after-failure", [acknowledged, begun]) => {
            // With some steps more: the judge goes on where the writer was cut.
            let script = Script::new(pattern, seed, *begun + STEPS_AFTER);
            let syncs = if *what == "judge" { Syncs::Told } else { Syncs::Failed };
            let done = Done { acknowledged: *acknowledged, begun: *begun, syncs };
            Some(judge::judge(dir, &script, done))
        }
        _ => None,
    }
}
