//! `lienthong ledger verify`: every byte, every link of the chain, every signature of a ledger at rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Subcommand;
use lienthong_core::record::Record;
use lienthong_store::lock::DataLock;
use lienthong_store::verify::{Summary, verify_dir};
use lienthong_store::{Body, StoredRecord};
use lienthong_wire::directory::DirectoryFile;
use lienthong_wire::keys::KeyRing;
use lienthong_wire::record::{decode_record, verify_record};

use crate::Outcome;
use crate::dossier::show::table;

/// `lienthong ledger`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lienthong ledger verify data/dev/node --directory data/dev/directory.toml
  lienthong ledger verify /var/lib/lienthong --directory /etc/lienthong/directory.toml --json

The node must be stopped. Nothing is changed. Without --directory, signatures are not checked, only bytes and chains.")]
pub(crate) struct Args {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Verify the ledger of a stopped node; exit 1 names the first fault and its place
    Verify(Verify),
}

/// `verify`
#[derive(Debug, clap::Args)]
struct Verify {
    /// The node's data folder
    dir: PathBuf,
    /// The directory, for the agencies' public keys
    #[arg(long, value_name = "FILE", env = "LIENTHONG_DIRECTORY")]
    directory: Option<PathBuf>,
}

/// What the records themselves were found to be.
#[derive(Default)]
struct Records {
    keys: Option<KeyRing>,
    statements: u64,
    first_fault: Option<String>,
}

/// Runs one command.
pub(crate) fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    let Deed::Verify(args) = args.deed;
    // Locking makes a folder that is not there.
    anyhow::ensure!(args.dir.join("ledger").is_dir(), "{} is no data folder of a node", args.dir.display());
    let _lock = DataLock::acquire(&args.dir, "lienthong ledger verify")?;
    let mut records =
        Records { keys: args.directory.as_deref().map(key_ring).transpose()?, ..Records::default() };
    let bar = crate::copies::Bar::new();
    let result = verify_dir(&args.dir, bar.progress(), |record| records.judge(record));
    drop(bar);
    let fault = match &result {
        Err(fault) => Some(fault.to_string()),
        Ok(_) => records.first_fault.clone(),
    };
    report(result.ok(), &records, fault.as_deref(), json);
    Ok(if fault.is_none() { Outcome::Fine } else { Outcome::Faulty })
}

impl Records {
    /// Keeps the first fault; the store goes on, so that its own faults are found too.
    fn judge(&mut self, stored: StoredRecord) {
        if self.first_fault.is_some() {
            return;
        }
        let place = format!("{} #{} ({})", stored.agency, stored.index.0, stored.position);
        if let Err(fault) = self.check(stored) {
            self.first_fault = Some(format!("{place}: {fault}"));
        }
    }

    fn check(&mut self, stored: StoredRecord) -> Result<(), String> {
        let body = match stored.body {
            Some(Body::Present(bytes)) => Some(Arc::<[u8]>::from(bytes.as_ref())),
            Some(Body::Erased { .. }) | None => None,
        };
        let record = decode_record(stored.payload, &stored.proof, body).map_err(|e| e.to_string())?;
        if matches!(record, Record::Statement(_)) {
            self.statements += 1;
        }
        let Some(keys) = &self.keys else { return Ok(()) };
        verify_record(keys, &record).map_err(|reason| format!("reason LT{} {reason:?}", reason.number()))
    }
}

/// The public keys of a directory file.
pub(crate) fn key_ring(path: &Path) -> anyhow::Result<KeyRing> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(KeyRing::of(&DirectoryFile::parse(&text).with_context(|| path.display().to_string())?))
}

fn report(summary: Option<Summary>, records: &Records, fault: Option<&str>, json: bool) {
    let signatures = if records.keys.is_some() { "checked" } else { "not checked: no --directory" };
    if json {
        let heads = summary.iter().flat_map(|s| &s.heads).map(|(agency, head)| {
            serde_json::json!({"agency": agency.as_str(), "size": head.size, "head": head.hash.to_string()})
        });
        let value = serde_json::json!({
            "sound": fault.is_none(), "fault": fault, "signatures": signatures, "statements": records.statements,
            "commits": summary.as_ref().map(|s| s.commits), "records": summary.as_ref().map(|s| s.records),
            "torn_bytes": summary.as_ref().and_then(|s| s.torn.as_ref()).map(|t| t.bytes),
            "agencies": heads.collect::<Vec<_>>(),
        });
        println!("{value:#}");
        return;
    }
    if let Some(summary) = summary {
        let mut heads = table(["Sổ cái / ledger", "Bản ghi", "Đầu chuỗi / head"]);
        for (agency, head) in &summary.heads {
            heads.add_row([agency.to_string(), head.size.to_string(), head.hash.short()]);
        }
        println!("{heads}");
        println!(
            "{} commits, {} records, {} statements; signatures {signatures}",
            summary.commits, summary.records, records.statements
        );
        if let Some(torn) = &summary.torn {
            println!(
                "Phần đuôi chưa xác nhận / unacknowledged tail: {} byte at {}; the next start cuts it",
                torn.bytes, torn.position
            );
        }
    }
    match fault {
        None => println!("ĐÚNG / SOUND"),
        Some(fault) => println!("SAI / FAULT: {fault}"),
    }
}
