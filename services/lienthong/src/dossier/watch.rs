//! `lienthong dossier watch`: the inbox as a stream.

use lienthong_proto::v1::WatchInboxRequest;

use super::show;
use crate::client::{As, Client};
use crate::failure::Refusal;
use crate::json;
use crate::names::Names;

/// `watch`
#[derive(Debug, clap::Args)]
pub(super) struct Watch {
    #[command(flatten)]
    who: As,
    /// Only what comes after this cursor
    #[arg(long, value_name = "CURSOR")]
    after: Option<u64>,
}

pub(super) async fn run(client: &Client, args: Watch, json: bool) -> anyhow::Result<()> {
    let request = WatchInboxRequest { agency: args.who.agency.clone(), after: args.after };
    let mut stream = client.dossiers().watch_inbox(request).await.map_err(Refusal::from)?.into_inner();
    let names = Names::from_node(client, &args.who.agency).await;
    let mut last = args.after;
    loop {
        let next = tokio::select! {
            next = stream.message() => next,
            stop = tokio::signal::ctrl_c() => {
                stop?;
                break;
            }
        };
        match next {
            Ok(Some(answer)) => {
                let Some(event) = answer.event else { continue };
                last = Some(event.cursor);
                if json {
                    json::print_line("InboxEvent", &event)?;
                } else {
                    println!("{}", show::event(&event, &names).join("  "));
                }
            }
            Ok(None) => break,
            Err(status) => {
                resume(last);
                return Err(Refusal::from(status).into());
            }
        }
    }
    resume(last);
    Ok(())
}

fn resume(last: Option<u64>) {
    if let Some(cursor) = last {
        eprintln!("Tiếp tục / resume: --after {cursor}");
    }
}
