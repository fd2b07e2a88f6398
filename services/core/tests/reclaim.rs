//! RECLAIM (`core::authority::reclaim`): what a retired agency never accepted is its giver's again, and whatever is late,
//! forgotten or put back from a copy, no two hold one dossier.

mod world;

use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::custody::spine::{Break, Walk};
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{Digest, Hop, TrackId};
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Body, Kind};
use world::gone::{
    copy, give, hand, intercept, kept, phase, rest, restore, retire, sign, spine, submit, world,
};
use world::people::offer;

#[test]
fn a_restart_in_between_asks_anew() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let tracks: Vec<TrackId> = (0..5).map(|_| submit(&mut world, &a)).collect();
    tracks.iter().for_each(|track| give(&mut world, *track, &a, &b));
    world.die(&b);
    retire(&mut world, &b, &a);
    // The answer to the first question comes after a crash: it answers nothing that is still asked.
    world.deliver(*world.pending.first().unwrap()).unwrap().unwrap();
    world.crash(world.at(&a).process).unwrap();
    rest(&mut world, 20);
    for track in tracks {
        assert_eq!(phase(&world, &a, track), Some(Phase::Held));
    }
    assert_eq!(kept(&world, &a, Kind::Reclaim), 5);
    assert!(world.state(&a).outbox.is_empty());
    world.same_after_recovery(&a).unwrap();
    world.same_after_recovery(&c).unwrap();
    world.check().unwrap();
}

/// Many offers go out in several questions.
#[test]
fn more_than_one_question_holds() {
    let (mut world, [a, b, _]) = world(["a", "b", "c"]);
    let tracks: Vec<TrackId> = (0..300).map(|_| submit(&mut world, &a)).collect();
    for track in &tracks {
        world.ask(&a, offer(*track, b.clone())).unwrap().unwrap();
    }
    world.pending.clear();
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 20);
    assert!(tracks.iter().all(|track| phase(&world, &a, *track) == Some(Phase::Held)));
    assert_eq!(kept(&world, &a, Kind::Reclaim), 300);
}

#[test]
fn where_nobody_else_is_left_there_is_nobody_to_ask() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 3);
    assert_eq!(phase(&world, &a, track), Some(Phase::Held));
}

/// B accepted and offered it on to C. C has B's ACCEPT in the certificate, and A does not have it.
#[test]
fn an_acceptance_that_only_the_next_receiver_knows_is_found() {
    let (mut world, [a, b, c, _]) = world(["a", "b", "c", "d"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    sign(&mut world, track, &b);
    world.pending.clear();
    world.ask(&b, offer(track, c.clone())).unwrap().unwrap();
    let offered = intercept(&mut world, "offer b to c");
    world.deliver(offered).unwrap().unwrap();
    world.pending.clear();
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &a, track), Some(Phase::Gone));
    sign(&mut world, track, &c);
    rest(&mut world, 20);
    assert_eq!((kept(&world, &a, Kind::Reclaim), phase(&world, &c, track)), (0, Some(Phase::Held)));
    world.check().unwrap();
}

/// The same, but B's offer reaches C after C has answered: it is too late, and A has the dossier.
#[test]
fn an_offer_of_the_retired_that_comes_after_the_answer_is_too_late() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    sign(&mut world, track, &b);
    world.pending.clear();
    world.ask(&b, offer(track, c.clone())).unwrap().unwrap();
    let offered = intercept(&mut world, "offer b to c");
    world.pending.clear();
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 20);
    assert_eq!(world.deliver(offered).unwrap(), Err(Reason::MakerRetired));
    assert_eq!((phase(&world, &a, track), phase(&world, &c, track)), (Some(Phase::Held), None));
    world.check().unwrap();
}

