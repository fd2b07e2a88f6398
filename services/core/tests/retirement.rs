//! Retirement by an act of the authority (`core::authority`): who is retired is not waited for in a recovery, nobody comes
//! out of one without the acts, and acts may come in any order, twice, and to any node.

mod world;

use lienthong_core::custody::track::Phase;
use lienthong_core::ids::AgencyId;
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::recovery::Word;
use lienthong_core::statement::{Body, Kind};
use proptest::prelude::*;
use world::gone::{copy, hand, phase, rest, restore, retire, sign, submit};
use world::people::offer;
use world::{World, id};

#[test]
fn a_recovery_waits_for_who_is_gone_until_the_authority_retires_it() {
    let [a, b, c] = ["a", "b", "c"].map(id);
    let mut world = World::new(&["a", "b", "c"]);
    let track = submit(&mut world, &a);
    let kept = copy(&world, &a);
    hand(&mut world, track, &a, &c);
    world.die(&b);
    restore(&mut world, &a, kept);
    rest(&mut world, 100);
    let node = world.at(&a).node.as_ref().unwrap();
    let waits: Vec<&AgencyId> =
        node.asking().unwrap().peers().filter(|(_, p)| !p.done).map(|(p, _)| p).collect();
    assert!(world.state(&a).recovering() && waits.contains(&&b), "it waits for {waits:?}");
    assert_eq!(world.ask(&a, offer(track, c.clone())).unwrap(), Err(Reason::Recovering));
    // The act comes to another node; it reaches the one that recovers.
    retire(&mut world, &b, &c);
    rest(&mut world, 100);
    assert!(!world.state(&a).recovering(), "everybody else has answered");
    assert_eq!(phase(&world, &a, track), Some(Phase::Gone), "C has it, and gave it back");
    assert!(world.state(&a).memory.acts.retires(&b));
    world.check().unwrap();
}

