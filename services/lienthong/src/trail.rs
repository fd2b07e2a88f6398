//! `lienthong trail export`: an evidence file that proves a dossier's trail.

mod export;

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
}

/// Runs one command.
pub(crate) async fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    match args.deed {
        Deed::Export(args) => export::run(args, json).await,
    }
}
