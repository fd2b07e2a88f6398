//! Who takes a SUCCEED, what it moves at each of those who know the dossier, and what is a fork beside it.

mod world;

use lienthong_core::authority::succeed::Succeed;
use lienthong_core::custody::track::{Phase, Track};
use lienthong_core::ids::{AgencyId, Digest, Hop, Sid, TrackId};
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Accept, Body, Kind, Offer, Statement};
use std::sync::Arc;
use world::World;
use world::gone::{copy, give, hand, merge, phase, rest, restore, sign, spine, submit, world};
use world::people::act;
use world::words::{apply, made};

/// Hands an envelope over that a peer made as it liked.
fn send(
    world: &mut World,
    to: &AgencyId,
    statement: &Arc<Statement>,
    certificate: &[Arc<Statement>],
) -> Result<(), Reason> {
    let letter = world::network::Letter {
        from: statement.claim.agency.clone(),
        to: to.clone(),
        statement: statement.clone(),
        certificate: certificate.to_vec(),
        content: Some(Arc::from("hồ sơ".as_bytes())).filter(|_| statement.body.kind() == Kind::Offer),
        delivered: 0,
        forged: true,
    };
    world.letters.push(letter);
    world.deliver(world.letters.len() - 1).unwrap()
}

/// A took it in and gave it to B; B offered it to C, who refused; S succeeded B.
fn succeeded() -> (World, [AgencyId; 4], TrackId, Vec<Arc<Statement>>) {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    give(&mut world, track, &b, &c);
    let tid = world.transfer_to(track, &c).unwrap();
    world.ask(&c, act("refuses", track, tid).unwrap()).unwrap().unwrap();
    world.deliver_all().unwrap();
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &s, track), Some(Phase::Held));
    let along = spine(&world, &a, track);
    (world, [a, b, c, s], track, along)
}

/// It goes to the place of receipt and to who gave the dossier to the retired one: who only knows of it is not asked to believe it.
#[test]
fn who_neither_gave_it_nor_took_it_in_takes_no_succession() {
    let (mut world, [a, _, c, _], track, along) = succeeded();
    let (last, before) = along.split_last().unwrap();
    assert_eq!(last.body.kind(), Kind::Succeed);
    assert_eq!(send(&mut world, &c, last, before), Err(Reason::UnknownTransfer));
    assert_eq!(phase(&world, &c, track), Some(Phase::Out));
    assert_eq!(send(&mut world, &a, last, before), Ok(()), "again");
}

/// C shows A that B had handed the dossier on to it, behind the statement that the SUCCEED follows: it told S nothing of that.
#[test]
fn what_a_succession_follows_nothing_else_follows() {
    let (mut world, [a, b, c, _], track, along) = succeeded();
    let (_, before) = along.split_last().unwrap();
    let Some(Body::Offer(first)) = before.iter().map(|s| &s.body).find(|b| matches!(b, Body::Offer(_)))
    else {
        panic!("no offer")
    };
    let offer = |maker: &str, prev: Sid, hop, to: &AgencyId| {
        let body = Offer { prev, hop: Hop(hop), to: to.clone(), ..first.clone() };
        made(maker, 0, 900 + u64::from(hop), Body::Offer(body))
    };
    let to_c = offer(b.as_str(), before.last().unwrap().sid(), 3, &c);
    let accept = Accept { track, tid: to_c.sid(), hop: Hop(3), note: String::new() };
    let accepted = made(c.as_str(), 0, 950, Body::Accept(accept));
    let to_a = offer(c.as_str(), accepted.sid(), 4, &a);
    let shown = [before, &[to_c, accepted]].concat();
    assert_eq!(send(&mut world, &a, &to_a, &shown), Err(Reason::Fork));
    assert_eq!(phase(&world, &a, track), Some(Phase::Gone));
}

/// An agency in a recovery, and one that is retired itself, takes nothing over.
#[test]
fn who_may_do_nothing_takes_nothing_over() {
    let (mut world, [a, b, s, t]) = world(["a", "b", "s", "t"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &s);
    hand(&mut world, track, &s, &b);
    let old = copy(&world, &s);
    let state = {
        let mut state = world.state(&s).clone();
        apply(&mut state, &world.act(&b, Some(s.clone()), 1));
        state
    };
    assert!(state.succeed(track, false).is_some());
    assert!(state.succeed(Digest([9; 32]), false).is_none());
    let mut retired = state;
    apply(&mut retired, &world.act(&s, Some(t), 1));
    assert!(retired.succeed(track, false).is_none());
    world.die(&b);
    restore(&mut world, &s, old);
    let act = world.act(&b, Some(s.clone()), 1);
    world.step(&s, Input::Act(act)).unwrap().unwrap();
    let state = world.state(&s);
    assert!(state.recovering() && state.succeed(track, false).is_none());
}

/// The retired one itself, and one that had the offer in its inbox, hold nothing any more; another offer stays where it is.
#[test]
fn a_succession_moves_whom_it_is_about() {
    let (mut world, [a, b, c, _]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    let tip = |world: &World, who: &AgencyId| world.state(who).track(&track).unwrap().standing().tip;
    let act = world.act(&b, Some(world::id("s")), 1);
    let follows = |prev, hop| {
        let body = Succeed { track, prev, hop: Hop(hop), act: act.sid() };
        made("s", 0, 7, Body::Succeed(body))
    };
    let after = |world: &World, who: &AgencyId, succeed: &Arc<Statement>| {
        let mut state = world.state(who).clone();
        apply(&mut state, succeed);
        state.track(&track).unwrap().phase
    };
    let held = follows(tip(&world, &b), 1);
    assert_eq!(after(&world, &b, &held), Phase::Gone);
    give(&mut world, track, &b, &c);
    let tid = world.transfer_to(track, &c).unwrap();
    let offered = follows(tid, 2);
    assert_eq!(phase(&world, &b, track), Some(Phase::Offered(tid)));
    assert_eq!(after(&world, &b, &offered), Phase::Gone);
    assert_eq!(after(&world, &c, &offered), Phase::Out);
    assert_eq!(after(&world, &c, &held), Phase::Inbox(tid), "it follows something else");
}

/// Only its maker may hold a dossier of which nobody has the content: whoever had it of that one had the content with it.
#[test]
fn who_has_it_behind_a_succession_has_its_content() {
    let (mut world, [a, _, _, s], track, _) = succeeded();
    let fault = |world: &World, who: &AgencyId| {
        let mut state = world.state(who).clone();
        assert_eq!(state.check(), Ok(()));
        let mut known = Track::clone(state.track(&track).unwrap());
        known.content = None;
        state.tracks.insert(track, known);
        state.check().err().map(|violation| (violation.invariant, violation.track))
    };
    assert_eq!(fault(&world, &s), None, "the one it succeeded may have told nobody");
    give(&mut world, track, &s, &a);
    assert_eq!(fault(&world, &s), Some(("I3", track)), "it offers what it lacks");
    assert_eq!(fault(&world, &a), Some(("I3", track)), "in the inbox");
    sign(&mut world, track, &a);
    assert_eq!(fault(&world, &a), Some(("I3", track)));
    world.deliver_all().unwrap();
    // S is retired itself, and it was A that had given it to S.
    hand(&mut world, track, &a, &s);
    world.die(&s);
    merge(&mut world, &s, &a, &a);
    rest(&mut world, 60);
    assert_eq!(phase(&world, &a, track), Some(Phase::Held));
    assert_eq!(fault(&world, &a), Some(("I3", track)), "it had the content");
}