/// D is retired too, holds what B handed to it, and still runs: nobody takes it back from D, for all who answered know both.
#[test]
fn who_is_retired_too_can_hand_nothing_on() {
    let (mut world, [a, b, c, d]) = world(["a", "b", "c", "d"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    sign(&mut world, track, &b);
    world.pending.clear();
    world.ask(&b, offer(track, d.clone())).unwrap().unwrap();
    let offered = intercept(&mut world, "offer b to d");
    world.deliver(offered).unwrap().unwrap();
    sign(&mut world, track, &d);
    world.pending.clear();
    world.ask(&d, offer(track, c.clone())).unwrap().unwrap();
    let offered = intercept(&mut world, "offer d to c");
    world.pending.clear();
    world.die(&b);
    retire(&mut world, &b, &a);
    // D says nothing any more, so A is not done; then D is retired as well.
    world.die(&d);
    rest(&mut world, 20);
    let tid = world.transfer_to(track, &b).unwrap();
    assert_eq!(phase(&world, &a, track), Some(Phase::Offered(tid)));
    retire(&mut world, &d, &a);
    rest(&mut world, 70);
    assert_eq!(phase(&world, &a, track), Some(Phase::Held));
    assert_eq!(world.deliver(offered).unwrap(), Err(Reason::MakerRetired));
    world.check().unwrap();
}

/// A knows that B acted as the custodian, and nobody has B's ACCEPT: it did accept, so nothing is reclaimed.
#[test]
fn a_sign_of_acceptance_without_its_proof_is_doubt() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &c);
    hand(&mut world, track, &c, &a);
    give(&mut world, track, &a, &b);
    sign(&mut world, track, &b);
    world.pending.clear();
    let note = world::people::act("notes", track, Digest::ZERO).unwrap();
    world.ask(&b, note).unwrap().unwrap();
    // The place of receipt gets B's note, and never the ACCEPT before it.
    let noted = intercept(&mut world, "note b to c");
    world.deliver(noted).unwrap().unwrap();
    world.pending.clear();
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 200);
    let tid = world.transfer_to(track, &b).unwrap();
    assert_eq!((phase(&world, &a, track), kept(&world, &a, Kind::Reclaim)), (Some(Phase::Offered(tid)), 0));
}

/// One who recovers has forgotten, and cannot deny.
#[test]
fn who_recovers_gives_no_answer() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let kept_c = copy(&world, &c);
    sign(&mut world, track, &b);
    world.pending.clear();
    world.ask(&b, offer(track, c.clone())).unwrap().unwrap();
    let offered = intercept(&mut world, "offer b to c");
    world.deliver(offered).unwrap().unwrap();
    sign(&mut world, track, &c);
    // C's ACCEPT reaches A as a copy, and C is put back to before it knew of any of this.
    let copied = intercept(&mut world, "accept c to a");
    world.deliver(copied).unwrap().unwrap();
    world.pending.clear();
    world.die(&b);
    restore(&mut world, &c, kept_c);
    retire(&mut world, &b, &a);
    rest(&mut world, 100);
    assert!(!world.state(&c).recovering());
    // What A has of C follows something that is lost; nobody acts on it twice.
    world.check().unwrap();
    assert_eq!(kept(&world, &c, Kind::Accept), 0);
}

/// A is put back to before its RECLAIM, of which another has the bytes: it comes back with the act, and is not made twice.
#[test]
fn a_reclaim_comes_back_to_whoever_lost_it() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let kept_a = copy(&world, &a);
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 10);
    hand(&mut world, track, &a, &c);
    restore(&mut world, &a, kept_a);
    rest(&mut world, 100);
    assert_eq!((phase(&world, &a, track), phase(&world, &c, track)), (Some(Phase::Gone), Some(Phase::Held)));
    assert_eq!(kept(&world, &a, Kind::Reclaim), 1);
    world.check().unwrap();
    world.same_after_recovery(&a).unwrap();
}

