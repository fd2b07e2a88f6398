//! What every link must do: the same checks over NATS and over the embedded link.

mod rig;

use std::collections::BTreeSet;

use futures::StreamExt;
use lienthong_link::{CHUNK_MESSAGES, Lane, LinkError, MAX_MESSAGE_BYTES, SendError};
use rig::{Limits, ROOMY, Rig, id, receive, take, text, until, within};

/// Runs a check over both links.
async fn check(limits: Limits, what: impl AsyncFn(&Rig)) {
    what(&rig::embedded(limits)).await;
    if let Some(nats) = rig::nats(limits).await {
        what(&nats).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_arrives_once_acknowledged_is_gone() {
    check(ROOMY, async |rig| {
        let mut mailbox = rig.open("b").await;
        for lane in Lane::ALL {
            rig.send("a", "b", lane, lane.as_str()).await.expect("taken");
        }
        let deliveries = receive(&mut mailbox, 3).await;
        until("the deliveries to be known", async || rig.mailbox("b").ack_pending == 3).await;
        for delivery in deliveries {
            assert_eq!((&delivery.from, &delivery.to, delivery.attempts), (&id("a"), &id("b"), 1));
            assert_eq!(text(&delivery), delivery.lane.as_str());
            delivery.ack.ack();
        }
        until("the acks to be known", async || {
            let status = rig.mailbox("b");
            status.pending == 0 && status.ack_pending == 0 && status.fault.is_none()
        })
        .await;
        drop(mailbox);
        let mut mailbox = rig.open("b").await;
        rig.send("a", "b", Lane::Offer, "later").await.expect("taken");
        assert_eq!(take(&mut mailbox, 1).await, ["later"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unacknowledged_comes_again_when_reopened() {
    check(ROOMY, async |rig| {
        let mut mailbox = rig.open("b").await;
        for text in ["one", "two", "three"] {
            rig.send("a", "b", Lane::Offer, text).await.expect("taken");
        }
        let mut deliveries = receive(&mut mailbox, 3).await;
        until("the deliveries to be known", async || rig.mailbox("b").ack_pending == 3).await;
        deliveries.remove(1).ack.ack();
        drop(deliveries);
        // Only so that the ack is known to have arrived; an ack may be lost.
        until("the ack", async || rig.mailbox("b").ack_pending == 2).await;
        drop(mailbox);
        let mut mailbox = rig.open("b").await;
        assert_eq!(take(&mut mailbox, 2).await, ["one", "three"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_never_opened_then_opened() {
    check(ROOMY, async |rig| {
        assert_eq!(rig.send("a", "b", Lane::Offer, "early").await, Err(SendError::NoMailbox));
        let mut mailbox = rig.open("b").await;
        rig.send("a", "b", Lane::Offer, "in time").await.expect("taken");
        assert_eq!(take(&mut mailbox, 1).await, ["in time"]);
        drop(mailbox);
        rig.send("a", "b", Lane::Offer, "while away").await.expect("taken");
        let mut mailbox = rig.open("b").await;
        // "in time" may come again: closing does not wait for acks.
        until("what came while away", async || take(&mut mailbox, 1).await.contains(&"while away".into()))
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_opens_once_at_a_time() {
    check(ROOMY, async |rig| {
        let mailbox = rig.open("b").await;
        let again = within("an answer", rig.link.open(&id("b"))).await;
        assert!(matches!(again, Err(LinkError::AlreadyOpen(agency)) if agency == id("b")));
        drop(mailbox);
        drop(rig.open("b").await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_by_bytes_until_something_is_acknowledged() {
    const PIECE: usize = 300 << 10;
    check(Limits { bytes: 1 << 20, per_sender: 100 }, async |rig| {
        let mut mailbox = rig.open("b").await;
        let mut other = rig.open("c").await;
        let mut taken = 0;
        let full = loop {
            match rig.send("a", "b", Lane::Offer, vec![7; PIECE]).await {
                Ok(()) => taken += 1,
                Err(error) => break error,
            }
        };
        assert_eq!((full, taken), (SendError::MailboxFull, 3));
        rig.send("a", "c", Lane::Offer, "elsewhere").await.expect("another mailbox has room");
        assert_eq!(take(&mut other, 1).await, ["elsewhere"]);
        for delivery in receive(&mut mailbox, 3).await {
            assert_eq!(delivery.bytes.len(), PIECE);
            delivery.ack.ack();
        }
        rig.send_until_taken("a", "b", "again").await;
        assert_eq!(take(&mut mailbox, 1).await, ["again"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sender_cannot_fill_the_mailbox_of_another() {
    check(Limits { bytes: 1 << 20, per_sender: 4 }, async |rig| {
        let mut mailbox = rig.open("b").await;
        for _ in 0..4 {
            rig.send("a", "b", Lane::Offer, "flood").await.expect("taken");
        }
        assert_eq!(rig.send("a", "b", Lane::Offer, "flood").await, Err(SendError::MailboxFull));
        rig.send("c", "b", Lane::Offer, "other").await.expect("another sender has its share");
        rig.send("a", "b", Lane::Answer, "answer").await.expect("another lane has its share");
        let mut got = take(&mut mailbox, 6).await;
        got.sort();
        assert_eq!(got, ["answer", "flood", "flood", "flood", "flood", "other"]);
        // Far more than the share, over time: acknowledging frees it each time.
        for _ in 0..12 {
            rig.send_until_taken("a", "b", "more").await;
            assert_eq!(take(&mut mailbox, 1).await, ["more"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_message_passes_and_a_larger_one_does_not() {
    check(ROOMY, async |rig| {
        let mut mailbox = rig.open("b").await;
        let larger = rig.send("a", "b", Lane::Offer, vec![1; MAX_MESSAGE_BYTES + 1]).await;
        assert_eq!(larger, Err(SendError::TooLarge { bytes: MAX_MESSAGE_BYTES + 1 }));
        // More of the largest than one pull asks for in bytes.
        for _ in 0..24 {
            rig.send("a", "b", Lane::Offer, vec![1; MAX_MESSAGE_BYTES]).await.expect("taken");
        }
        for delivery in receive(&mut mailbox, 24).await {
            assert_eq!(delivery.bytes.len(), MAX_MESSAGE_BYTES);
            delivery.ack.ack();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_in_flight_all_arrive() {
    const COUNT: usize = 3000;
    check(ROOMY, async |rig| {
        let mut mailbox = rig.open("b").await;
        let sends = futures::stream::iter(0..COUNT)
            .map(|n| async move { rig.send("a", "b", Lane::Offer, n.to_string()).await.expect("taken") })
            .buffer_unordered(512)
            .count();
        let receives = async {
            let mut seen = BTreeSet::new();
            while seen.len() < COUNT {
                let chunk = within("a chunk", mailbox.next()).await.expect("open");
                assert!((1..=CHUNK_MESSAGES).contains(&chunk.len()));
                for delivery in chunk {
                    seen.insert(text(&delivery));
                    delivery.ack.ack();
                }
            }
        };
        let (sent, ()) = tokio::join!(sends, receives);
        assert_eq!(sent, COUNT);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn unacknowledged_comes_again_after_a_while() {
    let rig = rig::embedded(ROOMY);
    let mut mailbox = rig.open("b").await;
    rig.send("a", "b", Lane::Offer, "patience").await.expect("taken");
    let first = receive(&mut mailbox, 1).await;
    let before = tokio::time::Instant::now();
    let second = receive(&mut mailbox, 1).await.remove(0);
    assert!(before.elapsed() >= lienthong_link::ACK_WAIT);
    assert_eq!((text(&second), second.attempts, first[0].attempts), ("patience".into(), 2, 1));
}
