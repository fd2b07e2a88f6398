//! What a recovering node waits for, asks and counts (`core::recovery::asking`), taken by itself.

use crate::world::codec::commit;
use crate::world::gone::{give, hand, merge, rest, retire, spine, submit, world};
use crate::world::people::offer;
use crate::world::words::{apply, made};
use crate::world::{World, id};
use lienthong_core::authority::Acts;
use lienthong_core::authority::succeed::Succeed;
use lienthong_core::custody::state::State;
use lienthong_core::ids::{AgencyId, Digest, Hop, Instant, TrackId};
use lienthong_core::recovery::asking::{Asking, Progress, ToSay};
use lienthong_core::recovery::pool::Pool;
use lienthong_core::recovery::{ASKED_AT_ONCE, Ask, Given, POOLED_OF_ONE, Word};
use lienthong_core::statement::{Accept, Body, Note, Statement};
use std::sync::Arc;

const FENCE: Digest = Digest([1; 32]);
const NONCE: [u8; 16] = [7; 16];
const START: Instant = Instant(0);

/// A asks these peers; it has asked four rounds before.
fn asking(peers: &[&str]) -> Asking {
    Asking::new((FENCE, NONCE, 4), peers.iter().map(|name| id(name)), START)
}

fn nothing() -> State {
    State::new(id("a"))
}

/// All that is to be said at this moment.
fn said(asking: &mut Asking, now: Instant, state: &State) -> Vec<(String, ToSay)> {
    std::iter::from_fn(|| asking.due(now, state)).map(|(to, what)| (to.to_string(), what)).collect()
}

/// Whom it asks at this moment, and what.
fn asked(asking: &mut Asking, now: Instant, state: &State) -> Vec<(String, Ask)> {
    let asks = said(asking, now, state).into_iter().filter_map(|(to, what)| match what {
        ToSay::Word(Word::Ask(ask)) => Some((to, ask)),
        ToSay::Word(_) | ToSay::Fence => None,
    });
    asks.collect()
}

fn rounds(asked: &[(String, Ask)]) -> Vec<(&str, u32)> {
    asked.iter().map(|(to, ask)| (to.as_str(), ask.round)).collect()
}

fn progress<'a>(asking: &'a Asking, peer: &str) -> &'a Progress {
    asking.peers().find(|(name, _)| **name == id(peer)).unwrap().1
}

/// What of it is so.
fn done(asking: &Asking, peer: &str) -> Vec<&'static str> {
    let Progress { fenced, recovering, stands, heeds, done, .. } = progress(asking, peer);
    let all = [
        (fenced, "fenced"),
        (recovering, "recovering"),
        (stands, "stands"),
        (heeds, "heeds"),
        (done, "done"),
    ];
    all.into_iter().filter(|(so, _)| **so).map(|(_, name)| name).collect()
}

/// The whole answer to a question, in one part.
fn given(round: u32) -> Given {
    Given { nonce: NONCE, round, number: 1, of: 1, more: false, track: None }
}

#[test]
fn nobody_is_asked_before_all_fences_stand_everywhere() {
    let (mut it, state) = (asking(&["b", "c"]), nothing());
    let fences = |said: &[(String, ToSay)]| said.iter().filter(|(_, s)| *s == ToSay::Fence).count();
    assert_eq!(fences(&said(&mut it, START, &state)), 2);
    it.fenced(Instant(1), &id("b"), false);
    assert_eq!(fences(&said(&mut it, Instant(5_000), &state)), 1, "C has not answered");
    // C recovers too: what it gives back counts when its own fence stands everywhere.
    it.fenced(Instant(5_001), &id("c"), true);
    let stands = |to: &str| (to.to_owned(), ToSay::Word(Word::Stands { fence: FENCE }));
    assert_eq!(said(&mut it, Instant(5_001), &state), [stands("c")], "who recovers is told at once");
    assert_eq!(said(&mut it, Instant(60_000), &state), [stands("c")], "and again");
    it.fenced(Instant(60_001), &id("c"), false);
    assert_eq!(
        asked(&mut it, Instant(120_000), &state),
        [],
        "that C recovers is not taken back by an answer"
    );
    it.stands(Instant(120_001), &id("c"));
    assert_eq!(rounds(&asked(&mut it, Instant(120_001), &state)), [("b", 5), ("c", 6)]);
    it.given(Instant(120_002), &id("b"), &given(5));
    assert_eq!(asked(&mut it, Instant(120_002), &state), []);
    assert!(!it.is_done());
    it.given(Instant(120_003), &id("c"), &given(6));
    assert!(it.is_done());
    assert_eq!(it.round(), 6, "the next recovery of this start goes on from here");
}

