//! `lienthong keys generate`: a signing key for an agency, or for the authority of a directory.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use lienthong_wire::keys;

use crate::Outcome;

/// `lienthong keys`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  lienthong keys generate --id 2024-xa-an-thanh-1 --out keys/xa-an-thanh-1.key

The private key stays in the file (mode 0600, never overwritten); the line that is printed goes into the directory,
into the entry of the agency, or into [authority] for the key that signs acts. Keep a copy of the file where no one else reads it: without it the agency cannot sign.")]
pub(crate) struct Args {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Make an Ed25519 signing key, and print its public half as the directory wants it
    Generate(Generate),
}

/// `generate`
#[derive(Debug, clap::Args)]
struct Generate {
    /// The key's id: 1 to 64 of A-Z a-z 0-9 . _ -, unique in the directory
    #[arg(long, value_name = "ID", value_parser = key_id)]
    id: String,
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs one command.
pub(crate) fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    let Deed::Generate(args) = args.deed;
    let key = keys::generate(&args.id)?.context("the key's id is not one")?;
    keys::save(&key, &args.out)?;
    let public = hex::encode(key.public());
    if json {
        println!(
            "{}",
            serde_json::json!({"id": key.id(), "public": public, "file": args.out.display().to_string()})
        );
    } else {
        println!("Khóa riêng / private key: {} (0600)", args.out.display());
        println!("Vào danh bạ / for the directory:");
        println!("keys = [{{ id = \"{}\", public = \"{public}\" }}]", key.id());
    }
    Ok(Outcome::Fine)
}

fn key_id(text: &str) -> Result<String, String> {
    match keys::is_key_id(text) {
        true => Ok(text.to_owned()),
        false => Err("a key id is 1 to 64 of A-Z a-z 0-9 . _ -".to_owned()),
    }
}
