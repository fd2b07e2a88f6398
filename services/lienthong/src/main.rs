//! The one binary: reads the command line, runs one command, and turns what happened into an exit code.

mod cli;
mod failure;

mod client;
mod json;
mod names;
mod statement;
mod time;
mod words;

mod authority;
mod bench;
mod control_sheet;
mod copies;
mod dev;
mod dossier;
mod fsck;
mod hosting;
mod keys;
mod ledger;
mod node;
mod play;
mod quarantine;
mod status;
mod trail;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Messages are allocated on one thread and freed on another, which the system's allocator does slowly: a hand-off takes a
/// sixth less time of the processors with this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a command that could be carried out ended.
enum Outcome {
    /// As asked.
    Fine,
    /// Something was found to be wrong, and was printed.
    Faulty,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    if !matches!(cli.command, Command::Dev(_) | Command::Node(_)) {
        // `lienthong … | head` ends quietly, as other commands do. A daemon must outlive whoever reads its log.
        sigpipe::reset();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("lienthong: start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Faulty) => ExitCode::FAILURE,
        Err(error) => {
            failure::print(&error, json);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Dev(args) => dev::run(args).await,
        Command::Node(args) => node::run(args).await,
        Command::Dossier(args) => dossier::run(args, cli.json).await,
        Command::Ledger(args) => ledger::run(args, cli.json),
        Command::Backup(args) => copies::backup(args, cli.json),
        Command::Restore(args) => copies::restore(args, cli.json),
        Command::Fsck(args) => fsck::run(args, cli.json),
        Command::Keys(args) => keys::run(args, cli.json),
        Command::Authority(args) => authority::run(args, cli.json).await,
        Command::Trail(args) => trail::run(args, cli.json).await,
        Command::Quarantine(args) => quarantine::run(args, cli.json).await,
        Command::Play(args) => play::command::run(args).await,
        Command::Bench(args) => bench::run(args, cli.json).await,
        Command::Status(args) => status::run(args, cli.json).await,
    }
}