/// Who begins to recover has forgotten what it was told, and what it gave was before all fences stood.
#[test]
fn a_peer_that_begins_to_recover_begins_anew() {
    let (mut it, state) = (asking(&["b", "c"]), nothing());
    let acts = Acts::default();
    it.heed(START, &acts);
    it.fenced(START, &id("b"), false);
    it.fenced(START, &id("c"), false);
    assert_eq!(rounds(&asked(&mut it, START, &state)), [("b", 5), ("c", 6)]);
    it.given(START, &id("b"), &given(5));
    it.overlaps(&id("b"));
    assert_eq!(done(&it, "b"), ["recovering", "heeds"], "nothing that it said before counts");
    let again = said(&mut it, START, &state);
    assert!(again.contains(&("b".to_owned(), ToSay::Fence)), "it is asked at once: {again:?}");
    it.fenced(START, &id("b"), true);
    it.given(START, &id("c"), &given(6));
    assert!(!it.is_done());
    it.stands(START, &id("b"));
    let asked = asked(&mut it, Instant(100_000), &state);
    assert!(asked.iter().any(|(to, _)| to == "b"), "{asked:?}");
}

#[test]
fn an_answer_counts_for_the_question_it_answers_and_no_other() {
    let (mut it, state) = (asking(&["b"]), nothing());
    it.fenced(START, &id("b"), false);
    assert_eq!(rounds(&asked(&mut it, START, &state)), [("b", 5)]);
    for other in [given(4), given(6), Given { nonce: [8; 16], ..given(5) }] {
        it.given(START, &id("b"), &other);
        assert!(!progress(&it, "b").done, "{other:?}");
    }
    // Two parts, of which the first comes twice; the second says that there is more.
    let (first, last) = (Digest([3; 32]), Digest([9; 32]));
    let part = |number, track| Given { number, of: 2, more: true, track: Some(track), ..given(5) };
    it.given(START, &id("b"), &part(2, last));
    it.given(START, &id("b"), &part(2, last));
    assert_eq!(asked(&mut it, START, &state), [], "half of it is missing");
    it.given(START, &id("b"), &part(1, first));
    let next = asked(&mut it, START, &state);
    assert_eq!(rounds(&next), [("b", 6)], "there is more");
    assert_eq!(next[0].1.after, last, "behind the last track that was given");
    // The answer to the earlier question comes again.
    it.given(START, &id("b"), &given(5));
    assert!(!it.is_done());
    it.given(START, &id("b"), &given(6));
    assert!(it.is_done());
    // And once more, when nothing is asked.
    it.given(START, &id("b"), &Given { more: true, ..given(6) });
    assert!(it.is_done());
}

#[test]
fn what_is_unanswered_is_said_again_more_and_more_seldom() {
    let (mut it, state) = (asking(&["b"]), nothing());
    let mut now = START;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(said(&mut it, now, &state), [("b".to_owned(), ToSay::Fence)]);
        let next = it.poll();
        assert_eq!(said(&mut it, Instant(next.0 - 1), &state), [], "not before");
        pauses.push(next.0 - now.0);
        now = next;
    }
    assert_eq!(pauses, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    // Whoever answers is not waited for so long again.
    it.fenced(now, &id("b"), true);
    assert_eq!(it.poll(), START, "there is something to say");
    said(&mut it, now, &state);
    assert_eq!(it.poll(), Instant(now.0 + 2_000));
    let before = Instant(now.0 + 1_000);
    it.stands(before, &id("b"));
    assert_eq!(said(&mut it, before, &state).len(), 1);
    assert_eq!(it.poll(), Instant(before.0 + 2_000));
    it.stands(Instant(now.0 + 1_500), &id("b"));
    assert_eq!(it.poll(), Instant(before.0 + 2_000), "that is no news");
}

