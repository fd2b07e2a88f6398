//! What a batch carries: how much of the disk it takes, and the trace of who asked.

mod world;

use lienthong_core::custody::arrival::Arrival;
use lienthong_core::custody::command::{Act, Command};
use lienthong_core::ids::{Digest, Instant, WallMs};
use lienthong_core::limits;
use lienthong_core::node::{Answer, Input, Node, Now};
use lienthong_core::reason::Reason;
use lienthong_core::record::{CommandRef, Origin, Quarantined, Record, TraceContext};
use lienthong_core::statement::{Kind, Officer};
use std::sync::Arc;
use world::codec::Plain;
use world::people::{dossier, offer};
use world::{TIMING, World, directory, id};

const NOW: Now = Now { mono: Instant(0), wall: WallMs(0) };

/// A node with nothing but its first record.
fn opened() -> Node<Plain> {
    let peers = directory(&["a", "b"], 1, |_, _| true);
    Node::open(id("a"), Plain, peers, TIMING, NOW)
}

fn officer() -> Officer {
    Officer { id: "i".repeat(limits::OFFICER_BYTES), name: "n".repeat(limits::OFFICER_BYTES) }
}

fn trace() -> Option<Arc<TraceContext>> {
    Some(Arc::new(TraceContext { traceparent: "p".repeat(55), tracestate: "s".repeat(256) }))
}

/// Never counted too low, or a batch would outgrow a commit; nor so high that commits stay small.
#[test]
fn what_the_next_batch_takes_is_counted() {
    let mut node = opened();
    let mut before = 0;
    let mut counted = |node: &Node<Plain>, carried: usize| {
        let took = node.pending_bytes() - before;
        before = node.pending_bytes();
        let low = carried + 500; // frame, proof and fields
        assert!(low <= took && took <= low + 200, "{took} for {carried} bytes");
    };
    counted(&node, 0);
    let call = CommandRef { key: "k".into(), digest: Digest::ZERO };
    let act = dossier(Some(&"hồ sơ ".repeat(300)), None);
    let Act::Submit(submit) = &act else { panic!("no intake") };
    let content = submit.content.as_ref().unwrap().1.len();
    let command = Command { call, officer: officer(), trace: trace(), act };
    let Ok(Answer::Done { track, sid, .. }) = node.step(NOW, Input::Command(command)) else {
        panic!("not taken in")
    };
    let size = node.state().track(&track).unwrap().entry(&sid).unwrap().size as usize;
    counted(&node, size - limits::PROOF_ROOM + content + 55 + 256);
    let bytes: Option<Arc<[u8]>> = Some(vec![0; 5_000].into());
    let (from, reason, sha256, at) = (id("b"), Reason::Fork, Digest::ZERO, WallMs(0));
    let kept = Quarantined { from, reason, sha256, length: 5_000, at, bytes };
    node.step(NOW, Input::Quarantine(kept)).unwrap();
    counted(&node, 5_000);
    let purpose = "đọc để thẩm định ".repeat(50);
    let read = purpose.len() + 2 * limits::OFFICER_BYTES;
    node.step(NOW, Input::Read { track, officer: officer(), purpose }).unwrap();
    counted(&node, read);
    node.step(NOW, Input::Snapshot(Digest::ZERO)).unwrap();
    counted(&node, 0);
    node.batch(NOW).unwrap();
    assert_eq!(node.pending_bytes(), 0, "what was handed over no longer waits");
}

/// The trace of an envelope is kept with what it was about, not with what its certificate taught.
#[test]
fn a_trace_stays_with_its_statement() {
    let mut world = World::new(&["a", "b"]);
    let Ok(Answer::Done { track, .. }) = world.ask(&id("a"), dossier(None, None)).unwrap() else {
        panic!("not taken in")
    };
    world.ask(&id("a"), offer(track, id("b"))).unwrap().unwrap();
    let letter = world.letters[0].clone();
    let (from, statement) = (letter.from, letter.statement);
    let arrival =
        Arrival { from, statement, certificate: letter.certificate, content: letter.content, trace: trace() };
    let (b, now) = (id("b"), world.now(&id("b")));
    let node = world.at_mut(&b).node.as_mut().unwrap();
    node.step(now, Input::Arrival(arrival)).unwrap();
    let traces = node.batch(now).unwrap().records.into_iter().filter_map(|r| match r {
        Record::Statement(s) => Some((s.origin, s.statement.body.kind(), s.trace)),
        _ => None,
    });
    let wanted = [
        (Origin::Learned, Kind::Intake, None),
        (Origin::Taken, Kind::Offer, trace()),
        (Origin::Made, Kind::Received, None),
    ];
    assert_eq!(traces.collect::<Vec<_>>(), wanted);
}
