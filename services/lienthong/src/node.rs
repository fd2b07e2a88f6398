//! `lienthong node`: one node, of one or several agencies, as a daemon.

use std::path::PathBuf;

use anyhow::Context;
use lienthong_runtime::config::NodeConfig;

use crate::{Outcome, hosting};

/// `lienthong node`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lienthong node --print-default-config > node.toml     every key with its default and its reason
  lienthong node --config /etc/lienthong/node.toml

Every key may be given by the environment as well: LIENTHONG_<SECTION>__<KEY>, such as LIENTHONG_GRPC__LISTEN.
All faults of the configuration are reported together. SIGTERM and Ctrl-C drain the node and end it.")]
pub(crate) struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", required_unless_present = "print_default_config")]
    config: Option<PathBuf>,
    /// Print a complete configuration with every default, and end
    #[arg(long)]
    print_default_config: bool,
}

/// Runs the node until a signal.
pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    if args.print_default_config {
        print!("{}", NodeConfig::default_toml());
        return Ok(Outcome::Fine);
    }
    let file = args.config.context("--config FILE is missing")?;
    let config = NodeConfig::load(&file, std::env::vars())?;
    let mut hosted = hosting::start(config).await?;
    let told = hosted.told_to_stop().await;
    let stopped = hosted.stop().await;
    // Why it stops is what must be told first.
    told?;
    stopped?;
    Ok(Outcome::Fine)
}