/// The same, and nobody has it: it is made anew.
#[test]
fn a_reclaim_that_nobody_has_is_made_anew() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let kept_a = copy(&world, &a);
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 10);
    assert_eq!(phase(&world, &a, track), Some(Phase::Held));
    restore(&mut world, &a, kept_a);
    rest(&mut world, 100);
    assert_eq!((phase(&world, &a, track), kept(&world, &a, Kind::Reclaim)), (Some(Phase::Held), 1));
    hand(&mut world, track, &a, &c);
    world.check().unwrap();
}

/// A spine over a RECLAIM is taken only with the act that retires the receiver, and only where the giver made it.
#[test]
fn nobody_takes_a_reclaim_without_its_act() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 10);
    let spine = spine(&world, &a, track);
    let kinds: Vec<Kind> = spine.iter().map(|s| s.body.kind()).collect();
    assert_eq!(kinds, [Kind::Intake, Kind::Retire, Kind::Offer, Kind::Reclaim]);
    let whole = Walk::along(spine.iter().map(|s| &**s)).unwrap();
    assert_eq!((&whole.holder, whole.open.as_ref()), (&a, None));
    let without = spine.iter().filter(|s| s.body.kind() != Kind::Retire).map(|s| &**s);
    assert_eq!(Walk::along(without), Err(Break::Act));
    let other = world.act(&c, None, 1);
    let wrong = [&spine[0], &other, &spine[2], &spine[3]];
    assert_eq!(Walk::along(wrong.iter().map(|s| &***s)), Err(Break::Act), "an act about another agency");

    // A giver who takes back what a living agency was offered, with or without some act.
    let Body::Reclaim(right) = spine[3].body.clone() else { panic!("no reclaim") };
    let second = submit(&mut world, &c);
    world.ask(&c, offer(second, a.clone())).unwrap().unwrap();
    world.deliver_all().unwrap();
    let tid = world.transfer_to(second, &a).unwrap();
    let forged = Reclaim { track: second, tid, ..right.clone() };
    let number = world.forge(&c, &a, Body::Reclaim(forged), None);
    assert_eq!(world.deliver(number).unwrap(), Err(Reason::UnknownTransfer), "A is not its place of receipt");
    let forged = Reclaim { hop: Hop(2), ..right.clone() };
    let number = world.forge(&c, &a, Body::Reclaim(forged), None);
    assert_eq!(world.deliver(number).unwrap(), Err(Reason::BadCertificate));
    let number = world.forge(&c, &a, Body::Reclaim(right), None);
    assert_eq!(world.deliver(number).unwrap(), Err(Reason::WrongReceiver), "C was not the giver");
}

/// The place of receipt gets a RECLAIM before the OFFER, or without its act: it waits, or is refused.
#[test]
fn a_reclaim_that_comes_early_comes_again() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &c);
    hand(&mut world, track, &c, &a);
    world.ask(&a, offer(track, b.clone())).unwrap().unwrap();
    world.pending.clear();
    world.die(&b);
    world.at_mut(&c).mailbox = world::network::Mailbox::Open;
    retire(&mut world, &b, &a);
    for _ in 0..10 {
        world.pass(1_000).unwrap();
        while let Some(number) = world.pending.iter().copied().find(|n| world.label(*n) != "offer a to c") {
            world.deliver(number).unwrap().unwrap();
        }
        world.pending.clear(); // the copy of the OFFER is lost each time
    }
    assert_eq!(phase(&world, &a, track), Some(Phase::Held));
    let standing = world.state(&c).track(&track).unwrap();
    assert_eq!((standing.entries.len(), standing.transfers.len()), (3, 1), "C has neither");
    rest(&mut world, 200);
    let known = world.state(&c).track(&track).unwrap();
    assert_eq!((known.custodian(), known.standing().open), (&a, None));
    assert!(world.state(&a).outbox.is_empty());
    let again = world.act(&b, None, 1);
    world.step(&c, Input::Act(again)).unwrap().unwrap();
    world.check().unwrap();
}
