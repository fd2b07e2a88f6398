//! `lienthong trail …`: an evidence file that proves a dossier's trail, and its check.

pub(crate) mod export;
pub(crate) mod verify;

use clap::Subcommand;

use crate::Outcome;

/// `lienthong trail`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lienthong trail export H51.40.02-240115-0001 --as xa-an-thanh-1 --officer-id at1-01 --officer-name Lan --out trail.ltev
  lienthong trail verify trail.ltev --directory directory.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Write the evidence of one dossier's trail to a file
    Export(export::Export),
    /// Check an evidence file without network or database; exit 1 names the first fault
    Verify(verify::Verify),
}

/// Runs one command.
pub(crate) async fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    match args.deed {
        Deed::Export(args) => export::run(args, json).await,
        Deed::Verify(args) => verify::run(args, json),
    }
}
