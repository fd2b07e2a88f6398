//! A RECLAIM on the spine, in a ledger and at the place of receipt (`core::authority::reclaim`): what it moves, and whose it is.

use crate::world::gone::{copy, give, hand, rest, retire, spine, submit, world};
use crate::world::words::{apply, made};
use crate::world::{World, id};
use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::custody::spine::{Break, Walk};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Hop, TrackId};
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Accept, Body, Offer, RefusalCause, Refuse, Statement};
use std::sync::Arc;

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
    let spine = spine(&world, &a, track);
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
    let spine = spine(&world, &a, track);
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

/// C took a dossier in, A has offered it to B, and C has the copy of that. The spine up to there, and what may be behind it:
/// B's ACCEPT, B's REFUSE, A's RECLAIM and the act that it names.
fn undecided() -> (World, TrackId, Vec<Arc<Statement>>, [Arc<Statement>; 4]) {
    let (mut world, [a, b, c, _]) = world(["a", "b", "c", "d"]);
    let track = submit(&mut world, &c);
    hand(&mut world, track, &c, &a);
    give(&mut world, track, &a, &b);
    let tid = world.transfer_to(track, &b).unwrap();
    let known = world.state(&a).track(&track).unwrap();
    let places = known.spine_to(&tid).unwrap();
    let spine: Vec<_> = places.iter().map(|i| world.statement(&a, *i).unwrap()).collect();
    let (act, hop) = (world.act(&b, None, 1), Hop(2));
    let yes = made("b", 0, 900, Body::Accept(Accept { track, tid, hop, note: String::new() }));
    let (cause, reason) = (RefusalCause::Officer, "thiếu giấy tờ".into());
    let no = made("b", 0, 900, Body::Refuse(Refuse { track, tid, hop, cause, reason }));
    let back = made("a", 0, 910, Body::Reclaim(Reclaim { track, tid, hop, act: act.sid() }));
    (world, track, spine, [yes, no, back, act])
}

/// An OFFER of `maker` behind `last`, like another one.
fn next_offer(like: &Statement, maker: &str, to: &str, (hop, last): (u32, &Statement)) -> Arc<Statement> {
    let Body::Offer(like) = like.body.clone() else { panic!("no offer") };
    let offer = Offer { to: id(to), hop: Hop(hop), prev: last.sid(), ..like };
    made(maker, 0, 920 + u64::from(hop), Body::Offer(offer))
}

/// Hands a statement over with these beside it, and with the content that every offer here has.
fn show(
    world: &mut World,
    statement: &Arc<Statement>,
    to: &str,
    beside: &[Arc<Statement>],
) -> Result<(), Reason> {
    let mut letter = world.letters.iter().find(|l| l.content.is_some()).unwrap().clone();
    (letter.from, letter.to) = (statement.claim.agency.clone(), id(to));
    (letter.statement, letter.certificate) = (statement.clone(), beside.to_vec());
    if !matches!(statement.body, Body::Offer(_)) {
        letter.content = None;
    }
    world.letters.push(letter);
    world.deliver(world.letters.len() - 1).unwrap()
}

/// Who knows that B accepted takes no RECLAIM of it, and nothing that is handed on over one: two would act on it.
#[test]
fn what_was_accepted_is_not_taken_back() {
    let (mut world, track, spine, [yes, _, back, act]) = undecided();
    assert_eq!(show(&mut world, &yes, "c", &[]), Ok(()));
    assert_eq!(show(&mut world, &back, "c", std::slice::from_ref(&act)), Err(Reason::Fork));
    let over = next_offer(&spine[3], "a", "c", (3, &back));
    let mut beside = spine.clone();
    beside.splice(1..1, [act]);
    beside.push(back);
    assert_eq!(show(&mut world, &over, "c", &beside), Err(Reason::Fork));
    assert!(!is_reclaimed(&world, &id("c"), track));
    assert_ne!(world.state(&id("c")).track(&track).unwrap().phase, Phase::Inbox(over.sid()));
}

/// And who knows that it was taken back takes nothing that is handed on over another decision, whoever shows it.
#[test]
fn what_was_taken_back_was_neither_accepted_nor_refused() {
    let (mut world, track, spine, [yes, no, back, act]) = undecided();
    assert_eq!(show(&mut world, &back, "c", &[act]), Ok(()));
    assert!(is_reclaimed(&world, &id("c"), track));
    let refused = next_offer(&spine[3], "a", "c", (3, &no));
    let over_a_refusal = [spine.clone(), vec![no]].concat();
    assert_eq!(show(&mut world, &refused, "c", &over_a_refusal), Err(Reason::Fork));
    let on = next_offer(&spine[3], "b", "d", (3, &yes));
    let tid = on.sid();
    let taken = made("d", 0, 930, Body::Accept(Accept { track, tid, hop: Hop(3), note: String::new() }));
    let accepted = next_offer(&spine[3], "d", "c", (4, &taken));
    let over_an_acceptance = [spine, vec![yes, on, taken]].concat();
    assert_eq!(show(&mut world, &accepted, "c", &over_an_acceptance), Err(Reason::Fork));
    assert_eq!(world.state(&id("c")).track(&track).unwrap().phase, Phase::Gone);
}
