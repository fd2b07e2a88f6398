//! Two decisions on one offer, shown in certificates: whoever knows the one takes nothing that rests on the other.

mod world;

use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Hop, Sid, Tid, TrackId};
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Accept, Body, Kind, Offer, RefusalCause, Refuse, Statement};
use std::sync::Arc;
use world::World;
use world::gone::{give, hand, intercept, merge, phase, rest, sign, spine, submit, world};
use world::words::made;

type Spine = Vec<Arc<Statement>>;

/// O took it in and gave it to A, who offered it to B. What O knows up to there, and the OFFER.
fn offered() -> (World, [AgencyId; 4], TrackId, Spine, Tid) {
    let (mut world, [o, a, b, c]) = world(["o", "a", "b", "c"]);
    let track = submit(&mut world, &o);
    hand(&mut world, track, &o, &a);
    give(&mut world, track, &a, &b);
    let along = spine(&world, &o, track);
    let tid = along.last().unwrap().sid();
    (world, [o, a, b, c], track, along, tid)
}

/// An OFFER to O of what a certificate ends with, and O's answer.
fn comes_back(world: &mut World, from: &AgencyId, beside: &[Arc<Statement>]) -> Result<(), Reason> {
    let last = beside.last().unwrap().sid();
    let offer = offer(from, &world::id("o"), beside, last, 9);
    let letter = world::network::Letter {
        from: from.clone(),
        to: world::id("o"),
        statement: offer,
        certificate: beside.to_vec(),
        content: Some(Arc::from("hồ sơ".as_bytes())),
        delivered: 0,
        forged: true,
    };
    world.letters.push(letter);
    world.deliver(world.letters.len() - 1).unwrap()
}

/// An OFFER like the first one of a spine.
fn offer(from: &AgencyId, to: &AgencyId, spine: &[Arc<Statement>], prev: Sid, hop: u32) -> Arc<Statement> {
    let Some(Body::Offer(first)) = spine.iter().map(|s| &s.body).find(|b| matches!(b, Body::Offer(_))) else {
        panic!("no offer")
    };
    let body = Offer { prev, hop: Hop(hop), to: to.clone(), ..first.clone() };
    made(from.as_str(), 0, 900 + u64::from(hop), Body::Offer(body))
}

fn accept(maker: &AgencyId, track: TrackId, tid: Tid, hop: u32) -> Arc<Statement> {
    let body = Accept { track, tid, hop: Hop(hop), note: String::new() };
    made(maker.as_str(), 0, 800 + u64::from(hop), Body::Accept(body))
}

/// A took it back from B. C shows that B had accepted it and handed it to C; and A, that B had refused it.
#[test]
fn what_was_reclaimed_was_neither_accepted_nor_refused() {
    let (mut world, [o, a, b, c], track, along, tid) = offered();
    world.die(&b);
    merge(&mut world, &b, &c, &a);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &a, track), Some(Phase::Held));
    assert!(spine(&world, &o, track).iter().any(|s| s.body.kind() == Kind::Reclaim));
    let accepted = accept(&b, track, tid, 2);
    let to_c = offer(&b, &c, &along, accepted.sid(), 3);
    let by_c = accept(&c, track, to_c.sid(), 3);
    let shown = [&along[..], &[accepted, to_c, by_c]].concat();
    assert_eq!(comes_back(&mut world, &c, &shown), Err(Reason::Fork));
    let no = Refuse { track, tid, hop: Hop(2), cause: RefusalCause::Recalled, reason: String::new() };
    let refused = made("b", 0, 700, Body::Refuse(no));
    let shown = [&along[..], &[refused]].concat();
    assert_eq!(comes_back(&mut world, &a, &shown), Err(Reason::Fork));
    assert_eq!(phase(&world, &o, track), Some(Phase::Gone));
}

/// The other way round: B accepted it, as O knows, and A shows that it took it back.
#[test]
fn what_was_accepted_was_not_reclaimed() {
    let (mut world, [o, a, b, _], track, along, tid) = offered();
    sign(&mut world, track, &b);
    let signed = intercept(&mut world, "accept b to o");
    world.deliver(signed).unwrap().unwrap();
    let act = world.act(&b, None, 1);
    let reclaim = Reclaim { track, tid, hop: Hop(2), act: act.sid() };
    let reclaimed = made("a", 0, 700, Body::Reclaim(reclaim));
    let shown = [&along[..1], &[act], &along[1..], &[reclaimed]].concat();
    assert_eq!(comes_back(&mut world, &a, &shown), Err(Reason::Fork));
    assert_eq!(world.state(&o).track(&track).unwrap().custodian(), &b);
}
