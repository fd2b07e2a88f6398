//! SUCCEED (`core::authority::succeed`): what a retired agency held is its successor's, and whatever is late, forgotten, put
//! back from a copy or named twice, no two hold one dossier.

mod world;

use lienthong_core::authority::collecting::Remains;
use lienthong_core::authority::succeed::Succeed;
use lienthong_core::custody::spine::{Break, Walk};
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Hop, TrackId};
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_core::recovery::{Given, Left, Word};
use lienthong_core::statement::{Body, Kind, RefusalCause, Statement};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use world::gone::{
    copy, give, hand, intercept, kept, merge, phase, rest, restore, retire, sign, spine, submit, world,
};
use world::people::{act, offer};
use world::{World, id};

fn kinds(spine: &[Arc<Statement>]) -> Vec<Kind> {
    spine.iter().map(|s| s.body.kind()).collect()
}

/// B holds what C took in and A handed to it, and is merged into S. B's ACCEPT reached A, and nothing of B ever reached C.
#[test]
fn what_it_held_is_its_successors_and_the_place_of_receipt_learns_all_of_it() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &c);
    hand(&mut world, track, &c, &a);
    give(&mut world, track, &a, &b);
    sign(&mut world, track, &b);
    let signed = intercept(&mut world, "accept b to a");
    world.deliver(signed).unwrap().unwrap();
    world.pending.clear();
    world.die(&b);
    merge(&mut world, &b, &s, &c);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &s, track), Some(Phase::Held));
    let along = spine(&world, &c, track);
    use Kind::*;
    assert_eq!(kinds(&along), [Intake, Retire, Offer, Accept, Offer, Accept, Succeed]);
    let walk = Walk::along(along.iter().map(|s| &**s)).unwrap();
    assert_eq!((&walk.holder, walk.hop), (&s, Hop(2)));
    assert_eq!(world.state(&a).track(&track).unwrap().custodian(), &s, "who gave it to B has a copy");
    assert!([&a, &c, &s].iter().all(|who| world.state(who).outbox.is_empty()));
    let (before, after) = (world.state(&c).track(&track).unwrap(), world.state(&s).track(&track).unwrap());
    assert_eq!((&before.code, before.due_at, &before.origin), (&after.code, after.due_at, &c));
    // It goes on from there.
    hand(&mut world, track, &s, &a);
    world.ask(&a, act("completes", track, track).unwrap()).unwrap().unwrap();
    world.ask(&a, act("returns", track, track).unwrap()).unwrap().unwrap();
    rest(&mut world, 5);
    assert!(world.state(&c).track(&track).unwrap().returned.is_some());
    world.check().unwrap();
    [&a, &c, &s].into_iter().for_each(|who| world.same_after_recovery(who).unwrap());
}

#[test]
fn nobody_is_named_and_nothing_happens() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    world.die(&b);
    retire(&mut world, &b, &c);
    rest(&mut world, 100);
    assert_eq!((phase(&world, &a, track), phase(&world, &c, track)), (Some(Phase::Gone), None));
}

/// B offered it to C, who has it in the inbox: C may sign and cannot refuse, so it is not the successor's.
#[test]
fn what_lies_in_an_inbox_is_left_to_whoever_has_it() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    give(&mut world, track, &b, &c);
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 100);
    let tid = world.transfer_to(track, &c).unwrap();
    assert_eq!((phase(&world, &c, track), kept(&world, &s, Kind::Succeed)), (Some(Phase::Inbox(tid)), 0));
    let (state, collecting) = (world.state(&s), world.at(&s).node.as_ref().unwrap().collecting());
    let at_c = BTreeSet::from([c.clone()]);
    let remains = collecting.remains(state, &track, state.track(&track).unwrap());
    assert_eq!(remains, Some(Remains::Undecided(&at_c)), "people are told");
    let refused = world.ask(&c, act("refuses", track, tid).unwrap()).unwrap();
    assert_eq!(refused, Err(Reason::AgencyRetired));
    sign(&mut world, track, &c);
    rest(&mut world, 100);
    assert_eq!(phase(&world, &c, track), Some(Phase::Held));
    assert_eq!(world.state(&a).track(&track).unwrap().custodian(), &c);
    // A restart of the successor asks again, and learns who has it.
    world.crash(world.at(&s).process).unwrap();
    rest(&mut world, 100);
    assert_eq!(kept(&world, &s, Kind::Succeed), 0);
    world.check().unwrap();
}

