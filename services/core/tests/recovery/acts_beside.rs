//! Acts of the authority that come beside something else (`core::authority`): they count like those an operator brings.

use crate::world::gone::{copy, give, intercept, phase, rest, retire, submit, world};
use crate::world::people::offer;
use crate::world::words::{apply, made};
use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::custody::command::Act;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{Digest, Hop};
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

/// As a register is written by its owner only, a RECLAIM moves the phase of what it reclaims, and of nothing else.
#[test]
fn a_reclaim_moves_no_other_phase() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let first = world.transfer_to(track, &b).unwrap();
    world.ask(&b, Act::Refuse { tid: first, reason: "thiếu giấy tờ".into() }).unwrap().unwrap();
    world.deliver_all().unwrap();
    give(&mut world, track, &a, &b);
    let second = world.transfer_to(track, &b).unwrap();
    let (mut at_a, mut at_b) = (world.state(&a).clone(), world.state(&b).clone());
    let phases = |a: &State, b: &State| [a, b].map(|state| state.track(&track).unwrap().phase);
    let reclaim = |tid, hop| {
        let act = Digest([1; 32]);
        made("a", 0, 900 + u64::from(hop), Body::Reclaim(Reclaim { track, tid, hop: Hop(hop), act }))
    };
    for state in [&mut at_a, &mut at_b] {
        apply(state, &reclaim(first, 1));
    }
    assert_eq!(phases(&at_a, &at_b), [Phase::Offered(second), Phase::Inbox(second)]);
    for state in [&mut at_a, &mut at_b] {
        apply(state, &reclaim(second, 2));
    }
    assert_eq!(phases(&at_a, &at_b), [Phase::Held, Phase::Out]);
}