/// More tracks than fit one ASK: each is named once, in one of the parts.
#[test]
fn a_long_question_has_parts() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let mut tracks: Vec<TrackId> = (0..ASKED_AT_ONCE + 2).map(|_| submit(&mut world, &a)).collect();
    for track in &tracks {
        world.ask(&a, offer(*track, b.clone())).unwrap().unwrap();
    }
    let alone = submit(&mut world, &a);
    let mut it = asking(&["b"]);
    it.fenced(START, &b, false);
    let asks = asked(&mut it, START, world.state(&a));
    let parts: Vec<_> = asks.iter().map(|(_, ask)| (ask.number, ask.of, ask.round)).collect();
    assert_eq!(parts, [(1, 2, 5), (2, 2, 5)]);
    let mut named: Vec<TrackId> = asks.iter().flat_map(|(_, ask)| &ask.tracks).map(|k| k.track).collect();
    named.sort();
    tracks.sort();
    assert_eq!(named, tracks);
    assert!(!named.contains(&alone), "what B has no part in is not its matter");
}

/// A world in which D is retired, as A knows it, and as B and C have said that they know it.
fn one_is_gone() -> (World, AgencyId) {
    let (mut world, [a, _, _, d]) = world(["a", "b", "c", "d"]);
    world.die(&d);
    retire(&mut world, &d, &a);
    world.deliver_all().unwrap();
    world.pass(1_000).unwrap();
    world.deliver_all().unwrap();
    (world, a)
}

/// A retired peer is not waited for; the others count from when they know it, and not before.
#[test]
fn what_is_given_counts_when_the_giver_knows_who_is_retired() {
    let (world, a) = one_is_gone();
    let known = world.state(&a).memory.acts.clone();
    assert!(known.are_known_to(&id("b")) && known.are_known_to(&id("c")));
    let mut unknown = known.clone();
    unknown.0.values_mut().for_each(|act| act.known_by.retain(|peer| *peer != id("b")));
    let (mut it, state) = (asking(&["b", "c", "d"]), nothing());
    let whom = |said: Vec<(String, ToSay)>| said.into_iter().map(|(to, _)| to).collect::<Vec<_>>();
    assert_eq!(it.due(START, &state).map(|(to, _)| to), Some(id("b")));
    it.heed(START, &known);
    assert_eq!(whom(said(&mut it, START, &state)), ["c"], "what was to be said to D is not said");
    it.fenced(START, &id("b"), false);
    it.fenced(START, &id("c"), false);
    assert_eq!(rounds(&asked(&mut it, START, &state)), [("b", 5), ("c", 6)]);
    it.given(START, &id("b"), &given(5));
    it.given(START, &id("c"), &given(6));
    assert!(it.is_done());

    it.heed(START, &unknown);
    assert!(!it.is_done(), "B may have forgotten that D is retired, and take what D hands on");
    assert_eq!(done(&it, "b"), ["fenced"], "its fence stands, and all else is asked again");
    assert!(progress(&it, "c").done);
    assert_eq!(asked(&mut it, Instant(500_000), &state), []);
    it.heed(Instant(500_000), &unknown);
    let pause = it.poll();
    it.heed(Instant(500_001), &known);
    assert_eq!(it.poll(), Instant(502_001), "that it knows is news; before that, {pause:?}");
    assert_eq!(rounds(&asked(&mut it, Instant(500_001), &state)), [("b", 7)]);
    it.heed(Instant(501_000), &known);
    assert_eq!(it.poll(), Instant(502_001), "and that it knows still is none");
    it.given(Instant(501_001), &id("b"), &given(7));
    assert!(it.is_done());
}