/// The same, and C is put back to before the offer came to it: nobody can send it again, and the successor takes over.
#[test]
fn an_inbox_that_was_forgotten_is_nobodys() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    let before = copy(&world, &c);
    give(&mut world, track, &b, &c);
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 20);
    assert_eq!(kept(&world, &s, Kind::Succeed), 0);
    restore(&mut world, &c, before);
    rest(&mut world, 200);
    assert_eq!((phase(&world, &s, track), kept(&world, &s, Kind::Succeed)), (Some(Phase::Held), 1));
    assert!(!matches!(phase(&world, &c, track), Some(Phase::Inbox(_))));
    world.check().unwrap();
}

/// B offered it to C, or to S itself, and that reached the place of receipt and never the receiver.
#[test]
fn an_offer_that_came_to_nobody_is_followed_by_its_givers_successor() {
    for receiver in ["c", "s"] {
        let (mut world, [a, b, _, s]) = world(["a", "b", "c", "s"]);
        let (track, to) = (submit(&mut world, &a), id(receiver));
        hand(&mut world, track, &a, &b);
        world.ask(&b, offer(track, to.clone())).unwrap().unwrap();
        let copied = intercept(&mut world, "offer b to a");
        world.deliver(copied).unwrap().unwrap();
        let lost = intercept(&mut world, &format!("offer b to {receiver}"));
        world.pending.clear();
        world.die(&b);
        merge(&mut world, &b, &s, &a);
        rest(&mut world, 20);
        let tid = world.transfer_to(track, &to).unwrap();
        let outcome = world.state(&a).track(&track).unwrap().transfers[&tid].outcome.unwrap();
        assert_eq!(outcome.refused, Some(RefusalCause::Succeeded));
        assert_eq!(phase(&world, &s, track), Some(Phase::Held));
        assert_eq!(world.deliver(lost).unwrap(), Err(Reason::MakerRetired));
        hand(&mut world, track, &s, &a);
        world.check().unwrap();
    }
}

