//! Who collects what a retired agency held, whom it believes, and who is told: answers that are none, and askers who may not ask.

mod world;

use lienthong_core::ids::Digest;
use lienthong_core::recovery::{Ask, Estate, Given, Known, Left, Word};
use lienthong_core::statement::Body;
use world::World;
use world::gone::{copy, hand, intercept, merge, rest, restore, submit, world};
use world::people::act;

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
