//! Somebody is away for long: the mailbox keeps one copy of what waits, not one for each resend, and nothing is lost when
//! the mailbox is.

use crate::scene::turn;
use lienthong_link::server::NatsServer;
use lienthong_proto::v1;
use lienthong_tests::{Desk, LONG, Ops, Province, eventually, watched_broker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Dossiers that wait for b.
const WAITING: usize = 40;
/// Resends that are due meanwhile, for each.
const RESENDS: u32 = 8;

async fn offer(desk: &Desk, from: usize, to: usize) {
    for n in from..to {
        let id = desk.submit(&format!("submit-{n}"), b"noi dung").await.unwrap().dossier_id;
        desk.offer(&format!("offer-{n}"), &id, "b").await.unwrap();
    }
}

/// Waits until each row without a receipt was due so often.
async fn until_due(ops: &Ops, times: u32) {
    let due = async || {
        let mut rows = ops.outbox().await.ok()?;
        rows.retain(|row| row.reason() == v1::WaitReason::Receipt);
        (rows.len() == WAITING && rows.iter().all(|row| row.attempts >= times)).then_some(())
    };
    eventually(LONG, "all rows were due several times", due).await;
}

/// Waits until b has signed for so many, and nothing is under way.
async fn until_received(ops: &Ops, count: usize) {
    let received = async || {
        let peers = ops.peers().await.ok()?;
        let undecided: u64 = peers.iter().map(|peer| peer.undecided).sum();
        (peers.iter().all(|peer| peer.waiting == 0) && undecided == count as u64).then_some(())
    };
    eventually(LONG, "b has signed for all", received).await;
}

/// Deletes a stream as an operator might, without any connection being broken.
async fn delete_stream(broker: &NatsServer, stream: &str) {
    let mut nats = TcpStream::connect(("127.0.0.1", broker.port())).await.unwrap();
    let commands = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB done 1\r\nPUB $JS.API.STREAM.DELETE.{stream} done 0\r\n\r\n"
    );
    nats.write_all(commands.as_bytes()).await.unwrap();
    let (mut told, mut some) = (String::new(), [0; 1_024]);
    while !told.contains("\"success\":true") {
        let read = nats.read(&mut some).await.unwrap();
        assert!(read > 0 && !told.contains("\"error\""), "nats-server says {told}");
        told += &String::from_utf8_lossy(&some[..read]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailbox_of_who_is_away_keeps_one_copy_and_may_be_lost() {
    let _turn = turn().await;
    let dir = tempfile::tempdir().unwrap();
    let Some((broker, monitor)) = watched_broker(dir.path()).await else { return };
    let mut province = Province::lay_out_with(&broker.url(), &[&["a"], &["b"]], |config| {
        (config.delivery.resend_first_ms, config.delivery.resend_max_ms) = (50, 200);
    });
    province.start().await;
    let (desk, ops) = (province.desk("a"), province.ops("a"));
    // What a and b said when they started is taken off before b goes.
    eventually(LONG, "all is quiet", async || (monitor.messages().await? == 0).then_some(())).await;
    province.node("b").kill().await;
    offer(&desk, 0, WAITING).await;
    until_due(&ops, RESENDS).await;
    let kept = monitor.messages().await.unwrap();
    // And a knock or two, when this takes long.
    assert!((1..=WAITING as u64 + 4).contains(&kept), "{kept} messages for {WAITING} dossiers");

    // b is back, and reads its mailbox.
    province.node("b").start().await;
    until_received(&ops, WAITING).await;

    // While b is away its mailbox is deleted: b makes a new one, greets, and what was in the old one comes again.
    province.node("b").kill().await;
    offer(&desk, WAITING, 2 * WAITING).await;
    until_due(&ops, 2).await;
    delete_stream(&broker, "LT_b").await;
    province.node("b").start().await;
    until_received(&ops, 2 * WAITING).await;
    let received = province.ops("b").agency().await.unwrap().inbox;
    assert_eq!(received as usize, 2 * WAITING);
    province.stop().await;
}
