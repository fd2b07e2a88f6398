//! `lienthong dossier …`: what an officer of a one-stop desk does, over gRPC.

mod act;
mod change;
mod look;
pub(crate) mod show;
mod watch;

use clap::Subcommand;

use crate::Outcome;
use crate::client::{Client, Door};

/// `lienthong dossier`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    door: Door,
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Take a dossier in (tiếp nhận hồ sơ); the agency becomes its custodian
    Submit(act::Submit),
    /// One dossier, as the agency sees it
    Show(look::Show),
    /// The agency's dossiers
    List(look::List),
    /// Offer a dossier to another agency (giao); the giver is locked until the receiver decides
    Offer(act::Offer),
    /// Sign for an offered dossier (nhận); custody moves here
    Accept(act::Accept),
    /// Refuse an offered dossier, with a reason (từ chối nhận)
    Refuse(act::Refuse),
    /// Ask for an offered dossier back (lấy lại); the receiver's node decides, it may have accepted already
    Recall(act::Recall),
    /// Remark on the trail of a dossier that the agency holds (ghi chú)
    Note(act::Note),
    /// Say that the work on a dossier is done (hoàn thành giải quyết)
    Complete(act::Complete),
    /// Say that the result was returned to the applicant (trả kết quả); closes the track
    Return(act::Return),
    /// The control sheet (phiếu kiểm soát quá trình giải quyết hồ sơ)
    Trail(look::Trail),
    /// What came in for the agency, oldest first
    Inbox(look::Inbox),
    /// The same, going on as things arrive, until Ctrl-C
    Watch(watch::Watch),
}

const EXAMPLES: &str = "\
Name the agency and the officer once, in the environment:
  export LIENTHONG_AGENCY=xa-an-thanh-1 LIENTHONG_OFFICER_ID=at1-01 LIENTHONG_OFFICER_NAME='Trần Văn Phúc'

Examples:
  lienthong dossier submit --procedure 1.001193 --channel counter --content to-khai.json
  lienthong dossier offer H51.40.02-240115-0001 --to huyen-cu-lao-dung --step 'Thẩm định' --due '17/01/2024 16:30'
  lienthong dossier inbox --as huyen-cu-lao-dung --undecided
  lienthong dossier accept ID --as huyen-cu-lao-dung
  lienthong dossier refuse ID --as huyen-cu-lao-dung --reason 'Thiếu giấy chứng sinh'
  lienthong dossier trail H51.40.02-240115-0001

A dossier is named by its code (mã hồ sơ) or by its id of 64 hexadecimal digits.
Every changing command prints its idempotency key; the same command with the same --key is done once.";

/// Runs one command.
pub(crate) async fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    let client = Client::connect(&args.door.node).await?;
    match args.deed {
        Deed::Submit(args) => change::submit(&client, args, json).await?,
        Deed::Offer(args) => change::offer(&client, args, json).await?,
        Deed::Accept(args) => change::accept(&client, args, json).await?,
        Deed::Refuse(args) => change::refuse(&client, args, json).await?,
        Deed::Recall(args) => change::recall(&client, args, json).await?,
        Deed::Note(args) => change::note(&client, args, json).await?,
        Deed::Complete(args) => change::complete(&client, args, json).await?,
        Deed::Return(args) => change::give_back(&client, args, json).await?,
        Deed::Show(args) => look::show(&client, args, json).await?,
        Deed::List(args) => look::list(&client, args, json).await?,
        Deed::Trail(args) => look::trail(&client, args, json).await?,
        Deed::Inbox(args) => look::inbox(&client, args, json).await?,
        Deed::Watch(args) => watch::run(&client, args, json).await?,
    }
    Ok(Outcome::Fine)
}
