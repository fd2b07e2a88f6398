//! The second lock: what the decisions already refuse, behind them. A register is written once whatever the ledger
//! says, and the self-check at each start finds a state that no honest ledger makes.

mod world;

use lienthong_core::custody::command::Act;
use lienthong_core::custody::state::State;
use lienthong_core::custody::table::Table;
use lienthong_core::custody::track::{Phase, Track, Transfer};
use lienthong_core::delivery::outbox::Outbox;
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, Instant, LedgerIndex, TrackId, WallMs};
use lienthong_core::node::{Answer, Node, Now};
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{Accept, Body, RefusalCause, Refuse};
use world::codec::Plain;
use world::people::{dossier, offer};
use world::{TIMING, World, directory, id};

const NOW: Now = Now { mono: Instant(0), wall: WallMs(0) };

/// A has offered a track to B, which has it in its inbox.
fn in_the_inbox() -> (World, AgencyId, AgencyId, TrackId, Digest) {
    let mut world = World::new(&["a", "b", "c"]);
    let (a, b) = (id("a"), id("b"));
    let Ok(Answer::Done { track, .. }) = world.ask(&a, dossier(Some("hồ sơ"), None)).unwrap() else {
        panic!("not taken in")
    };
    world.ask(&a, offer(track, b.clone())).unwrap().unwrap();
    world.deliver_all().unwrap();
    let tid = world.transfer_to(track, &b).unwrap();
    (world, a, b, track, tid)
}

/// Puts a statement of `maker` into a ledger that should not have it.
fn slip_in(world: &mut World, state: &mut State, maker: &AgencyId, body: Body) {
    let number = world.forge(maker, &id("c"), body, None);
    let origin = if *maker == state.me { Origin::Made } else { Origin::Learned };
    let statement = world.letters[number].statement.clone();
    let record = StatementRecord { origin, statement, command: None, trace: None, content: None };
    state.apply(&Record::Statement(record));
}

fn no(track: TrackId, tid: Digest) -> Body {
    let (cause, reason) = (RefusalCause::Recalled, String::new());
    Body::Refuse(Refuse { track, tid, hop: Hop(1), cause, reason })
}

fn yes(track: TrackId, tid: Digest) -> Body {
    Body::Accept(Accept { track, tid, hop: Hop(1), note: String::new() })
}

#[test]
fn a_register_is_written_once_and_by_its_owner() {
    let (mut world, a, b, track, tid) = in_the_inbox();
    let mut state = world.state(&a).clone();
    slip_in(&mut world, &mut state, &id("c"), yes(track, tid));
    let known = state.track(&track).unwrap();
    assert_eq!((known.transfers[&tid].outcome, known.phase), (None, Phase::Offered(tid)), "C owns nothing");
    slip_in(&mut world, &mut state, &b, no(track, tid));
    let first = state.track(&track).unwrap().transfers[&tid].outcome;
    assert!(first.is_some_and(|o| !o.accepted()));
    slip_in(&mut world, &mut state, &b, yes(track, tid));
    let known = state.track(&track).unwrap();
    assert_eq!((known.transfers[&tid].outcome, known.phase), (first, Phase::Held), "the first one stands");
}

/// A tombstone for another offer leaves the one in the inbox alone.
#[test]
fn a_tombstone_moves_no_other_phase() {
    let (mut world, a, b, track, tid) = in_the_inbox();
    let mut state = world.state(&b).clone();
    let Body::Offer(right) = world.letters[0].statement.body.clone() else { panic!("no offer") };
    let other =
        world.forge(&a, &b, Body::Offer(lienthong_core::statement::Offer { hop: Hop(2), ..right }), None);
    let other = world.letters[other].statement.clone();
    let record = StatementRecord {
        origin: Origin::Learned,
        statement: other.clone(),
        command: None,
        trace: None,
        content: None,
    };
    state.apply(&Record::Statement(record));
    slip_in(&mut world, &mut state, &b, no(track, other.sid()));
    let known = state.track(&track).unwrap();
    assert!(known.transfers[&other.sid()].outcome.is_some());
    assert_eq!(known.phase, Phase::Inbox(tid));
    slip_in(&mut world, &mut state, &b, no(track, tid));
    assert_eq!(state.track(&track).unwrap().phase, Phase::Out);
}