/// A gave way to B's retirement, is put back from a copy that knows nothing of it, and nobody but C remembers.
#[test]
fn nobody_comes_out_of_a_recovery_without_the_acts() {
    let [a, b, c] = ["a", "b", "c"].map(id);
    let mut world = World::new(&["a", "b", "c"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    let kept = copy(&world, &a);
    // B offers it to A, and is retired before A hears of that.
    world.ask(&b, offer(track, a.clone())).unwrap().unwrap();
    let offered = *world.pending.first().unwrap();
    world.pending.clear();
    world.die(&b);
    retire(&mut world, &b, &c);
    rest(&mut world, 5);
    assert!(world.state(&a).memory.acts.retires(&b));
    restore(&mut world, &a, kept);
    assert!(!world.state(&a).memory.acts.retires(&b), "the copy knows nothing of it");
    rest(&mut world, 100);
    assert!(!world.state(&a).recovering() && world.state(&a).memory.acts.retires(&b));
    assert_eq!(world.deliver(offered).unwrap(), Err(Reason::MakerRetired));
    assert_eq!(phase(&world, &a, track), Some(Phase::Gone));
    let known = &world.state(&c).memory.acts;
    assert!(known.are_known_to(&a), "A said so again after its recovery");
}

/// What a peer gave back before it knew the act does not count: until then it might have taken what B handed on.
#[test]
fn what_was_given_back_before_the_act_is_asked_again() {
    let [a, b, c] = ["a", "b", "c"].map(id);
    let mut world = World::new(&["a", "b", "c"]);
    let track = submit(&mut world, &a);
    let kept = copy(&world, &a);
    hand(&mut world, track, &a, &b);
    restore(&mut world, &a, kept);
    // A's fence and question reach C before B's offer does; B answers nobody.
    world.ask(&b, offer(track, c.clone())).unwrap().unwrap();
    let offered = *world.pending.iter().find(|n| world.label(**n) == "offer b to c").unwrap();
    world.pending.clear();
    world.die(&b);
    rest(&mut world, 20);
    world.deliver(offered).unwrap().unwrap();
    sign(&mut world, track, &c);
    retire(&mut world, &b, &a);
    rest(&mut world, 100);
    assert!(!world.state(&a).recovering());
    assert_eq!((phase(&world, &a, track), phase(&world, &c, track)), (Some(Phase::Gone), Some(Phase::Held)));
    world.check().unwrap();
}

#[test]
fn a_node_keeps_only_so_many_acts() {
    let [a, b] = ["a", "b"].map(id);
    let mut world = World::new(&["a", "b"]);
    for epoch in 1..=4 {
        let act = world.act(&b, None, epoch);
        world.step(&a, Input::Act(act)).unwrap().unwrap();
    }
    let fifth = world.act(&b, None, 5);
    assert_eq!(world.step(&a, Input::Act(fifth)).unwrap(), Err(Reason::TooManyItems));
    let first = world.act(&b, None, 1);
    let again = world.step(&a, Input::Act(first)).unwrap().unwrap();
    assert!(matches!(again, Answer::Done { repeated: true, .. }));
    let standing = world.state(&a).memory.acts.standing(&b).map(|(_, act)| act.epoch);
    assert_eq!((standing, world.state(&a).memory.acts.retired().count()), (Some(4), 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Some acts come to some nodes, in any order and again, and nodes restart: in the end all know the same.
    #[test]
    fn acts_spread_and_order_does_not_matter(
        moves in prop::collection::vec((0..3_usize, 0..3_u64, any::<bool>()), 1..12),
    ) {
        let names = ["a", "b", "c", "gone", "merged"];
        let mut world = World::new(&names);
        [id("gone"), id("merged")].iter().for_each(|gone| world.die(gone));
        for (n, epoch, crash) in &moves {
            let at = id(names[*n]);
            // The third is a correction of the first: both retire the one agency, the later names its successor.
            let (gone, successor) = [("gone", None), ("merged", Some("a")), ("gone", Some("c"))][*epoch as usize];
            let act = world.act(&id(gone), successor.map(id), *epoch);
            world.step(&at, Input::Act(act)).unwrap().unwrap();
            if *crash {
                world.crash(world.at(&at).process).unwrap();
            }
        }
        rest(&mut world, 5);
        let seen = |name: &str| {
            let acts = &world.state(&id(name)).memory.acts;
            let standing = acts.retired().map(|(sid, act)| (*sid, act.successor.clone())).collect::<Vec<_>>();
            (standing, acts.0.keys().copied().collect::<Vec<_>>())
        };
        prop_assert_eq!(seen("a"), seen("b"));
        prop_assert_eq!(seen("b"), seen("c"));
        for name in ["a", "b", "c"] {
            let acts = &world.state(&id(name)).memory.acts;
            prop_assert!(["a", "b", "c"].iter().all(|peer| *peer == name || acts.are_known_to(&id(peer))));
            world.same_after_recovery(&id(name)).unwrap();
        }
    }
}

/// The word of a letter, where it is one.
fn word(world: &World, number: usize) -> Option<&Word> {
    match &world.letters[number].statement.body {
        Body::Recovery(word) => Some(word),
        _ => None,
    }
}

/// While a peer has not said that it knows the act, it may still take what the retired one hands on: it is not even asked.
#[test]
fn nobody_is_asked_before_it_knows_the_act() {
    let [a, b, c] = ["a", "b", "c"].map(id);
    let mut world = World::new(&["a", "b", "c"]);
    let track = submit(&mut world, &a);
    let kept = copy(&world, &a);
    hand(&mut world, track, &a, &b);
    world.die(&b);
    retire(&mut world, &b, &a);
    world.pending.clear();
    restore(&mut world, &a, kept);
    retire(&mut world, &b, &a);
    for _ in 0..60 {
        world.pass(1_000).unwrap();
        while let Some(number) = world.pending.first().copied() {
            let acts = matches!(word(&world, number), Some(Word::Acts { .. }));
            if acts {
                world.pending.remove(0); // lost
            } else {
                world.deliver(number).unwrap().unwrap();
            }
        }
    }
    assert!(world.state(&a).recovering());
    let asked = |n: usize| matches!(word(&world, n), Some(Word::Ask(_))) && world.letters[n].to == c;
    assert!(!(0..world.letters.len()).any(asked));
    rest(&mut world, 700);
    assert!(!world.state(&a).recovering());
}

/// A restart in the middle of a recovery asks under a nonce of its own, not under that of every such restart.
#[test]
fn a_restart_asks_as_itself() {
    let [a, c] = ["a", "c"].map(id);
    let mut world = World::new(&["a", "c"]);
    let kept = copy(&world, &a);
    submit(&mut world, &a);
    restore(&mut world, &a, kept);
    let mut nonces = std::collections::BTreeSet::new();
    for _ in 0..3 {
        world.crash(world.at(&a).process).unwrap();
        world.pending.clear();
        for _ in 0..10 {
            world.pass(1_000).unwrap();
            let asks = |n: usize| matches!(word(&world, n), Some(Word::Ask(_)));
            let heard = world.pending.iter().copied().find(|n| !asks(*n));
            match heard {
                Some(number) => world.deliver(number).unwrap().unwrap(),
                None => break,
            }
        }
        let asked = world.pending.iter().find_map(|n| match word(&world, *n) {
            Some(Word::Ask(ask)) if world.letters[*n].to == c => Some(ask.nonce),
            _ => None,
        });
        assert!(nonces.insert(asked.unwrap()), "an answer to an earlier start would count");
    }
    rest(&mut world, 10);
    assert!(!world.state(&a).recovering());
}

/// They lie beside the very word without which no recovery ends.
#[test]
fn the_acts_lie_beside_the_answer_to_a_fence() {
    let [a, b, c] = ["a", "b", "c"].map(id);
    let mut world = World::new(&["a", "b", "c"]);
    let kept = copy(&world, &a);
    world.die(&b);
    retire(&mut world, &b, &c);
    rest(&mut world, 5);
    restore(&mut world, &a, kept);
    rest(&mut world, 5);
    let fenced =
        |n: &usize| matches!(word(&world, *n), Some(Word::Fenced { .. })) && world.letters[*n].from == c;
    let answer = (0..world.letters.len()).find(fenced).unwrap();
    let beside: Vec<Kind> = world.letters[answer].certificate.iter().map(|s| s.body.kind()).collect();
    assert_eq!(beside, [Kind::Retire]);
}