/// The acts name two successors; they come to whichever node in whichever order, nodes restart, and time goes by.
#[derive(Clone, Debug)]
enum Move {
    Act(usize, usize),
    Pass(u64),
    Crash(usize),
    Deliver(usize),
    Drop(usize),
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => (0..4_usize, 0..3_usize).prop_map(|(at, act)| Move::Act(at, act)),
        3 => (1..9_000_u64).prop_map(Move::Pass),
        1 => (0..4_usize).prop_map(Move::Crash),
        12 => (0..64_usize).prop_map(Move::Deliver),
        1 => (0..64_usize).prop_map(Move::Drop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_two_successors_one_takes_over(moves in prop::collection::vec(moves(), 5..120), accepted in any::<bool>()) {
        let names = ["a", "c", "s", "t"];
        let (mut world, [a, b, c, s, t]) = world(["a", "b", "c", "s", "t"]);
        let track = submit(&mut world, &c);
        hand(&mut world, track, &c, &a);
        give(&mut world, track, &a, &b);
        sign(&mut world, track, &b);
        if accepted {
            let signed = intercept(&mut world, "accept b to c");
            world.deliver(signed).unwrap().unwrap();
        }
        world.pending.clear();
        world.die(&b);
        // The second corrects the first, and the third the second.
        let acts = [(&s, 1), (&t, 2), (&s, 3)].map(|(who, epoch)| world.act(&b, Some(who.clone()), epoch));
        world.step(&c, Input::Act(acts[0].clone())).unwrap().unwrap();
        for step in &moves {
            match step {
                Move::Act(at, n) => drop(world.step(&id(names[*at]), Input::Act(acts[*n].clone())).unwrap().unwrap()),
                Move::Pass(ms) => world.pass(*ms).unwrap(),
                Move::Crash(at) => world.crash(world.at(&id(names[*at])).process).unwrap(),
                Move::Deliver(n) if !world.pending.is_empty() => {
                    let number = world.pending[n % world.pending.len()];
                    let came = world.deliver(number).unwrap();
                    prop_assert!(matches!(came, Ok(()) | Err(Reason::MakerRetired)), "{came:?}");
                }
                Move::Drop(n) if !world.pending.is_empty() => {
                    let at = n % world.pending.len();
                    world.pending.remove(at);
                }
                Move::Deliver(_) | Move::Drop(_) => {}
            }
            world.check().unwrap();
        }
        rest(&mut world, 200);
        world.check().unwrap();
        let held = [&a, &c, &s, &t].into_iter().filter(|who| phase(&world, who, track) == Some(Phase::Held));
        prop_assert_eq!(held.count(), 1, "one of the others holds it");
        let made: usize = [&s, &t].iter().map(|who| {
            let own = |e: &&lienthong_core::custody::track::Entry| e.kind == Kind::Succeed && e.maker == **who;
            world.state(who).track(&track).map_or(0, |t| t.entries.iter().filter(own).count())
        }).sum();
        prop_assert_eq!(made, usize::from(accepted), "succeeded where B's signature is known, else reclaimed");
        [&a, &c, &s, &t].into_iter().for_each(|who| world.same_after_recovery(who).unwrap());
    }
}

/// Many dossiers come in several answers, and with restarts of both sides in between.
#[test]
fn an_estate_of_many_dossiers_comes_over_restarts() {
    let (mut world, [a, b, s]) = world(["a", "b", "s"]);
    let tracks: Vec<TrackId> = (0..300).map(|_| submit(&mut world, &a)).collect();
    for track in &tracks {
        world.ask(&a, offer(*track, b.clone())).unwrap().unwrap();
    }
    world.deliver_all().unwrap();
    tracks.iter().for_each(|track| sign(&mut world, *track, &b));
    world.deliver_all().unwrap();
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    for n in 0..60 {
        world.pass(200).unwrap();
        for _ in 0..20 {
            let Some(number) = world.pending.first().copied() else { break };
            assert_eq!(world.deliver(number).unwrap(), Ok(()));
        }
        if n % 20 == 5 {
            world.crash(world.at(&s).process).unwrap();
        }
        if n % 20 == 15 {
            world.crash(world.at(&a).process).unwrap();
        }
        world.check().unwrap();
    }
    rest(&mut world, 100);
    assert!(tracks.iter().all(|track| phase(&world, &s, *track) == Some(Phase::Held)));
    assert_eq!((kept(&world, &s, Kind::Succeed), kept(&world, &a, Kind::Succeed)), (300, 300));
    world.same_after_recovery(&s).unwrap();
}

/// S is put back to before its SUCCEED: from whoever has it, it comes back; where nobody has it, it is made anew.
#[test]
fn a_succession_that_was_forgotten_comes_back_or_is_made_anew() {
    for told in [true, false] {
        let (mut world, [a, b, s]) = world(["a", "b", "s"]);
        let track = submit(&mut world, &a);
        hand(&mut world, track, &a, &b);
        let before = copy(&world, &s);
        world.die(&b);
        merge(&mut world, &b, &s, &a);
        for _ in 0..20 {
            world.pass(1_000).unwrap();
            while let Some(number) =
                world.pending.iter().copied().find(|n| world.label(*n) != "succeed s to a")
            {
                world.deliver(number).unwrap().unwrap();
            }
            if told {
                world.deliver_all().unwrap();
            }
            world.pending.clear();
        }
        assert_eq!(
            (phase(&world, &s, track), kept(&world, &a, Kind::Succeed)),
            (Some(Phase::Held), usize::from(told))
        );
        restore(&mut world, &s, before);
        rest(&mut world, 200);
        assert_eq!(phase(&world, &s, track), Some(Phase::Held), "told: {told}");
        assert_eq!((kept(&world, &s, Kind::Succeed), kept(&world, &a, Kind::Succeed)), (1, 1));
        hand(&mut world, track, &s, &a);
        world.check().unwrap();
        world.same_after_recovery(&s).unwrap();
    }
}

/// A merger of a merger: what S took over is T's, over both acts.
#[test]
fn a_successor_has_a_successor() {
    let (mut world, [a, b, s, t]) = world(["a", "b", "s", "t"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &s, track), Some(Phase::Held));
    world.die(&s);
    merge(&mut world, &s, &t, &a);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &t, track), Some(Phase::Held));
    use Kind::*;
    assert_eq!(kinds(&spine(&world, &a, track)), [Intake, Retire, Retire, Offer, Accept, Succeed, Succeed]);
    hand(&mut world, track, &t, &a);
    world.check().unwrap();
}

