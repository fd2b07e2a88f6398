//! The spine: each rule by one statement that breaks it; and its two readers, [`Walk`] over statements and `Standing`
//! over entries, held against each other on heaps of statements that come in any order.

mod world;

use lienthong_core::codec::Codec;
use lienthong_core::custody::spine::{Break, Walk};
use lienthong_core::custody::state::State;
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, Incarnation, LedgerIndex, Sid, TrackId, WallMs};
use lienthong_core::limits;
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{
    Accept, Body, Cancel, Channel, Claim, Commitment, Completed, HandOffKind, Intake, Note, Offer,
    RefusalCause, Refuse, Resolution, Returned, Statement,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use world::codec::{Plain, commit};
use world::id;

/// A statement that `maker` signs.
fn say(maker: &AgencyId, body: Body) -> Statement {
    let claim = Claim {
        agency: maker.clone(),
        incarnation: Incarnation(0),
        index: LedgerIndex(1),
        head: Head::EMPTY,
        made_at: WallMs(0),
        epoch: 1,
        officer: None,
    };
    let sealed = Plain.seal(&claim, &body);
    Statement { claim, body, sealed }
}

fn intake(content: Option<Commitment>) -> Body {
    Body::Intake(Intake {
        code: "H51.0-240115-0001".into(),
        procedure: "1.001193".into(),
        procedure_version: 1,
        channel: Channel::Counter,
        content,
        due_at: None,
        papers: Vec::new(),
        parent: None,
    })
}

fn note(track: TrackId, prev: Sid) -> Body {
    Body::Note(Note { track, prev, text: String::new() })
}

fn offer(track: TrackId, prev: Sid, hop: u32, to: &AgencyId, content: Option<Commitment>) -> Body {
    Body::Offer(Offer {
        track,
        prev,
        hop: Hop(hop),
        to: to.clone(),
        kind: HandOffKind::Forward,
        procedure: "1.001193".into(),
        procedure_version: 1,
        step: String::new(),
        due_at: None,
        papers: Vec::new(),
        content,
        note: String::new(),
    })
}

fn accept(track: TrackId, tid: Sid, hop: u32) -> Body {
    Body::Accept(Accept { track, tid, hop: Hop(hop), note: String::new() })
}

fn refuse(track: TrackId, tid: Sid, hop: u32) -> Body {
    let (cause, reason) = (RefusalCause::Policy, String::new());
    Body::Refuse(Refuse { track, tid, hop: Hop(hop), cause, reason })
}

fn completed(track: TrackId, prev: Sid) -> Body {
    Body::Completed(Completed { track, prev, resolution: Resolution::Resolved, note: String::new() })
}

fn returned(track: TrackId, prev: Sid) -> Body {
    Body::Returned(Returned { track, prev, channel: Channel::Post, note: String::new() })
}

/// A walk at the intake by A, with a content.
fn begun() -> (Walk, AgencyId, AgencyId, TrackId) {
    let walk = Walk::begin(&say(&id("a"), intake(Some(commit(b"ho so"))))).unwrap();
    let track = walk.track;
    (walk, id("a"), id("b"), track)
}

/// Takes a statement that follows.
fn go(walk: &mut Walk, maker: &AgencyId, body: impl Fn(Sid) -> Body) {
    walk.step(&say(maker, body(walk.last))).unwrap();
}

/// Takes no statement that breaks this rule, and stays where it was.
fn stays(walk: &Walk, maker: &AgencyId, body: Body, why: Break) {
    let mut tried = walk.clone();
    assert_eq!(tried.step(&say(maker, body.clone())), Err(why), "{body:?}");
    assert_eq!(tried, *walk, "a refused statement moved the walk: {body:?}");
}

#[test]
fn it_begins_with_one_intake_and_stays_on_its_track() {
    let (walk, a, _, track) = begun();
    assert_eq!(Walk::begin(&say(&a, note(track, track))).unwrap_err(), Break::Intake);
    assert_eq!(Walk::along([].into_iter()).unwrap_err(), Break::Intake);
    stays(&walk, &a, intake(None), Break::Intake);
    let other = Digest([9; 32]);
    stays(&walk, &a, note(other, track), Break::Track);
    stays(&walk, &a, note(track, other), Break::Predecessor);
    let cancel = Body::Cancel(Cancel { track, tid: track, reason: String::new() });
    for beside in
        [cancel, Body::Received(vec![]), Body::Ack(vec![]), Body::Checkpoint { purpose: String::new() }]
    {
        stays(&walk, &a, beside, Break::Kind);
    }
    assert_eq!(*walk.next_maker(), a);
}

#[test]
fn only_the_holder_speaks_and_only_the_receiver_decides() {
    let (mut walk, a, b, track) = begun();
    let content = Some(commit(b"ho so"));
    stays(&walk, &b, note(track, walk.last), Break::Holder);
    stays(&walk, &a, accept(track, walk.last, 0), Break::Offered);
    stays(&walk, &a, refuse(track, walk.last, 0), Break::Offered);
    stays(&walk, &a, offer(track, walk.last, 1, &b, None), Break::Content);
    stays(&walk, &a, offer(track, walk.last, 1, &b, Some(commit(b"khac"))), Break::Content);
    for hop in [0, limits::HOPS + 1] {
        stays(&walk, &a, offer(track, walk.last, hop, &b, content.clone()), Break::Hop);
    }
    go(&mut walk, &a, |last| offer(track, last, 1, &b, content.clone()));
    let tid = walk.last;
    assert_eq!((walk.next_maker(), &walk.holder), (&b, &a));
    stays(&walk, &a, note(track, tid), Break::Offered);
    stays(&walk, &b, note(track, tid), Break::Offered);
    for decision in [accept, refuse] {
        stays(&walk, &a, decision(track, tid, 1), Break::Receiver);
        stays(&walk, &id("c"), decision(track, tid, 1), Break::Receiver);
        stays(&walk, &b, decision(track, tid, 2), Break::Receiver);
    }
    let mut refused = walk.clone();
    go(&mut refused, &b, |tid| refuse(track, tid, 1));
    assert_eq!((&refused.holder, &refused.open), (&a, &None));
    stays(&refused, &a, offer(track, refused.last, 1, &b, content.clone()), Break::Hop);
    go(&mut walk, &b, |tid| accept(track, tid, 1));
    assert_eq!((&walk.holder, &walk.open), (&b, &None));
    stays(&walk, &a, note(track, walk.last), Break::Holder);
    go(&mut walk, &b, |last| offer(track, last, limits::HOPS, &a, content.clone()));
}

#[test]
fn it_ends_in_order_and_bears_so_many_notes() {
    let (mut walk, a, b, track) = begun();
    for _ in 0..limits::NOTES {
        stays(&walk, &a, returned(track, walk.last), Break::Order);
        go(&mut walk, &a, |last| note(track, last));
    }
    stays(&walk, &a, note(track, walk.last), Break::Notes);
    assert_eq!(walk.notes, limits::NOTES);
    go(&mut walk, &a, |last| completed(track, last));
    stays(&walk, &a, completed(track, walk.last), Break::Order);
    go(&mut walk, &a, |last| returned(track, last));
    for body in [note(track, walk.last), returned(track, walk.last), completed(track, walk.last)] {
        stays(&walk, &a, body, Break::Order);
    }
    stays(&walk, &a, offer(track, walk.last, 1, &b, Some(commit(b"ho so"))), Break::Order);
    assert!(walk.closed && walk.completed);
}

#[test]
fn each_break_is_named() {
    use Break::*;
    let all = [Intake, Track, Predecessor, Holder, Hop, Receiver, Offered, Order, Notes, Content, Kind];
    let words: BTreeSet<String> = all.iter().map(Break::to_string).collect();
    assert!(words.len() == all.len() && words.iter().all(|w| w.len() > 10), "{words:?}");
}

/// Numbers that choose one more statement: whether it follows the rules, maker, kind, predecessor, hop, receiver.
type Choice = (u8, [usize; 5]);

/// A heap about one track: mostly what may follow, sometimes anything by anybody behind anything.
fn heap(choices: &[Choice]) -> Vec<Statement> {
    let people = [id("a"), id("b"), id("c")];
    let first = say(&people[0], intake(None));
    let (track, mut walk) = (first.sid(), Walk::begin(&first).unwrap());
    let mut heap = vec![first];
    for (right, [maker, kind, prev, hop, to]) in choices {
        let right = *right > 0;
        let maker = if right { walk.next_maker().clone() } else { people[maker % 3].clone() };
        let prev = if right { walk.last } else { heap[prev % heap.len()].sid() };
        let at = match heap.iter().find(|s| s.sid() == prev).map(|s| &s.body) {
            Some(Body::Offer(offer)) => offer.hop.0, // a decision on another hop is refused at the door
            _ => 0,
        };
        let rises = if right { walk.hop.0 + 1 } else { (hop % 4) as u32 };
        let body = match kind % 7 {
            _ if right && walk.open.is_some() && kind % 2 == 0 => accept(track, prev, at),
            _ if right && walk.open.is_some() => refuse(track, prev, at),
            0 | 1 => offer(track, prev, rises, &people[to % 3], None),
            2 => note(track, prev),
            3 => accept(track, prev, at),
            4 => refuse(track, prev, at),
            5 => completed(track, prev),
            _ => returned(track, prev),
        };
        let next = say(&maker, body);
        // Two of one maker behind one statement are a fork, which is refused at the door as well.
        if heap.iter().all(|s| s.body.prev() != Some(prev) || s.claim.agency != maker) {
            let _moved_or_not = walk.step(&next);
            heap.push(next);
        }
    }
    heap
}

/// Reads a heap as the offline verifier does; gives the walk, its statements, and the last offer on it.
fn read(heap: &[Statement]) -> (Walk, usize, Option<Sid>) {
    let mut walk = Walk::begin(&heap[0]).unwrap();
    let (mut length, mut last) = (1, None);
    let follows =
        |walk: &Walk, s: &Statement| s.body.prev() == Some(walk.last) && s.claim.agency == *walk.next_maker();
    while let Some(next) = heap.iter().find(|s| follows(&walk, s)) {
        if walk.step(next).is_err() {
            break;
        }
        length += 1;
        last = if let Body::Offer(_) = next.body { Some(next.sid()) } else { last };
    }
    (walk, length, last)
}

/// What an agency that only listens makes of it, in this order.
fn heard(statements: impl Iterator<Item = Statement>) -> State {
    let mut state = State::new(id("z"));
    for statement in statements {
        let (statement, origin) = (Arc::new(statement), Origin::Taken);
        let record = StatementRecord { origin, statement, command: None, trace: None, content: None };
        state.apply(&Record::Statement(record));
    }
    state
}

fn agree(heap: &[Statement], order: &[usize]) -> Result<usize, TestCaseError> {
    let (walk, length, last) = read(heap);
    let rest = order.iter().filter(|n| **n > 0 && **n < heap.len()).map(|n| heap[*n].clone());
    let state = heard(std::iter::once(heap[0].clone()).chain(rest));
    let track = state.track(&walk.track).expect("it began");
    let at = track.standing();
    prop_assert_eq!((at.tip, at.length, at.holder), (walk.last, length, &walk.holder));
    prop_assert_eq!((at.hop, at.notes), (walk.hop, walk.notes));
    prop_assert_eq!(at.open, walk.open.as_ref().map(|(tid, _)| *tid));
    prop_assert_eq!((at.completed.is_some(), at.returned.is_some()), (walk.completed, walk.closed));
    prop_assert_eq!((track.hop, track.completed, track.returned), (at.hop, at.completed, at.returned));
    prop_assert_eq!(track.last_transfer().map(|(tid, _)| *tid), last);
    for (tid, transfer) in track.transfers.iter() {
        let decides = |s: &&Statement| s.body.prev() == Some(*tid) && s.claim.agency == transfer.to;
        let wanted = heap.iter().find(decides).and_then(|s| match &s.body {
            Body::Accept(_) => Some((s.sid(), None)),
            Body::Refuse(refuse) => Some((s.sid(), Some(refuse.cause))),
            _ => None,
        });
        prop_assert_eq!(transfer.outcome.map(|o| (o.sid, o.refused)), wanted);
    }
    Ok(length)
}

/// Whatever is said and in whatever order it comes, both readers come to the same end.
#[test]
fn both_readers_agree() {
    let config = Config {
        rng_seed: RngSeed::Fixed(20_240_115),
        failure_persistence: None,
        ..Config::with_cases(1_000)
    };
    let choices = prop::collection::vec((0..5_u8, prop::array::uniform5(0..1_000_usize)), 1..40);
    let order = Just((1..40).collect::<Vec<usize>>()).prop_shuffle();
    let longest = Cell::new(0);
    let came = TestRunner::new(config).run(&(choices, order), |(choices, order)| {
        longest.set(agree(&heap(&choices), &order)?.max(longest.get()));
        Ok(())
    });
    came.unwrap_or_else(|fault| panic!("{fault}"));
    assert!(longest.get() > 12, "the heaps prove little: the longest spine had {}", longest.get());
}
