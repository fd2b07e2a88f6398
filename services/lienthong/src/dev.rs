//! `lienthong dev`: a whole small province in one process, with a morning's work played on it.

mod courier;
mod finale;
mod folder;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

use crate::Outcome;
use crate::client::{Client, random_hex};
use crate::hosting;
use crate::names::Names;
use crate::play::{self, Play, Progress};
use crate::status;
use courier::Courier;
use folder::Folder;

/// The morning that a new province plays.
const MORNING: &str = include_str!("../../../deploy/example/buoi-sang.play");
/// Bytes of a performance's id.
const RUN_BYTES: usize = 4;

/// `lienthong dev`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lienthong dev                               play a morning in Cù Lao Dung, then stay up until Ctrl-C
  lienthong dev --exit --data /tmp/lt         for scripts: play, print, end; exit 1 if anything is not as expected
  lienthong dev --link nats                   end with an error rather than use the embedded link
  lienthong dev --play my.play                play another morning, also on a folder that was played before

The folder explains itself (README.txt). Remove it to begin anew. Connections are not encrypted and content is stored in
clear: this is for trying out, on loopback.")]
pub(crate) struct Args {
    /// What carries messages between the agencies
    #[arg(long, default_value = "auto")]
    link: LinkWord,
    /// The data folder
    #[arg(long, value_name = "DIR", default_value = "data/dev")]
    data: PathBuf,
    /// Play this file [default: the morning that is built in, when the folder is new]
    #[arg(long, value_name = "FILE")]
    play: Option<PathBuf>,
    /// The province [default: Sóc Trăng in early 2024, which is built in]; only for a new folder
    #[arg(long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// Where the gRPC door listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7443")]
    listen: SocketAddr,
    /// End when everything is printed
    #[arg(long)]
    exit: bool,
}

/// Links on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LinkWord {
    /// A nats-server of our own; the embedded link when there is none
    Auto,
    /// A nats-server of our own, or an error
    Nats,
    /// In process
    Embedded,
}

/// Runs the province.
pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    // Everything that can be refused is refused before anything runs.
    let chosen = args.play.as_deref().map(read_play).transpose()?;
    let folder = Folder::open(&args.data, args.directory.as_deref())?;
    let play = match chosen {
        Some(play) => Some(play),
        None if folder.was_played() => None,
        None => Some(play::parse(MORNING).context("the morning that is built in")?),
    };
    folder.tell();
    let courier = Courier::start(args.link, &folder).await?;
    let ended = province(&args, &folder, &courier, play).await;
    courier.stop().await;
    ended
}

async fn province(
    args: &Args,
    folder: &Folder,
    courier: &Courier,
    play: Option<Play>,
) -> anyhow::Result<Outcome> {
    let config = folder.configure(args.listen, courier.link())?;
    let at = || format!("start the node (gRPC at {}; --listen chooses another address)", args.listen);
    let mut hosted = hosting::start(config).await.with_context(at)?;
    let url = hosted.url();
    println!("Cửa gRPC / gRPC door: {url} (không mã hóa / plaintext)");
    let outcome = tokio::select! {
        outcome = morning(folder, &url, play) => outcome.map(Some),
        told = hosted.told_to_stop() => told.map(|_| None),
    };
    let outcome = match outcome {
        Ok(Some(outcome)) if !args.exit => {
            println!("\nĐang chạy; Ctrl-C để dừng / running; Ctrl-C to stop");
            hosted.told_to_stop().await.map(|_| outcome)
        }
        // Broken off in the middle of the morning.
        outcome => outcome.map(|outcome| outcome.unwrap_or(Outcome::Faulty)),
    };
    println!("Đang dừng / stopping");
    let stopped = hosted.stop().await;
    // What went wrong first is what must be told.
    let outcome = outcome?;
    stopped.map(|()| outcome)
}

/// Plays, unless there is nothing to play, and shows what there is.
async fn morning(folder: &Folder, url: &str, play: Option<Play>) -> anyhow::Result<Outcome> {
    let client = Client::connect(url).await?;
    status::until_ready(&client).await?;
    let names = Names::from_file(&folder.directory())?;
    let mut outcome = Outcome::Fine;
    match play {
        None => println!(
            "Thư mục này đã diễn rồi: không diễn lại / played already: not played again (--play FILE plays more)"
        ),
        Some(play) => {
            folder.mark_play("begun")?;
            let run = random_hex(RUN_BYTES)?;
            let summary = play::run(&client, &play, &names, &Progress::on_terminal(), &run).await?;
            folder.mark_play("finished")?;
            outcome = play::command::report(&summary);
        }
    }
    match finale::show(&client, folder, &names, url).await? {
        Outcome::Fine => Ok(outcome),
        Outcome::Faulty => Ok(Outcome::Faulty),
    }
}

fn read_play(path: &std::path::Path) -> anyhow::Result<Play> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    play::parse(&text).with_context(|| path.display().to_string())
}
