//! Who collects what a retired agency held, whom it believes, and who is told: answers that are none, and askers who may not ask.

mod world;

use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, TrackId};
use lienthong_core::node::Input;
use lienthong_core::recovery::{Ask, Estate, Given, Known, Left, Word};
use lienthong_core::statement::{Body, Kind};
use world::World;
use world::gone::{copy, give, hand, intercept, kept, merge, phase, rest, restore, sign, submit, world};
use world::people::{act, offer};

/// A peer has something of ours that had no place when it was given back: asked for the estate it shows it again.
#[test]
fn what_had_no_place_in_a_recovery_is_no_reason_for_another() {
    let (mut world, [a, b, s]) = world(["a", "b", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &s);
    let before = copy(&world, &s);
    world.ask(&s, act("notes", track, track).unwrap()).unwrap().unwrap();
    intercept(&mut world, "note s to a");
    world.ask(&s, act("notes", track, track).unwrap()).unwrap().unwrap();
    let second = intercept(&mut world, "note s to a");
    world.deliver(second).unwrap().unwrap();
    world.pending.clear();
    restore(&mut world, &s, before);
    rest(&mut world, 100);
    hand(&mut world, track, &s, &b);
    world.die(&b);
    let incarnation = world.state(&s).incarnation;
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 100);
    assert_eq!(world.state(&s).incarnation, incarnation, "it fences itself once more");
    assert!(!world.state(&s).recovering());
}

/// Whoever succeeds nobody is told nothing: an answer carries contents.
#[test]
fn only_a_successor_is_told_of_dossiers() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    let tracks = vec![Known { track, statements: Digest::ZERO, has_content: false }];
    let ask = Ask { nonce: [7; 16], round: 1, number: 1, of: 1, after: Digest::ZERO, tracks };
    let estate = Body::Recovery(Word::Estate(Estate { acts: Vec::new(), ask }));
    let number = world.forge(&c, &b, estate, None);
    world.deliver(number).unwrap().unwrap();
    rest(&mut world, 2);
    assert!(world.letters.iter().all(|l| l.from != b || l.to != c), "b tells c");
}

/// A peer that tells of dossiers nobody asked for: its answers count for nothing, so that it cannot keep a successor asking.
#[test]
fn what_nobody_was_asked_for_is_no_answer() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    world.die(&b);
    merge(&mut world, &b, &s, &s);
    let asked = |world: &World| {
        let questions = world.letters.iter().filter(|l| l.from == s && l.to == c);
        questions
            .filter_map(|l| match &l.statement.body {
                Body::Recovery(Word::Estate(estate)) => Some((estate.ask.nonce, estate.ask.round)),
                _ => None,
            })
            .next_back()
    };
    let (nonce, round) = asked(&world).unwrap();
    for n in 0..20 {
        let given = Given { nonce, round, number: 1, of: 1, more: false, track: Some(Digest([n; 32])) };
        let left = Body::Recovery(Word::Left(Left { given, undecided: false, moved_on: false }));
        let number = world.forge(&c, &s, left, None);
        world.deliver(number).unwrap().unwrap();
    }
    assert_eq!(asked(&world), Some((nonce, round)), "it is asked again");
}

/// A question of a successor about a dossier, made by hand.
fn question(world: &mut World, from: &AgencyId, to: &AgencyId, track: TrackId, acts: Vec<Digest>) -> usize {
    let tracks = vec![Known { track, statements: Digest::ZERO, has_content: true }];
    let number = world.letters.len() as u32;
    let ask = Ask { nonce: [7; 16], round: number, number: 1, of: 1, after: Digest::ZERO, tracks };
    world.forge(from, to, Body::Recovery(Word::Estate(Estate { acts, ask })), None)
}

/// How many answers to such a question one has given.
fn answers(world: &World, from: &AgencyId) -> usize {
    let to_it = world.letters.iter().filter(|l| l.from == *from);
    let left = |l: &&world::network::Letter| matches!(&l.statement.body, Body::Recovery(Word::Left(left)) if left.given.nonce == [7; 16]);
    to_it.filter(left).count()
}

/// A is asked by S, who is B's successor as A knows it.
#[test]
fn who_knows_other_acts_gives_no_answer() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 20);
    let (mine, other) = (world.act(&b, Some(s.clone()), 1).sid(), world.act(&b, Some(c), 2).sid());
    let mut asked = |acts: Vec<Digest>| {
        let before = answers(&world, &a);
        let number = question(&mut world, &s, &a, track, acts);
        world.deliver(number).unwrap().unwrap();
        answers(&world, &a) - before
    };
    assert_eq!(asked(vec![mine]), 1);
    assert_eq!(asked(vec![]), 0, "S knows fewer");
    assert_eq!(asked(vec![other]), 0, "S knows another");
    assert_eq!(asked(vec![mine, other]), 0, "S knows more");
}

