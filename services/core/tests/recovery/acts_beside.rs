//! Acts of the authority that come beside something else (`core::authority`): they count like those an operator brings.

use crate::world::gone::{copy, give, intercept, phase, rest, retire, submit, world};
use crate::world::id;
use crate::world::people::offer;
use crate::world::words::{apply, made};
use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::authority::{ACTS, Retire};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Hop};
use lienthong_core::statement::{Body, Offer, RefusalCause};

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

/// As a register is written by its owner only, a RECLAIM moves the phase of what it reclaims, and of nothing else: also in a
/// ledger that has two offers at once, which no honest one has.
#[test]
fn a_reclaim_moves_no_other_phase() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let tid = world.transfer_to(track, &b).unwrap();
    let offered = world.state(&a).track(&track).unwrap().entry(&tid).unwrap().index;
    let Body::Offer(right) = world.statement(&a, offered).unwrap().body.clone() else { panic!("no offer") };
    let reclaim = |maker: &AgencyId, tid, hop| {
        let reclaim = Reclaim { track, tid, hop: Hop(hop), act: Digest([1; 32]) };
        made(maker.as_str(), 0, 910 + u64::from(hop), Body::Reclaim(reclaim))
    };
    // A's own second offer would be what it has offered; to A it is one of B.
    for (who, from, stays, moves) in
        [(&a, &b, Phase::Offered(tid), Phase::Held), (&b, &a, Phase::Inbox(tid), Phase::Out)]
    {
        let mut state = world.state(who).clone();
        let phase = |state: &State| state.track(&track).unwrap().phase;
        let other =
            made(from.as_str(), 0, 900, Body::Offer(Offer { hop: Hop(2), to: id("c"), ..right.clone() }));
        apply(&mut state, &other);
        assert_eq!(phase(&state), stays, "{who}");
        apply(&mut state, &reclaim(from, other.sid(), 2));
        assert!(state.track(&track).unwrap().transfers[&other.sid()].outcome.is_some());
        assert_eq!(phase(&state), stays, "{who}");
        apply(&mut state, &reclaim(&a, tid, 1));
        assert_eq!(phase(&state), moves, "{who}");
    }
}

/// The place of receipt may get the copy of a RECLAIM before that of its OFFER.
#[test]
fn a_reclaim_that_overtakes_its_offer_decides_it() {
    let (mut world, [a, b, _]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 20);
    let known = world.state(&a).track(&track).unwrap();
    let places = world.state(&a).certificate_to(known, &known.standing().tip).unwrap();
    let spine: Vec<_> = places.iter().map(|i| world.statement(&a, *i).unwrap()).collect();
    let [intake, act, offer, reclaim] = spine.as_slice() else { panic!("{spine:?}") };
    let mut follower = State::new(id("x"));
    for statement in [intake, act, reclaim, offer] {
        apply(&mut follower, statement);
    }
    let outcome = follower.track(&track).unwrap().transfers[&offer.sid()].outcome.unwrap();
    assert_eq!((outcome.sid, outcome.refused), (reclaim.sid(), Some(RefusalCause::Reclaimed)));
}

/// Acts fit one envelope together: there is room for so many, and for one more there is none.
#[test]
fn acts_are_bounded() {
    let mut state = State::new(id("a"));
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