/// Changes what A knows, and says which invariant no longer holds.
fn found(state: &State, track: TrackId, change: impl Fn(&mut State, &mut Track)) -> Option<&'static str> {
    let mut bad = state.clone();
    let mut known = Track::clone(bad.track(&track).unwrap());
    change(&mut bad, &mut known);
    bad.tracks.insert(track, known);
    let seat = (Plain, directory(&["a", "b", "c"], 1, |_, _| true), TIMING);
    let node = Node::recover(bad, [], Head::EMPTY, seat, NOW);
    node.check().err().map(|v| {
        assert_eq!(v.track, track);
        v.invariant
    })
}

fn transfer(track: &mut Track) -> &mut Transfer {
    track.transfers.values_mut().next().unwrap()
}

#[test]
fn the_self_check_finds_each_fault() {
    let (mut world, a, b, track, tid) = in_the_inbox();
    let beyond = Some(LedgerIndex(1_000));
    let here = world.state(&a).clone();
    let at = |change: &dyn Fn(&mut State, &mut Track)| found(&here, track, change);
    assert_eq!(at(&|_, _| ()), None);
    assert_eq!(at(&|_, t| t.content = None), Some("I3"));
    assert_eq!(at(&|_, t| (t.content, t.commitment) = (None, None)), None, "there was none");
    assert_eq!(at(&|s, _| s.outbox = Outbox::default()), Some("I2"));
    assert_eq!(at(&|_, t| t.phase = Phase::Offered(track)), Some("I2"));
    assert_eq!(at(&|_, t| t.phase = Phase::Held), Some("I10"), "an offer is open");
    assert_eq!(at(&|_, t| t.phase = Phase::Inbox(tid)), Some("I4"), "it is not to A");
    assert_eq!(at(&|_, t| transfer(t).receipt = beyond), Some("I11"));
    assert_eq!(at(&|_, t| transfer(t).cancel = beyond), Some("I11"));
    assert_eq!(at(&|_, t| transfer(t).receipt = Some(here.next)), Some("I11"), "the next is not written");
    assert_eq!(at(&|_, t| transfer(t).hop = Hop(2)), Some("I10"));
    assert_eq!(at(&|s, _| s.transfers = Table::default()), Some("I19"));
    assert_eq!(at(&|_, t| t.phase = Phase::Gone), None, "who is not the custodian claims nothing");
    let mut rows = here.outbox.rows().map(|(key, row)| (key.clone(), row.clone()));
    let ((index, to), row) = rows.next().unwrap();
    let moved = Outbox::from_rows([((LedgerIndex(index.0 - 1), to), row)]);
    let misplaced = at(&|s, t| (s.outbox, t.phase) = (moved.clone(), Phase::Gone));
    assert_eq!(misplaced, Some("I14"));

    let inbox = world.state(&b).clone();
    let at = |change: &dyn Fn(&mut State, &mut Track)| found(&inbox, track, change);
    assert_eq!(at(&|_, _| ()), None);
    assert_eq!(at(&|_, t| t.content = None), Some("I3"));
    assert_eq!(at(&|_, t| t.phase = Phase::Inbox(track)), Some("I4"));
    assert_eq!(at(&|_, t| transfer(t).to = id("c")), Some("I4"));
    assert_eq!(at(&|_, t| t.phase = Phase::Held), Some("I1"), "A holds it");

    world.ask(&b, Act::Accept { tid, note: String::new() }).unwrap().unwrap();
    world.deliver_all().unwrap();
    let at_b = world.state(&b).clone();
    assert_eq!(found(&at_b, track, |_, t| t.phase = Phase::Inbox(tid)), Some("I4"), "it is decided");
    assert_eq!(found(&at_b, track, |_, t| t.content = None), Some("I3"));
    let at_a = world.state(&a).clone();
    assert_eq!(found(&at_a, track, |_, t| t.phase = Phase::Held), Some("I1"), "B accepted it");
}