/// That a peer may have forgotten the acts takes nothing back of its fences: it recovers still, and its own stand.
#[test]
fn a_peer_that_may_have_forgotten_the_acts_recovers_still() {
    let (world, a) = one_is_gone();
    let known = world.state(&a).memory.acts.clone();
    let mut unknown = known.clone();
    unknown.0.values_mut().for_each(|act| act.known_by.retain(|peer| *peer != id("b")));
    let (mut it, state) = (asking(&["b", "c"]), nothing());
    it.heed(START, &known);
    it.fenced(START, &id("b"), true);
    it.fenced(START, &id("c"), false);
    it.heed(START, &unknown);
    assert_eq!(done(&it, "b"), ["fenced", "recovering"]);
    it.heed(START, &known);
    assert_eq!(asked(&mut it, START, &state), [], "its own fence does not stand everywhere");
    it.stands(START, &id("b"));
    it.heed(START, &unknown);
    it.heed(START, &known);
    assert_eq!(done(&it, "b"), ["fenced", "recovering", "stands", "heeds"]);
    assert_eq!(rounds(&asked(&mut it, START, &state)), [("b", 5), ("c", 6)]);
}

fn intake(world: &World, who: &AgencyId, track: TrackId) -> Arc<Statement> {
    let entry = world.state(who).track(&track).unwrap().entries[0].index;
    world.statement(who, entry).unwrap()
}

/// A note of somebody on a track, which nothing else is known of.
fn note(maker: &str, track: TrackId, number: u64) -> Arc<Statement> {
    made(maker, 0, number, Body::Note(Note { track, prev: Digest([5; 32]), text: String::new() }))
}

#[test]
fn what_has_no_place_is_told_and_bounded() {
    let (mut it, track) = (Pool::default(), Digest([4; 32]));
    assert!(it.add(&id("p"), track, &[note("a", track, 1), note("b", track, 1), note("a", track, 2)]));
    assert!(it.add(&id("p"), track, &[note("a", track, 2)]), "again");
    assert_eq!((it.unplaced(&id("a")), it.unplaced(&id("b"))), (2, 1));
    assert!(it.next_of(&nothing(), &track).is_none(), "what they follow is unknown");
    assert_eq!(it.unplaced(&id("a")), 2);
    let other = Digest([6; 32]);
    assert!(it.add(&id("p"), other, &[note("a", track, 3)]), "of another track than it is said to be");
    assert_eq!(it.unplaced(&id("a")), 2);
}

#[test]
fn who_gives_without_end_is_not_listened_to() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let intake = intake(&world, &a, track);
    let mut it = Pool::default();
    assert!(it.add(&id("p"), track, &[intake]));
    assert!(it.next_of(&nothing(), &track).is_some());
    // What has its place takes no room any more.
    let other = Digest([6; 32]);
    let some: Vec<_> = (0..POOLED_OF_ONE as u64).map(|n| note("b", other, n)).collect();
    assert!(it.add(&id("p"), other, &some[..1]));
    assert!(it.add(&id("p"), other, &some));
    assert!(it.add(&id("p"), other, &[note("b", other, POOLED_OF_ONE as u64)]), "this is the last");
    assert!(!it.add(&id("p"), other, &[note("b", other, POOLED_OF_ONE as u64 + 1)]));
    assert!(!it.add(&id("p"), track, &[note("b", track, 1)]), "nor on another track");
    assert_eq!(it.unplaced(&b), POOLED_OF_ONE + 1);
    // What others give is taken, and counts for who gave it first.
    assert!(it.add(&id("q"), other, &some));
    assert!(it.add(&id("q"), track, &[note("b", track, 1)]), "the other peer is listened to");
    assert_eq!(it.unplaced(&b), POOLED_OF_ONE + 2);
}

/// Over what contradicts the intake no certificate could be walked: it has no place, whoever gives it back.
#[test]
fn an_offer_of_another_content_has_no_place() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    world.ask(&a, offer(track, b.clone())).unwrap().unwrap();
    world.ask(&a, offer(track, c.clone())).unwrap().unwrap_err();
    let right = world.letters[0].statement.clone();
    let Body::Offer(mut wrong) = right.body.clone() else { panic!("no offer") };
    wrong.content = Some(commit(b"something else"));
    let number = world.forge(&a, &b, Body::Offer(wrong), None);
    let wrong = world.letters[number].statement.clone();
    let intake = intake(&world, &a, track);
    let mut state = State::new(id("x"));
    let mut it = Pool::default();
    assert!(it.add(&id("p"), track, &[wrong, intake.clone(), right.clone()]));
    let first = it.next_of(&state, &track).unwrap();
    assert_eq!(first.sid(), intake.sid());
    apply(&mut state, &first);
    let next = it.next_of(&state, &track).unwrap();
    assert_eq!(next.sid(), right.sid(), "the other one commits to something else");
    let mut alone = Pool::default();
    let number = world.letters.len() - 1;
    assert!(alone.add(&id("p"), track, &[world.letters[number].statement.clone()]));
    assert!(alone.next_of(&state, &track).is_none());
}

