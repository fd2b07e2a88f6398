//! `lienthong trail export`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use lienthong_proto::v1::{Act, ExportTrailRequest};

use crate::Outcome;
use crate::client::{Acting, Client, Door, dossier_ref};
use crate::failure::Refusal;

/// `export`
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    #[command(flatten)]
    door: Door,
    #[command(flatten)]
    acting: Acting,
    /// Dossier code or id
    dossier: String,
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn run(args: Export, json: bool) -> anyhow::Result<Outcome> {
    let client = Client::connect(&args.door.node).await?;
    let bytes = to_file(&client, args.acting.act()?, &args.dossier, &args.out).await?;
    if json {
        println!("{}", serde_json::json!({"file": args.out.display().to_string(), "bytes": bytes}));
    } else {
        println!("Đã xuất / exported: {} ({bytes} byte)", args.out.display());
        println!("Kiểm tra / verify:  lienthong trail verify {}", args.out.display());
    }
    Ok(Outcome::Fine)
}

/// Writes the evidence of a trail; how many bytes. A file that is there already is not touched.
pub(crate) async fn to_file(client: &Client, act: Act, dossier: &str, out: &Path) -> anyhow::Result<u64> {
    let request = ExportTrailRequest { act: Some(act), dossier: Some(dossier_ref(dossier)) };
    let mut pieces = client.dossiers().export_trail(request).await.map_err(Refusal::from)?.into_inner();
    let shown = || format!("write {}", out.display());
    let mut file = std::fs::File::create_new(out).with_context(shown)?;
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec}") {
        bar.set_style(style);
    }
    loop {
        match pieces.message().await {
            Ok(Some(piece)) => {
                file.write_all(&piece.piece).with_context(shown)?;
                bar.inc(piece.piece.len() as u64);
            }
            Ok(None) => break,
            Err(status) => {
                // Half an evidence file must not be taken for one.
                std::fs::remove_file(out)
                    .with_context(|| format!("remove the unfinished {}", out.display()))?;
                return Err(Refusal::from(status).into());
            }
        }
    }
    file.sync_all().with_context(shown)?;
    bar.finish_and_clear();
    Ok(bar.position())
}
