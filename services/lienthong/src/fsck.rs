//! `lienthong fsck`: checks a stopped node's ledger and fills its queues anew from it.

use std::path::PathBuf;

use crate::Outcome;
use crate::dossier::show::table;

/// `lienthong fsck`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  lienthong fsck /var/lib/lienthong

The node must be stopped. The ledger is the truth and is only read; the queues are emptied and filled again. A fault of
the ledger is named with its place, exit code 1: then restore the ledger from a copy, and do not start the node.")]
pub(crate) struct Args {
    /// The node's data folder
    dir: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    // Locking makes a folder that is not there.
    anyhow::ensure!(args.dir.join("ledger").is_dir(), "{} is no data folder of a node", args.dir.display());
    let found = lienthong_node::fsck(&args.dir)?;
    if json {
        let agencies = found.agencies.iter();
        let agencies = agencies.map(|(id, size)| serde_json::json!({"agency": id.as_str(), "size": size}));
        let value = serde_json::json!({
            "records": found.records, "rows": found.rows, "report": found.report,
            "agencies": agencies.collect::<Vec<_>>(),
        });
        println!("{value:#}");
        return Ok(Outcome::Fine);
    }
    let mut sizes = table(["Sổ cái / ledger", "Bản ghi / records"]);
    for (agency, size) in &found.agencies {
        sizes.add_row([agency.to_string(), size.to_string()]);
    }
    println!("{sizes}");
    found.report.iter().for_each(|line| println!("  {line}"));
    println!(
        "Hàng đợi dựng lại từ sổ cái / queues filled from the ledger: {} rows, {} records",
        found.rows, found.records
    );
    println!("ĐÚNG / SOUND");
    Ok(Outcome::Fine)
}
