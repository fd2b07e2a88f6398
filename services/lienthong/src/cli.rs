//! The command line: its words, its help, and what several commands share.

use clap::{Parser, Subcommand};

use crate::{
    authority, bench, copies, dev, dossier, fsck, keys, ledger, node, play, quarantine, status, trail,
};

/// Liên Thông carries administrative dossiers (hồ sơ) between one-stop desks, and proves every hand-off.
#[derive(Debug, Parser)]
#[command(name = "lienthong", version, long_version = LONG_VERSION, after_help = START, max_term_width = 110)]
pub(crate) struct Cli {
    /// Print JSON (the messages of the gRPC contract) instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A small province in one process, with a morning's work played on it
    Dev(dev::Args),
    /// One node, of one or several agencies, as a daemon
    Node(node::Args),
    /// Work with dossiers as an officer of an agency
    Dossier(dossier::Args),
    /// Export the proof of a dossier's trail, or check one without network or database
    Trail(trail::Args),
    /// Verify a ledger at rest
    Ledger(ledger::Args),
    /// Copy a node's ledger while the node runs
    Backup(copies::Backup),
    /// Put a backup back; the node then recovers from its peers what happened since
    Restore(copies::Restore),
    /// Check a stopped node's ledger and rebuild its queues
    Fsck(fsck::Args),
    /// Make signing keys
    Keys(keys::Args),
    /// Retire an agency that is gone for good: sign the act, bring it to a node
    Authority(authority::Args),
    /// What could not be processed: look at it, process it again, or leave it at that
    Quarantine(quarantine::Args),
    /// Play a morning: acts of officers, from a text file, against a running node
    Play(play::command::Args),
    /// Measure hand-offs end to end on this machine
    Bench(bench::Args),
    /// What a node holds, what waits, why, since when, and who must act
    Status(status::Args),
}

const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nwire contract: lienthong.v1 (statements *.v1, evidence format 1)",
    "\nlicence: Apache-2.0"
);

const START: &str = "\
Examples:
  lienthong dev                                  a small province in one process, with a morning's work played on it
  lienthong status                               what the node on this machine holds and what waits
  lienthong dossier list --as xa-an-thanh-1      the dossiers of one agency
  lienthong dossier trail CODE --as AGENCY       the control sheet (phiếu kiểm soát) of one dossier
  lienthong trail verify FILE                    check exported evidence, trusting nobody

Exit codes: 0 done, 1 refused or found faulty, 2 wrong usage.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_prints() {
        fn walk(command: &mut clap::Command) {
            let help = command.render_long_help().to_string();
            assert!(!help.is_empty());
            command.get_subcommands_mut().for_each(walk);
        }
        walk(&mut Cli::command());
    }

    #[test]
    fn usage_faults_are_faults_of_the_command_line() {
        for line in ["lienthong", "lienthong dossier offer X", "lienthong dossier list --phase lost --as a"] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