/// One who is away, and one who has not the acts yet, is waited for.
#[test]
fn nothing_is_taken_over_on_the_word_of_some() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    // C signed for it, and nobody else knows.
    give(&mut world, track, &b, &c);
    sign(&mut world, track, &c);
    world.pending.clear();
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    for _ in 0..60 {
        world.pass(1_000).unwrap();
        while let Some(number) = world.pending.iter().copied().find(|n| world.letters[*n].from != c) {
            world.deliver(number).unwrap().unwrap();
        }
        world.pending.clear(); // C hears, and is not heard
    }
    assert_eq!(kept(&world, &s, Kind::Succeed), 0);
    rest(&mut world, 700);
    assert_eq!((phase(&world, &c, track), kept(&world, &s, Kind::Succeed)), (Some(Phase::Held), 0));
    world.check().unwrap();
}

/// Only the place of receipt has B's signature, and it lacks the OFFER before it: A learns of it by its own question, and S
/// hears it from A, who answers after that.
#[test]
fn a_giver_finds_out_before_it_answers() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &c);
    hand(&mut world, track, &c, &a);
    world.ask(&a, offer(track, b.clone())).unwrap().unwrap();
    let offered = intercept(&mut world, "offer a to b");
    world.pending.clear(); // the copy for C is lost, and comes again much later
    world.at_mut(&c).mailbox = world::network::Mailbox::Full;
    world.deliver(offered).unwrap().unwrap();
    sign(&mut world, track, &b);
    world.at_mut(&c).mailbox = world::network::Mailbox::Open;
    world.pass(5_000).unwrap();
    let signed = intercept(&mut world, "accept b to c");
    world.deliver(signed).unwrap().unwrap();
    world.pending.clear();
    assert!(world.state(&c).track(&track).unwrap().floats());
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    for _ in 0..30 {
        world.pass(1_000).unwrap();
        let copied = |world: &World, n: usize| {
            world.label(n) == "offer a to c" || world.label(n).starts_with("accept")
        };
        while let Some(number) = world.pending.iter().copied().find(|n| !copied(&world, *n)) {
            world.deliver(number).unwrap().unwrap();
        }
        world.pending.clear();
    }
    assert_eq!((phase(&world, &a, track), phase(&world, &s, track)), (Some(Phase::Gone), Some(Phase::Held)));
    rest(&mut world, 100);
    assert_eq!(world.state(&c).track(&track).unwrap().custodian(), &s);
    world.check().unwrap();
}

/// The content is with nobody who is left: the successor holds the dossier, and says so when it is to be handed on.
#[test]
fn a_content_that_nobody_has_is_lost() {
    let (mut world, [a, b, s]) = world(["a", "b", "s"]);
    let track = submit(&mut world, &b);
    world.ask(&b, offer(track, a.clone())).unwrap().unwrap();
    world.ask(&b, act("recalls", track, track).unwrap()).unwrap().unwrap();
    let recalled = intercept(&mut world, "cancel b to a");
    world.deliver(recalled).unwrap().unwrap();
    world.pending.clear();
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &s, track), Some(Phase::Held));
    assert_eq!(world.ask(&s, offer(track, a.clone())).unwrap(), Err(Reason::ContentLost));
}

/// B's first note is lost with it, and what B put behind that is with the place of receipt: a part of the past is missing, and
/// S leaves the dossier alone.
#[test]
fn a_part_of_the_past_that_is_lost_is_doubt() {
    for origin in ["s", "a"] {
        let (mut world, [_, b, _, s]) = world(["a", "b", "c", "s"]);
        let (origin, track) = (id(origin), submit(&mut world, &id(origin)));
        hand(&mut world, track, &origin, &b);
        world.ask(&b, act("notes", track, track).unwrap()).unwrap().unwrap();
        world.pending.clear();
        world.ask(&b, act("completes", track, track).unwrap()).unwrap().unwrap();
        let copied = intercept(&mut world, &format!("completed b to {origin}"));
        world.deliver(copied).unwrap().unwrap();
        world.pending.clear();
        world.die(&b);
        merge(&mut world, &b, &s, &s);
        rest(&mut world, 30);
        assert_eq!(kept(&world, &s, Kind::Succeed), 0, "{origin}");
        let known = world.state(&s).track(&track).unwrap();
        assert_eq!(known.custodian(), &b);
        let collecting = world.at(&s).node.as_ref().unwrap().collecting();
        assert_eq!(
            collecting.remains(world.state(&s), &track, known),
            Some(Remains::PastLost),
            "people are told"
        );
    }
}

