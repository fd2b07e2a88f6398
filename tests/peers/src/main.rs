//! `make bench-peers`: the same work on JetStream, RabbitMQ, PostgreSQL, Redis and Liên Thông, in turns on one disk.
//!
//! One hand-over: 2 KiB are durable before the producer is told, and received and acknowledged by the consumer. So many
//! are under way at the same time; the next begins when one is done. Each turn starts a system on an empty folder,
//! measures it and ends it; figures are medians over turns.

mod disk;
mod load;
mod peers;
mod plot;
mod raw;
mod report;
mod server;

use anyhow::Context;
use clap::Parser;
use load::Load;
use peers::System;
use report::Report;
use std::path::PathBuf;
use std::time::Duration;

/// Liên Thông beside what a user would pick instead
#[derive(Debug, Parser)]
struct Args {
    /// Hand-overs under way at the same time, one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 512], value_parser = clap::value_parser!(u32).range(1..=4_096))]
    in_flight: Vec<u32>,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Turns of each system
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    turns: u32,
    /// Only these, separated by commas: lienthong, lienthong-receipt, jetstream, rabbitmq, rabbitmq-kept, postgres, postgres-batched, redis
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The disk to measure: a folder in which one is made and removed again
    #[arg(long, value_name = "DIR", default_value = "target")]
    dir: PathBuf,
    /// Measure on a disk of which every flush takes so long, in microseconds: made in that folder (root, Linux 6.9)
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    sync_us: Option<u64>,
    /// Only make that disk, say where it is, and keep it until Ctrl-C: for a look at one system on it
    #[arg(long, requires = "sync_us")]
    hold: bool,
    /// The product's binary
    #[arg(long, value_name = "FILE", default_value = "target/release/lienthong")]
    lienthong: PathBuf,
    /// Where the plot and the figures are written
    #[arg(long, value_name = "DIR", default_value = "target/peers")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tokio::select! {
        done = run(&args) => done,
        // Whatever runs is ended by being dropped.
        told = tokio::signal::ctrl_c() => { told?; anyhow::bail!("interrupted") }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.dir).context("make the folder to measure in")?;
    let scratch = tempfile::Builder::new().prefix("peers-").tempdir_in(&args.dir).context("make a folder")?;
    let mut scratch_path = scratch.path().canonicalize()?;
    let slow = args.sync_us.map(|us| disk::SlowDisk::make(&scratch_path, Duration::from_micros(us)));
    // Taken away before the folder it lies in.
    let slow = slow.transpose().context("make a slow disk")?;
    if let Some(disk) = &slow {
        scratch_path.clone_from(&disk.mounted);
    }
    if args.hold {
        println!("{}: one raw append {:.3} ms", scratch_path.display(), raw::append_and_sync(&scratch_path)?);
        return std::future::pending().await;
    }
    let lienthong =
        args.lienthong.canonicalize().context("the product's binary is missing: cargo build --release")?;
    let systems = chosen(&args.only)?;
    for system in &systems {
        system.is_there()?;
    }
    let mut report = Report::new(&args.in_flight);
    for turn in 1..=args.turns {
        report.raw.push(raw::append_and_sync(&scratch_path)?);
        for system in &systems {
            eprintln!("turn {turn} of {}: {}", args.turns, system.name());
            let dir = scratch_path.join(format!("{}-{turn}", system.name()));
            std::fs::create_dir(&dir)?;
            let load = Load { time: Duration::from_secs(args.seconds), in_flight: &args.in_flight };
            let measured = system.measure(&dir, &lienthong, load).await;
            let measured = measured.with_context(|| format!("measure {}", system.name()))?;
            report.add(*system, measured);
            std::fs::remove_dir_all(&dir)?;
        }
    }
    println!("{}", report.text());
    std::fs::create_dir_all(&args.out)?;
    let (plot, figures) = (args.out.join("peers.svg"), args.out.join("peers.json"));
    std::fs::write(&plot, plot::svg(&report))?;
    std::fs::write(&figures, serde_json::to_string_pretty(&report.json())?)?;
    println!("plot: {}   figures: {}", plot.display(), figures.display());
    Ok(())
}

/// Those asked for, or all.
fn chosen(only: &[String]) -> anyhow::Result<Vec<System>> {
    let unknown: Vec<_> =
        only.iter().filter(|o| !System::ALL.iter().any(|s| s.name() == o.as_str())).collect();
    anyhow::ensure!(unknown.is_empty(), "no such system: {unknown:?}");
    let asked = |s: &System| only.is_empty() || only.iter().any(|o| o == s.name());
    Ok(System::ALL.into_iter().filter(asked).collect())
}
