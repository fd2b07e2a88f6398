//! Acts of the authority that come beside something else (`core::authority`): they count like those an operator brings.

use crate::world::gone::{copy, give, intercept, phase, rest, restore, retire, submit, world};
use crate::world::people::offer;
use crate::world::words::{apply, made, tell};
use crate::world::{World, id};
use lienthong_core::authority::{ACTS, Retire};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::Incarnation;
use lienthong_core::recovery::Word;
use lienthong_core::statement::Body;

/// C is an old copy that nobody told so, and learns from the certificate of an OFFER that B is retired: it passes the act
/// on and takes back what it had offered to B, as if it had heard it from an operator.
#[test]
fn an_act_in_a_certificate_counts_like_any_other() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let (of_a, of_c) = (submit(&mut world, &a), submit(&mut world, &c));
    give(&mut world, of_a, &a, &b);
    give(&mut world, of_c, &c, &b);
    let (ledger, head) = copy(&world, &c);
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 20);
    assert_eq!((phase(&world, &a, of_a), phase(&world, &c, of_c)), (Some(Phase::Held), Some(Phase::Held)));

    let place = world.at_mut(&c);
    (place.ledger, place.head, place.node) = (ledger, head, None);
    world.start(&c).unwrap();
    let offered = world.transfer_to(of_c, &b).unwrap();
    assert_eq!(phase(&world, &c, of_c), Some(Phase::Offered(offered)));
    assert!(!world.state(&c).memory.acts.retires(&b), "the copy knows nothing of it");
    world.ask(&a, offer(of_a, c.clone())).unwrap().unwrap();
    let over_a_reclaim = intercept(&mut world, "offer a to c");
    world.pending.clear();
    world.deliver(over_a_reclaim).unwrap().unwrap();
    assert!(world.state(&c).memory.acts.retires(&b));
    rest(&mut world, 20);
    assert_eq!(phase(&world, &c, of_c), Some(Phase::Held), "B never accepted it");
    world.check().unwrap();
}

/// Acts fit one envelope together: there is room for so many, and for one more there is none.
#[test]
fn acts_are_bounded() {
    let mut state = State::new(id("a"));
    assert!(state.memory.acts.is_empty());
    let act = |n: usize| {
        let retire = Retire { agency: id(&format!("gone-{n}")), successor: None, why: String::new() };
        made("tinh", 0, n as u64, Body::Retire(retire))
    };
    for n in 0..ACTS {
        assert!(state.memory.acts.takes(&act(n)), "{n}");
        apply(&mut state, &act(n));
    }
    assert!(!state.memory.acts.takes(&act(ACTS)));
    assert!(state.memory.acts.retires(&id("gone-0")) && !state.memory.acts.is_empty());
}

/// That a peer knows the acts counts until that peer begins to recover, and of the others on.
#[test]
fn who_recovers_may_have_forgotten_the_acts() {
    let (mut world, [a, b, c, d]) = world(["a", "b", "c", "d"]);
    world.die(&d);
    let kept = copy(&world, &b);
    retire(&mut world, &d, &a);
    rest(&mut world, 20);
    let knows = |world: &World| [&b, &c].map(|peer| world.state(&a).memory.acts.are_known_to(peer));
    assert_eq!(knows(&world), [true, true]);
    restore(&mut world, &b, kept);
    let fence = intercept(&mut world, "recovery b to a");
    world.deliver(fence).unwrap().unwrap();
    assert_eq!(knows(&world), [false, true]);
    rest(&mut world, 60);
    assert_eq!(knows(&world), [true, true], "it says so again");
    let kept = copy(&world, &a);
    restore(&mut world, &a, kept);
    assert_eq!(knows(&world), [false, false], "what A knows of its peers may be old");
}

/// A retired agency that still runs is heard about the acts that it knows, and about nothing else.
#[test]
fn who_is_retired_is_heard_about_the_acts_only() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    retire(&mut world, &b, &a);
    rest(&mut world, 30);
    assert!(world.state(&b).retired());
    for who in [&a, &c] {
        assert!(world.state(who).memory.acts.are_known_to(&b), "{who} need not tell it again");
    }
    let fence = Word::Fence { incarnation: Incarnation(1), nonce: [1; 16] };
    let before = world.state(&a).memory.clone();
    assert_eq!(tell(&mut world, &b, &a, made("b", 1, 900, Body::Recovery(fence.clone()))), Ok(()));
    assert_eq!(world.state(&a).memory, before, "it fences nothing any more");
    let before = world.state(&b).memory.clone();
    assert_eq!(tell(&mut world, &a, &b, made("a", 1, 900, Body::Recovery(fence))), Ok(()));
    assert_eq!(world.state(&b).memory, before, "and hears of no fence");
}