/// A RECLAIM has its place only where the act beside it retires the receiver of what is reclaimed.
#[test]
fn a_reclaim_has_a_place_with_its_act_only() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 10);
    let spine = spine(&world, &a, track);
    let [intake, act, offer, reclaim] = spine.as_slice() else { panic!("{spine:?}") };
    let of_c = world.act(&c, None, 1);
    let next = |acts: &[&Arc<Statement>]| {
        let (mut state, mut it) = (State::new(id("x")), Pool::default());
        [intake, offer].iter().for_each(|s| {
            apply(&mut state, s);
        });
        acts.iter().for_each(|act| {
            apply(&mut state, act);
        });
        assert!(it.add(&id("p"), track, std::slice::from_ref(reclaim)));
        it.next_of(&state, &track).map(|s| s.sid())
    };
    assert_eq!(next(&[]), None, "nobody is retired");
    assert_eq!(next(&[&of_c]), None, "somebody else is");
    assert_eq!(next(&[act, &of_c]), Some(reclaim.sid()));
}

/// A SUCCEED has its place only behind an act that retires the holder and names its maker, with the hop that the spine has.
#[test]
fn a_succession_has_a_place_with_its_act_only() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    world.die(&b);
    merge(&mut world, &b, &c, &a);
    rest(&mut world, 20);
    let spine = spine(&world, &a, track);
    let [intake, right, offer, accept, succeed] = spine.as_slice() else { panic!("{spine:?}") };
    let Body::Succeed(body) = succeed.body.clone() else { panic!("{succeed:?}") };
    let next = |act: &Arc<Statement>, maker: &str, hop: u32| {
        let (mut state, mut it) = (State::new(id("x")), Pool::default());
        [intake, act, offer, accept].iter().for_each(|s| {
            apply(&mut state, s);
        });
        let body = Succeed { act: act.sid(), hop: Hop(hop), ..body.clone() };
        assert!(it.add(&id("p"), track, &[made(maker, 0, 9, Body::Succeed(body))]));
        it.next_of(&state, &track).is_some()
    };
    assert!(next(right, "c", 1));
    assert!(!next(right, "a", 1), "it names another");
    assert!(!next(right, "c", 2));
    assert!(!next(&world.act(&a, Some(c.clone()), 1), "c", 1), "another is retired");
    assert!(!next(&world.act(&b, None, 1), "c", 1), "it names nobody");
    // And nothing has, where no act is known.
    let (mut state, mut it) = (State::new(id("x")), Pool::default());
    [intake, offer, accept].iter().for_each(|s| {
        apply(&mut state, s);
    });
    assert!(it.add(&id("p"), track, std::slice::from_ref(succeed)));
    assert!(it.next_of(&state, &track).is_none());
}

/// Nor has a decision that names another hop than its offer.
#[test]
fn a_decision_of_another_hop_has_no_place() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let tid = world.transfer_to(track, &b).unwrap();
    let mut state = State::new(id("x"));
    let entries = world.state(&a).track(&track).unwrap().entries.clone();
    for entry in &entries {
        apply(&mut state, &world.statement(&a, entry.index).unwrap());
    }
    let yes = |hop| made("b", 0, 9, Body::Accept(Accept { track, tid, hop: Hop(hop), note: String::new() }));
    let mut it = Pool::default();
    assert!(it.add(&id("p"), track, &[yes(2)]));
    assert!(it.next_of(&state, &track).is_none());
    assert!(it.add(&id("p"), track, &[yes(1)]));
    assert_eq!(it.next_of(&state, &track).map(|s| s.sid()), Some(yes(1).sid()));
    assert_eq!(it.unplaced(&b), 1);
}