/// Nobody can make a successor keep what none of those ever held whom it succeeds.
#[test]
fn what_it_never_held_is_not_learned() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let (track, other) = (submit(&mut world, &a), submit(&mut world, &c));
    hand(&mut world, track, &a, &b);
    let intake = spine(&world, &c, other).remove(0);
    world.die(&b);
    merge(&mut world, &b, &s, &s);
    let asked = |world: &World| {
        let to_c = world.letters.iter().filter(|l| l.from == s && l.to == c);
        let mut said = to_c.filter_map(|l| match &l.statement.body {
            Body::Recovery(Word::Estate(estate)) => Some((estate.ask.nonce, estate.ask.round)),
            _ => None,
        });
        said.next()
    };
    let (nonce, round) = asked(&world).unwrap();
    let given = Given { nonce, round, number: 1, of: 1, more: false, track: Some(other) };
    let left = Word::Left(Left { given, undecided: false, moved_on: false });
    let number = world.forge(&c, &s, Body::Recovery(left), None);
    world.letters[number].certificate = vec![intake];
    world.deliver(number).unwrap().unwrap();
    rest(&mut world, 20);
    assert_eq!((phase(&world, &s, other), phase(&world, &s, track)), (None, Some(Phase::Held)));
}

/// A SUCCEED is taken only behind the act that names its maker, and over nothing that is known behind what it follows.
#[test]
fn nobody_takes_a_succession_that_is_not_right() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    let before = world.state(&a).track(&track).unwrap().standing().tip;
    world.ask(&b, act("notes", track, track).unwrap()).unwrap().unwrap();
    world.deliver_all().unwrap();
    world.die(&b);
    let right = world.act(&b, Some(s.clone()), 1);
    let wrong =
        [world.act(&b, Some(c.clone()), 1), world.act(&c, Some(s.clone()), 1), world.act(&b, None, 1)];
    let along = spine(&world, &a, track);
    let cut: Vec<_> = along[..along.len() - 1].to_vec();
    assert_eq!(cut.last().unwrap().sid(), before);
    let mut send = |maker: &AgencyId, beside: &[Arc<Statement>], body: Succeed| {
        let number = world.forge(maker, &a, Body::Succeed(body), None);
        world.letters[number].certificate = beside.to_vec();
        world.deliver(number).unwrap()
    };
    let tip = along.last().unwrap().sid();
    let body = |prev, act: &Arc<Statement>| Succeed { track, prev, hop: Hop(1), act: act.sid() };
    let with = |spine: &[Arc<Statement>], act: &Arc<Statement>| {
        [&spine[..1], &[act.clone()][..], &spine[1..]].concat()
    };
    assert_eq!(send(&s, &along, body(tip, &right)), Err(Reason::BadCertificate), "no act");
    for other in &wrong {
        assert_eq!(send(&s, &with(&along, other), body(tip, other)), Err(Reason::BadCertificate));
    }
    assert_eq!(send(&c, &with(&along, &right), body(tip, &right)), Err(Reason::BadCertificate), "not named");
    let high = Succeed { hop: Hop(2), ..body(tip, &right) };
    assert_eq!(send(&s, &with(&along, &right), high), Err(Reason::BadCertificate));
    assert_eq!(
        send(&s, &with(&cut, &right), body(before, &right)),
        Err(Reason::Fork),
        "B's note is left out"
    );
    let elsewhere = Succeed { track: Digest([9; 32]), ..body(tip, &right) };
    assert_eq!(send(&s, &with(&along, &right), elsewhere), Err(Reason::UnknownTransfer));
    assert_eq!(send(&s, &with(&along, &right), body(tip, &right)), Ok(()));
    assert_eq!(world.state(&a).track(&track).unwrap().custodian(), &s);
    // The walk alone says the same.
    let last = spine(&world, &a, track).pop().unwrap();
    let mut walk = Walk::along(along.iter().map(|s| &**s)).unwrap();
    assert_eq!(walk.step(&last), Err(Break::Successor));
    walk.step(&right).unwrap();
    walk.step(&last).unwrap();
    assert_eq!((walk.step(&last), walk.holder), (Err(Break::Predecessor), s));
}
