//! A RECLAIM on the spine, in a ledger and at the place of receipt (`core::authority::reclaim`): what it moves, and whose it is.

use crate::world::gone::{copy, give, hand, rest, retire, submit, world};
use crate::world::words::{apply, made};
use crate::world::{World, id};
use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::custody::spine::{Break, Walk};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Hop, TrackId};
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Body, Offer, RefusalCause};

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

/// C took a dossier in that A has offered to B. B is gone, A has taken the offer back, and its word is on the way to C, which
/// is an old copy that does not know of the act.
fn a_reclaim_on_its_way() -> (World, [AgencyId; 3], TrackId, usize) {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &c);
    hand(&mut world, track, &c, &a);
    give(&mut world, track, &a, &b);
    let (ledger, head) = copy(&world, &c);
    world.die(&b);
    retire(&mut world, &b, &a);
    let is_reclaim = |world: &World| {
        world.pending.iter().copied().find(|n| matches!(world.letters[*n].statement.body, Body::Reclaim(_)))
    };
    let mut number = is_reclaim(&world);
    for _ in 0..50 {
        if number.is_some() {
            break;
        }
        match world.pending.first().copied() {
            Some(next) => world.deliver(next).unwrap().unwrap(),
            None => world.pass(1_000).unwrap(),
        }
        number = is_reclaim(&world);
    }
    let place = world.at_mut(&c);
    (place.ledger, place.head, place.node) = (ledger, head, None);
    world.start(&c).unwrap();
    assert!(!world.state(&c).memory.acts.retires(&b));
    (world, [a, b, c], track, number.expect("A has taken it back"))
}

/// Whether the place of receipt knows that an offer is taken back.
pub(crate) fn is_reclaimed(world: &World, at: &AgencyId, track: TrackId) -> bool {
    let track = world.state(at).track(&track).unwrap();
    track.transfers.values().any(|t| t.outcome.is_some_and(|o| o.refused == Some(RefusalCause::Reclaimed)))
}

#[test]
fn the_place_of_receipt_takes_a_reclaim_with_the_act_that_it_names() {
    let (mut world, [_, b, c], track, number) = a_reclaim_on_its_way();
    assert_eq!(world.deliver(number).unwrap(), Ok(()));
    assert!(is_reclaimed(&world, &c, track) && world.state(&c).memory.acts.retires(&b));
}

#[test]
fn the_place_of_receipt_takes_no_reclaim_with_another_act() {
    let (mut world, [_, b, c], track, number) = a_reclaim_on_its_way();
    let beside = [vec![], vec![world.act(&c, None, 1)], vec![world.act(&b, Some(c.clone()), 7)]];
    for certificate in beside {
        world.letters[number].certificate = certificate;
        assert_eq!(world.deliver(number).unwrap(), Err(Reason::BadCertificate));
    }
    assert!(!is_reclaimed(&world, &c, track));
}

/// What a verifier believes: a RECLAIM counts from the giver of the OFFER that it names, with its number, and from nobody else.
#[test]
fn a_spine_over_a_reclaim_of_somebody_else_is_none() {
    let (mut world, [a, b, _]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 20);
    let known = world.state(&a).track(&track).unwrap();
    let places = world.state(&a).certificate_to(known, &known.standing().tip).unwrap();
    let spine: Vec<_> = places.iter().map(|i| world.statement(&a, *i).unwrap()).collect();
    let Body::Reclaim(right) = spine[3].body.clone() else { panic!("{spine:?}") };
    let over = |maker: &str, hop| {
        let last = made(maker, 0, 900, Body::Reclaim(Reclaim { hop: Hop(hop), ..right.clone() }));
        Walk::along(spine[..3].iter().chain([&last]).map(|s| &**s)).map(|walk| walk.holder)
    };
    assert_eq!(over("a", 1), Ok(a.clone()));
    for (maker, hop) in [("a", 2), ("c", 1), ("b", 1), ("c", 2)] {
        assert_eq!(over(maker, hop), Err(Break::Receiver), "of {maker}, {hop}");
    }
}
