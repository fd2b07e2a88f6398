//! `lienthong play FILE`.

use std::path::PathBuf;

use anyhow::Context;

use super::{Progress, Summary};
use crate::Outcome;
use crate::client::{Client, Door, random_hex};
use crate::names::Names;

/// Bytes of a performance's id.
const RUN_BYTES: usize = 4;

/// `lienthong play`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  lienthong play deploy/example/buoi-sang.play --directory data/dev/directory.toml

The node must host every agency of the play. The head of the example tells the grammar.")]
pub(crate) struct Args {
    #[command(flatten)]
    door: Door,
    /// The play
    file: PathBuf,
    /// The directory file, for the names of agencies and procedures
    #[arg(long, value_name = "FILE", env = "LIENTHONG_DIRECTORY")]
    directory: PathBuf,
}

/// Plays it.
pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    let text =
        std::fs::read_to_string(&args.file).with_context(|| format!("read {}", args.file.display()))?;
    let play = super::parse(&text).with_context(|| args.file.display().to_string())?;
    let names = Names::from_file(&args.directory)?;
    let client = Client::connect(&args.door.node).await?;
    let summary =
        super::run(&client, &play, &names, &Progress::on_terminal(), &random_hex(RUN_BYTES)?).await?;
    Ok(report(&summary))
}

/// Says how it went.
pub(crate) fn report(summary: &Summary) -> Outcome {
    println!(
        "{} việc, {} hồ sơ / {} acts, {} dossiers",
        summary.acts,
        summary.dossiers.len(),
        summary.acts,
        summary.dossiers.len()
    );
    if summary.failures.is_empty() {
        println!("Mọi hồ sơ ở đúng nơi mong đợi / every dossier is where it is expected");
        return Outcome::Fine;
    }
    println!("KHÔNG ĐÚNG MONG ĐỢI / NOT AS EXPECTED:");
    summary.failures.iter().for_each(|failure| println!("  {failure}"));
    Outcome::Faulty
}
