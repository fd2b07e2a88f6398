//! `lienthong bench`: how many hand-offs a second this machine carries, end to end over NATS, through the public API.

mod load;
mod province;

use clap::Args as ClapArgs;
use comfy_table::{CellAlignment, Table};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;
use province::Province;

/// Measure hand-offs end to end on this machine
///
/// Two nodes with ledgers of their own and a nats-server (JetStream, default sync) run in a folder that is removed
/// afterwards. A hand-off counts when the offer is durable at the giver, received durably at the receiver, and the signed
/// receipt durable at the giver; every statement is signed. Only ratios from one run on one machine are worth quoting.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  lienthong bench\n  lienthong bench --in-flight 1,64 --seconds 5 --payload 200 --json"
)]
pub(crate) struct Args {
    /// Hand-offs under way at the same time; several, separated by commas, are measured one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 512], value_parser = clap::value_parser!(u32).range(1..=4_096))]
    in_flight: Vec<u32>,
    /// Seconds of each measurement, at most 600
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Bytes of content of each dossier, at most 512 KiB
    #[arg(long, default_value_t = 2_048, value_parser = clap::value_parser!(u32).range(0..=512 * 1_024))]
    payload: u32,
    /// The disk to measure: a folder in which one is made and removed again
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// What one measurement gave.
pub(crate) struct Measured {
    in_flight: u32,
    hand_offs: usize,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    submits_per_second: f64,
    /// Time of processors that this process took for one hand-off, at both ends: both nodes and the caller, without the
    /// nats-server. It moves less than the rest when the machine has other work.
    cpu_us: f64,
}

/// Measures and prints.
pub(crate) async fn run(args: Args, as_json: bool) -> anyhow::Result<Outcome> {
    let province = Province::start(&args.dir).await?;
    if !as_json {
        println!(
            "nats-server {}, {} B of content, each statement signed, one signature for up to 64 of a commit",
            province.nats(),
            args.payload
        );
    }
    let bench = load::Bench { calls: province.calls().await?, payload: args.payload as usize };
    bench.measure(0, 64, Duration::from_secs(1)).await?; // warms up
    let mut all = Vec::new();
    for (turn, in_flight) in (1..).zip(&args.in_flight) {
        all.push(bench.measure(turn, *in_flight, Duration::from_secs(args.seconds)).await?);
    }
    province.stop().await;
    if as_json {
        println!("{}", serde_json::to_string_pretty(&all.iter().map(Measured::json).collect::<Vec<_>>())?);
    } else {
        println!("{}", table(&all));
    }
    Ok(Outcome::Fine)
}

impl Measured {
    fn json(&self) -> serde_json::Value {
        json!({
            "in_flight": self.in_flight, "hand_offs": self.hand_offs, "hand_offs_per_second": self.per_second,
            "p50_ms": self.p50_ms, "p99_ms": self.p99_ms, "submits_per_second": self.submits_per_second,
            "cpu_us_per_hand_off": self.cpu_us,
        })
    }
}

fn table(all: &[Measured]) -> Table {
    let header = ["in flight", "hand-offs", "hand-offs/s", "p50 ms", "p99 ms", "submits/s", "CPU µs each"];
    let mut table = crate::dossier::show::table(header);
    for m in all {
        table.add_row([
            m.in_flight.to_string(),
            m.hand_offs.to_string(),
            format!("{:.0}", m.per_second),
            format!("{:.1}", m.p50_ms),
            format!("{:.1}", m.p99_ms),
            format!("{:.0}", m.submits_per_second),
            format!("{:.0}", m.cpu_us),
        ]);
    }
    table.column_iter_mut().for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}
