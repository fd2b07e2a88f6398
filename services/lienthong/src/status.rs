//! `lienthong status`: what a node holds, what waits, why, since when, and who must act.

use lienthong_proto::v1::{GetStatusRequest, GetStatusResponse, ListPeersRequest, Peer, WaitReason};

use crate::Outcome;
use crate::client::{Client, Door};
use crate::dossier::show::{lines, table};
use crate::failure::Refusal;
use crate::{json, time, words};

/// `lienthong status`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lienthong status                                     the node on this machine
  lienthong status --node http://10.0.0.5:7443 --json  for scripts

Exit code 1 when the node is not ready.")]
pub(crate) struct Args {
    #[command(flatten)]
    door: Door,
}

/// Asks and prints.
pub(crate) async fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    let client = Client::connect(&args.door.node).await?;
    let status = ask(&client).await?;
    if json {
        json::print("GetStatusResponse", &status)?;
    } else {
        head(&status);
        agencies(&status);
        waiting(&client, &status).await?;
    }
    Ok(if status.ready { Outcome::Fine } else { Outcome::Faulty })
}

/// The node's status.
pub(crate) async fn ask(client: &Client) -> anyhow::Result<GetStatusResponse> {
    Ok(client.node().get_status(GetStatusRequest {}).await.map_err(Refusal::from)?.into_inner())
}

fn head(status: &GetStatusResponse) {
    let link = if status.link_connected {
        "đã kết nối / connected"
    } else {
        "MẤT KẾT NỐI / NOT CONNECTED"
    };
    let ready = match status.ready {
        true => "có / yes".to_owned(),
        false => format!("CHƯA / NOT YET: {}", status.waiting_for.join(", ")),
    };
    let started = i64::try_from(status.started_at_ms).unwrap_or(i64::MAX);
    println!("Nút / node {}", status.node_name);
    lines(&[
        ("Phiên bản / version", status.version.clone()),
        ("Sẵn sàng / ready", ready),
        ("Liên kết / link", format!("{} {} — {link}", status.link_kind, status.link_server)),
        ("Khởi động / started", time::short(started)),
        ("Lần ghi / commits", status.commits.to_string()),
    ]);
    status.start_report.iter().for_each(|line| println!("  Lúc khởi động / at start: {line}"));
}

/// A table of what each agency holds.
pub(crate) fn agencies(status: &GetStatusResponse) {
    let header = [
        "Cơ quan",
        "Giữ",
        "Đã giao",
        "Chờ nhận",
        "Chuyển đi",
        "Theo dõi",
        "Đã trả",
        "Chờ gửi",
        "Cách ly",
        "Sổ cái",
    ];
    let mut table = table(header);
    for a in &status.agencies {
        let numbers = [
            a.held,
            a.offered,
            a.inbox,
            a.gone,
            a.followed,
            a.closed,
            a.outbox,
            a.quarantined,
            a.ledger_size,
        ];
        let name = if a.name.is_empty() { &a.agency } else { &a.name };
        table.add_row(std::iter::once(name.clone()).chain(numbers.map(|n| n.to_string())));
    }
    for index in 1..header.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    println!("{table}");
}

async fn waiting(client: &Client, status: &GetStatusResponse) -> anyhow::Result<()> {
    let mut table = table(["Từ", "Đến", "Chờ", "Lý do", "Từ lúc", "Ai phải làm"]);
    for agency in &status.agencies {
        let request = ListPeersRequest { agency: agency.agency.clone() };
        let peers = client.node().list_peers(request).await.map_err(Refusal::from)?.into_inner().peers;
        for peer in peers.iter().filter(|p| waits(p)) {
            let reason = words::wait(WaitReason::try_from(peer.reason).unwrap_or_default());
            let count = peer.waiting + peer.in_flight + peer.undecided;
            table.add_row([
                agency.name.clone(),
                peer.name.clone(),
                count.to_string(),
                reason.to_owned(),
                time::short(peer.oldest_since_ms),
                peer.must_act.clone(),
            ]);
        }
    }
    if table.row_count() == 0 {
        println!("Không có gì chờ / nothing waits");
    } else {
        println!("{table}");
    }
    Ok(())
}

fn waits(peer: &Peer) -> bool {
    peer.waiting + peer.in_flight + peer.undecided > 0
}