/// What a copy has forgotten, it cannot deny.
#[test]
fn who_recovers_gives_a_successor_no_answer() {
    let (mut world, [a, b, s]) = world(["a", "b", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    let before = copy(&world, &a);
    world.die(&b);
    merge(&mut world, &b, &s, &s);
    rest(&mut world, 20);
    let mine = world.act(&b, Some(s.clone()), 1);
    restore(&mut world, &a, before);
    world.step(&a, Input::Act(mine.clone())).unwrap().unwrap();
    assert!(world.state(&a).recovering());
    let number = question(&mut world, &s, &a, track, vec![mine.sid()]);
    world.deliver(number).unwrap().unwrap();
    assert_eq!(answers(&world, &a), 0);
    rest(&mut world, 100);
    let number = question(&mut world, &s, &a, track, vec![mine.sid()]);
    world.deliver(number).unwrap().unwrap();
    assert_eq!((world.state(&a).recovering(), answers(&world, &a)), (false, 1));
}

/// A has a dossier offered to B, and has not heard yet from everybody whether B accepted it.
#[test]
fn who_asks_itself_gives_a_successor_no_answer() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    world.ask(&a, offer(track, b.clone())).unwrap().unwrap();
    world.pending.clear();
    world.die(&b);
    let mine = world.act(&b, Some(s.clone()), 1);
    [&a, &c, &s].into_iter().for_each(|at| merge(&mut world, &b, &s, at));
    let number = question(&mut world, &s, &a, track, vec![mine.sid()]);
    world.deliver(number).unwrap().unwrap();
    assert_eq!(answers(&world, &a), 0);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &a, track), Some(Phase::Held), "it was never accepted");
    let number = question(&mut world, &s, &a, track, vec![mine.sid()]);
    world.deliver(number).unwrap().unwrap();
    assert_eq!(answers(&world, &a), 1);
}

/// "I have nothing else", said to a question of another start, or to one that was asked before: C is still waited for.
#[test]
fn an_answer_to_another_question_is_none() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    world.die(&b);
    merge(&mut world, &b, &s, &s);
    let mut asked = world.letters.iter().filter(|l| l.from == s && l.to == c);
    let (nonce, round) = asked
        .find_map(|l| match &l.statement.body {
            Body::Recovery(Word::Estate(estate)) => Some((estate.ask.nonce, estate.ask.round)),
            _ => None,
        })
        .unwrap();
    let waited_for = |world: &World| {
        let node = world.at(&s).node.as_ref().unwrap();
        node.collecting().waits_for().any(|peer| *peer == c)
    };
    for (nonce, round, waits) in [([9; 16], round, true), (nonce, round + 1, true), (nonce, round, false)] {
        let given = Given { nonce, round, number: 1, of: 1, more: false, track: None };
        let left = Body::Recovery(Word::Left(Left { given, undecided: false, moved_on: false }));
        let number = world.forge(&c, &s, left, None);
        world.deliver(number).unwrap().unwrap();
        assert_eq!(waited_for(&world), waits);
    }
}

/// S was put back to before what it gave to B and nobody noticed: the answers show it its own signatures, and it fences itself.
#[test]
fn an_old_copy_finds_out_from_what_is_left() {
    let (mut world, [a, b, s]) = world(["a", "b", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &s);
    let before = copy(&world, &s);
    hand(&mut world, track, &s, &b);
    (world.at_mut(&s).ledger, world.at_mut(&s).head, world.at_mut(&s).node) = (before.0, before.1, None);
    world.start(&s).unwrap();
    assert_eq!(phase(&world, &s, track), Some(Phase::Held), "as it believes");
    world.die(&b);
    let incarnation = world.state(&s).incarnation;
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 100);
    assert!(world.state(&s).incarnation > incarnation);
    assert_eq!((phase(&world, &s, track), kept(&world, &s, Kind::Succeed)), (Some(Phase::Held), 1));
    world.check().unwrap();
}

/// S gave it to B, who accepted and handed it on to C. S hears of the acceptance by its own question, after everybody has said
/// that there is nothing to collect: nobody was asked about this dossier then, and C, who alone knows of it all, has it.
#[test]
fn what_comes_to_light_late_is_asked_about_too() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &s);
    give(&mut world, track, &s, &b);
    sign(&mut world, track, &b);
    world.pending.clear();
    world.ask(&b, offer(track, c.clone())).unwrap().unwrap();
    let offered = intercept(&mut world, "offer b to c");
    world.deliver(offered).unwrap().unwrap();
    sign(&mut world, track, &c);
    world.pending.clear();
    world.die(&b);
    merge(&mut world, &b, &s, &s);
    let late = |world: &World, n: usize| {
        let letter = &world.letters[n];
        matches!(&letter.statement.body, Body::Recovery(Word::Sought { .. }))
            || (letter.from == c && letter.to == a)
    };
    for _ in 0..30 {
        world.pass(1_000).unwrap();
        while let Some(number) = world.pending.iter().copied().find(|n| !late(&world, *n)) {
            world.deliver(number).unwrap().unwrap();
        }
        if world.mono < 10_000 {
            world.pending.clear();
        }
    }
    assert_eq!(kept(&world, &s, Kind::Succeed), 0);
    rest(&mut world, 100);
    assert_eq!((phase(&world, &c, track), kept(&world, &s, Kind::Succeed)), (Some(Phase::Held), 0));
    world.check().unwrap();
}

/// S knows the dossier from a recall that came before its offer, and has no content of it; C, who had it before, has.
#[test]
fn a_content_comes_from_whoever_has_it() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &b);
    hand(&mut world, track, &b, &c);
    hand(&mut world, track, &c, &b);
    world.ask(&b, offer(track, s.clone())).unwrap().unwrap();
    world.ask(&b, act("recalls", track, track).unwrap()).unwrap().unwrap();
    let recalled = intercept(&mut world, "cancel b to s");
    world.deliver(recalled).unwrap().unwrap();
    world.pending.clear();
    assert!(world.state(&s).track(&track).unwrap().content.is_none());
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 30);
    let known = world.state(&s).track(&track).unwrap();
    assert!(known.phase == Phase::Held && known.content.is_some(), "{known:?}");
    hand(&mut world, track, &s, &a);
}
