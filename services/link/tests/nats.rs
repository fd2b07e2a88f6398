//! What only a server can do to us: go away, lose everything, stall, and be written to by strangers.

mod rig;

use async_nats::jetstream;
use lienthong_link::{Lane, Link, LinkKind, NatsConfig, NatsLink, SendError, stream_name};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::{ROOMY, Rig, id, receive, take, text, until};

/// A connection of an operator or a stranger, beside the link's own.
async fn stranger(rig: &Rig) -> jetstream::Context {
    let url = rig.server.as_ref().expect("a server").url();
    jetstream::new(async_nats::connect(url).await.expect("a connection"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_everything_is_filled_again() {
    let Some(mut rig) = rig::nats(ROOMY).await else { return };
    let mut mailbox = rig.open("b").await;
    rig.send("a", "b", Lane::Offer, "before").await.expect("taken");
    let old = receive(&mut mailbox, 1).await.remove(0);
    rig.send("a", "b", Lane::Offer, "lost").await.expect("taken");
    let lost = receive(&mut mailbox, 1).await;

    rig.server().kill().await;
    until("the loss to be noticed", async || !rig.link.status().connected).await;
    let away = rig.send("a", "b", Lane::Offer, "while away").await;
    assert!(matches!(away, Err(SendError::Unreachable(_))), "{away:?}");
    std::fs::remove_dir_all(rig.server().store_dir()).expect("wiped");
    rig.server().restart().await.expect("started again");

    rig.send_until_taken("a", "b", "after").await;
    // The stream is there a moment before its consumer.
    let whole = async || {
        let status = rig.mailbox("b");
        status.repairs > 0 && status.stalls == 0 && status.fault.is_none()
    };
    until("the mailbox to be whole again", whole).await;
    // The acks of before name sequence numbers that are now other messages: they must free nothing.
    let after = receive(&mut mailbox, 1).await;
    assert_eq!(text(&after[0]), "after");
    old.ack.ack();
    drop((lost, after, mailbox));
    let mut mailbox = rig.open("b").await;
    // More than once, if a send was taken but not answered.
    assert_eq!(take(&mut mailbox, 1).await[0], "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_and_restarted_loses_nothing_it_still_has() {
    let Some(mut rig) = rig::nats(ROOMY).await else { return };
    let mut mailbox = rig.open("b").await;
    let (port, pid) = (rig.server().port(), rig.server().pid());
    rig.send("a", "b", Lane::Offer, "unacked").await.expect("taken");
    drop(receive(&mut mailbox, 1).await);
    drop(mailbox);
    rig.send("a", "b", Lane::Offer, "waiting").await.expect("taken");
    rig.server().kill().await;
    rig.server().restart().await.expect("started again");
    assert_eq!(rig.server().port(), port);
    assert_ne!(rig.server().pid(), pid);
    until("the connection", async || rig.link.status().connected).await;
    let mut mailbox = rig.open("b").await;
    assert_eq!(take(&mut mailbox, 2).await, ["unacked", "waiting"]);
    assert_eq!(rig.mailbox("b").repairs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_mailbox_goes_on_after_a_restart() {
    let Some(mut rig) = rig::nats(ROOMY).await else { return };
    let mut mailbox = rig.open("b").await;
    for round in ["first", "second", "third"] {
        rig.server().restart().await.expect("started again");
        rig.send_until_taken("a", "b", round).await;
        // Earlier ones may come again: their acks may have died with the server.
        until("the message of this round", async || take(&mut mailbox, 1).await.contains(&round.into()))
            .await;
    }
    assert_eq!(rig.mailbox("b").repairs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_started_before_its_server() {
    let Some((mut server, _dir)) = rig::server().await else { return };
    server.kill().await;
    let link = rig::connect(&server.url(), ROOMY).await;
    let status = link.status();
    assert_eq!((status.kind, status.connected, status.server), (LinkKind::Nats, false, None));
    let mut mailbox = link.open(&id("b")).await.expect("opened without a server");
    let away = link.send(&id("a"), &id("b"), Lane::Offer, "early".into()).await;
    assert!(matches!(away, Err(SendError::Unreachable(_))), "{away:?}");
    assert!(link.status().mailboxes[0].fault.is_some());
    server.restart().await.expect("started");
    until("a send", async || link.send(&id("a"), &id("b"), Lane::Offer, "late".into()).await.is_ok()).await;
    assert_eq!(take(&mut mailbox, 1).await, ["late"]);
    let known = link.status().server.expect("a server");
    assert_eq!(
        (known.address, known.version.as_str()),
        (format!("127.0.0.1:{}", server.port()), server.version())
    );
    assert!(link.status().mailboxes[0].fault.is_none());
    server.stop().await;
    until("the loss to be noticed", async || !link.status().connected).await;
    assert!(link.status().server.is_some(), "an operator still sees which server it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_consumer_or_stream_is_made_anew() {
    let Some(rig) = rig::nats(ROOMY).await else { return };
    let mut mailbox = rig.open("b").await;
    let operator = stranger(&rig).await;
    let stream = operator.get_stream(stream_name(&id("b"))).await.expect("the stream");
    stream.delete_consumer("mailbox").await.expect("deleted");
    rig.send("a", "b", Lane::Offer, "one").await.expect("taken");
    assert_eq!(take(&mut mailbox, 1).await, ["one"]);
    assert_eq!(rig.mailbox("b").repairs, 1);
    operator.delete_stream(stream_name(&id("b"))).await.expect("deleted");
    rig.send_until_taken("a", "b", "two").await;
    assert_eq!(take(&mut mailbox, 1).await, ["two"]);
    assert_eq!(rig.mailbox("b").repairs, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_limits_are_applied_when_reopened() {
    let Some(rig) = rig::nats(ROOMY).await else { return };
    drop(rig.open("b").await);
    let smaller = rig::Limits { bytes: 1 << 20, per_sender: 1 };
    let link = rig::connect(&rig.server.as_ref().expect("a server").url(), smaller).await;
    until("the connection", async || link.status().connected).await;
    let _mailbox = link.open(&id("b")).await.expect("opened");
    rig.send("a", "b", Lane::Offer, "one").await.expect("taken");
    assert_eq!(rig.send("a", "b", Lane::Offer, "two").await, Err(SendError::MailboxFull));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_names_no_sender_is_taken_off_and_counted() {
    let Some(rig) = rig::nats(ROOMY).await else { return };
    let mut mailbox = rig.open("b").await;
    let stranger = stranger(&rig).await;
    for subject in ["lt.v1.b.from.A_B.offer", "lt.v1.b.from.a.parcel"] {
        let sent = stranger.publish(subject, "poison".into()).await.expect("sent");
        sent.await.expect("taken");
    }
    rig.send("a", "b", Lane::Offer, "good").await.expect("taken");
    assert_eq!(take(&mut mailbox, 1).await, ["good"]);
    assert_eq!(rig.mailbox("b").malformed, 2);
    let mut stream = stranger.get_stream(stream_name(&id("b"))).await.expect("the stream");
    until("the stream to be empty", async || stream.info().await.expect("known").state.messages == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_consumer_is_made_anew() {
    let Some(rig) = rig::nats(ROOMY).await else { return };
    let mut mailbox = rig.open("b").await;
    let operator = stranger(&rig).await;
    let stream = operator.get_stream(stream_name(&id("b"))).await.expect("the stream");
    // A paused consumer keeps up its heartbeats and delivers nothing: just what a stall looks like.
    let later = async_nats::datetime::parse_rfc3339("2100-01-01T00:00:00Z").expect("a time");
    stream.pause_consumer("mailbox", later).await.expect("paused");
    rig.send("a", "b", Lane::Offer, "stuck").await.expect("taken");
    assert_eq!(take(&mut mailbox, 1).await, ["stuck"]);
    assert_eq!(rig.mailbox("b").stalls, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_waited_out() {
    let Some(rig) = rig::nats(ROOMY).await else { return };
    let mut mailbox = rig.open("b").await;
    let server = Pid::from_raw(rig.server.as_ref().and_then(|s| s.pid()).expect("running") as i32);
    kill(server, Signal::SIGSTOP).expect("frozen");
    let stat = format!("/proc/{server}/stat");
    until("the frost", async || std::fs::read_to_string(&stat).expect("there").contains(") T ")).await;
    let frozen = rig.send("a", "b", Lane::Offer, "into the ice").await;
    assert!(matches!(frozen, Err(SendError::Unreachable(_))), "{frozen:?}");
    kill(server, Signal::SIGCONT).expect("thawed");
    rig.send_until_taken("a", "b", "thawed").await;
    until("the message", async || take(&mut mailbox, 1).await.contains(&"thawed".into())).await;
    until("all to be well", async || rig.link.status().connected && rig.mailbox("b").fault.is_none()).await;
    assert_eq!(rig.mailbox("b").repairs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_does_not_fit_says_so() {
    let small = rig::server_with(|options| options.max_file_store = 100 << 20).await;
    let Some((server, _dir)) = small else { return };
    let link = rig::connect(&server.url(), ROOMY).await;
    until("the connection", async || link.status().connected).await;
    let _first = link.open(&id("a")).await.expect("opened");
    let _second = link.open(&id("b")).await.expect("opened, but out of order");
    let faults: Vec<_> = link.status().mailboxes.into_iter().map(|mailbox| mailbox.fault).collect();
    assert_eq!(faults[0], None);
    assert!(faults[1].as_ref().is_some_and(|fault| fault.contains("insufficient storage")), "{faults:?}");
    let sent = link.send(&id("a"), &id("b"), Lane::Offer, "nowhere".into()).await;
    assert_eq!(sent, Err(SendError::NoMailbox));
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_pin_the_sender_and_the_mailbox() {
    // A key made for documentation, with the rights that a node of agency b needs, and no others.
    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    const RIGHTS: &str = r#"
        authorization { users: [ {
          nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4
          permissions {
            publish: [
              "lt.v1.*.from.b.*", "$JS.ACK.LT_b.>",
              "$JS.API.STREAM.INFO.LT_b", "$JS.API.STREAM.CREATE.LT_b", "$JS.API.STREAM.UPDATE.LT_b",
              "$JS.API.CONSUMER.INFO.LT_b.mailbox", "$JS.API.CONSUMER.CREATE.LT_b.mailbox",
              "$JS.API.CONSUMER.DELETE.LT_b.mailbox", "$JS.API.CONSUMER.MSG.NEXT.LT_b.mailbox"
            ]
            subscribe: [ "_INBOX_node-b.>" ]
          }
        } ] }"#;
    let Some((server, dir)) = rig::server_with(|options| options.extra_config = RIGHTS.into()).await else {
        return;
    };
    let seed = dir.path().join("seed");
    std::fs::write(&seed, format!("{SEED}\n")).expect("written");
    let config = NatsConfig { nkey_seed_file: Some(seed), ..NatsConfig::new(server.url(), "node-b") };
    let link = Link::Nats(NatsLink::connect(config).await.expect("a good configuration"));
    until("the connection", async || link.status().connected).await;

    let mut mailbox = link.open(&id("b")).await.expect("opened");
    link.send(&id("b"), &id("b"), Lane::Ctl, "mine".into()).await.expect("allowed");
    assert_eq!(take(&mut mailbox, 1).await, ["mine"]);
    let posing = link.send(&id("a"), &id("b"), Lane::Ctl, "posing".into()).await;
    assert!(matches!(posing, Err(SendError::Unreachable(_))), "{posing:?}");
    let _other = link.open(&id("c")).await.expect("opened, but out of order");
    until("the fault to be shown", async || link.status().mailboxes[1].fault.is_some()).await;
    // What was refused has not disturbed what is allowed.
    link.send(&id("b"), &id("b"), Lane::Ctl, "still mine".into()).await.expect("allowed");
    assert_eq!(take(&mut mailbox, 1).await, ["still mine"]);

    let nobody = rig::connect(&server.url(), ROOMY).await;
    let sent = nobody.send(&id("a"), &id("b"), Lane::Offer, "let me in".into()).await;
    assert!(matches!(sent, Err(SendError::Unreachable(_))), "{sent:?}");
    assert!(!nobody.status().connected);
}
