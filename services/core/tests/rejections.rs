//! What a peer may send wrong, and the numbers that bound a dossier: each with its reason.

mod world;

use lienthong_core::custody::command::Act;
use lienthong_core::custody::state::DAYS_COUNTED;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, TrackId};
use lienthong_core::limits;
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::record::{Quarantined, Record};
use lienthong_core::statement::{Accept, Body, Cancel, Kind, Note, Offer, ReceivedItem};
use std::sync::Arc;
use world::people::{act, dossier, offer};
use world::{World, id};

fn submit(world: &mut World, who: &AgencyId) -> TrackId {
    match world.ask(who, dossier(Some("hồ sơ"), None)).unwrap() {
        Ok(Answer::Done { track, .. }) => track,
        other => panic!("{other:?}"),
    }
}

fn done(world: &mut World, who: &AgencyId, act: Act) {
    world.ask(who, act).unwrap().unwrap();
}

fn accept(world: &mut World, who: &AgencyId, track: TrackId) {
    let tid = world.transfer_to(track, who).unwrap();
    done(world, who, Act::Accept { tid, note: String::new() });
}

/// The number of the first letter of a kind on its way.
fn letter(world: &World, kind: Kind) -> usize {
    *world.pending.iter().find(|n| world.letters[**n].kind() == kind).unwrap()
}

/// A world where A has offered a track to B; nothing is delivered.
fn offered() -> (World, AgencyId, AgencyId, TrackId) {
    let mut world = World::new(&["a", "b", "c"]);
    let (a, b) = (id("a"), id("b"));
    let track = submit(&mut world, &a);
    done(&mut world, &a, offer(track, b.clone()));
    (world, a, b, track)
}

/// Delivers a letter that is rejected; the node keeps it aside and goes on.
fn rejected(world: &mut World, number: usize, reason: Reason) {
    let to = world.letters[number].to.clone();
    assert_eq!(world.deliver(number).unwrap(), Err(reason));
    let kept = |r: &Record| matches!(r, Record::Quarantined(q) if q.reason == reason);
    assert!(world.at(&to).ledger.iter().any(kept));
    world.check().unwrap();
}

#[test]
fn an_offer_without_its_content() {
    let (mut world, _, b, track) = offered();
    let number = letter(&world, Kind::Offer);
    let content = world.letters[number].content.take();
    rejected(&mut world, number, Reason::ContentMismatch);
    assert!(world.state(&b).track(&track).is_none());
    world.letters[number].content = content;
    world.deliver(number).unwrap().unwrap();
}

#[test]
fn a_certificate_with_a_gap_or_of_another_track() {
    let (mut world, a, _, _) = offered();
    let number = letter(&world, Kind::Offer);
    let whole = std::mem::take(&mut world.letters[number].certificate);
    rejected(&mut world, number, Reason::BadCertificate);
    let other = submit(&mut world, &a);
    let intake = world.state(&a).track(&other).unwrap().entries[0].index;
    world.letters[number].certificate = vec![world.statement(&a, intake).unwrap()];
    rejected(&mut world, number, Reason::BadCertificate);
    world.letters[number].certificate = whole;
    world.deliver(number).unwrap().unwrap();
}

#[test]
fn a_letter_under_another_name() {
    let (mut world, _, b, track) = offered();
    let number = letter(&world, Kind::Offer);
    world.letters[number].from = id("c");
    rejected(&mut world, number, Reason::SenderMismatch);
    // Somebody else's OFFER is no copy that anybody asked for.
    world.letters[number].from = id("a");
    world.letters[number].to = id("c");
    rejected(&mut world, number, Reason::UnknownTransfer);
    assert!(world.state(&b).track(&track).is_none());
}

#[test]
fn a_receipt_for_another_content() {
    let (mut world, a, b, track) = offered();
    let tid = world.transfer_to(track, &b).unwrap();
    let other = ReceivedItem { tid, commitment: Some(Digest([9; 32])) };
    let number = world.forge(&b, &a, Body::Received(vec![other]), None);
    rejected(&mut world, number, Reason::ContentMismatch);
    let stranger =
        ReceivedItem { tid, commitment: world.state(&a).track(&track).unwrap().commitment_digest() };
    let number = world.forge(&id("c"), &a, Body::Received(vec![stranger]), None);
    rejected(&mut world, number, Reason::UnknownTransfer);
}

/// It would stand on the spine, and spoil every certificate to come.
#[test]
fn a_decision_with_another_hop() {
    let (mut world, a, b, track) = offered();
    let tid = world.transfer_to(track, &b).unwrap();
    let wrong = Accept { track, tid, hop: Hop(7), note: String::new() };
    let number = world.forge(&b, &a, Body::Accept(wrong), None);
    rejected(&mut world, number, Reason::BadCertificate);
    assert_eq!(world.state(&a).track(&track).unwrap().phase, Phase::Offered(tid));
}

#[test]
fn two_decisions_on_one_offer() {
    let (mut world, a, b, track) = offered();
    world.deliver_all().unwrap();
    accept(&mut world, &b, track);
    world.deliver_all().unwrap();
    let tid = world.transfer_to(track, &b).unwrap();
    let second = Accept { track, tid, hop: Hop(1), note: "lần hai".into() };
    let number = world.forge(&b, &a, Body::Accept(second), None);
    rejected(&mut world, number, Reason::Fork);
}

#[test]
fn a_recall_sent_to_the_wrong_agency() {
    let (mut world, a, b, track) = offered();
    let tid = world.transfer_to(track, &b).unwrap();
    let number = letter(&world, Kind::Offer);
    let cancel = Body::Cancel(Cancel { track, tid, reason: String::new() });
    let number = world.forge(&a, &id("c"), cancel, Some(number));
    rejected(&mut world, number, Reason::WrongReceiver);
}

/// A is restored from an old copy without saying so: its own words come back to it, and it fences itself.
#[test]
fn an_own_statement_that_the_ledger_lacks() {
    let (mut world, a, b, track) = offered();
    let offer_at = world.state(&a).track(&track).unwrap().entries[1].index;
    world.deliver_all().unwrap();
    accept(&mut world, &b, track);
    world.pending.clear();
    done(&mut world, &b, offer(track, a.clone()));
    forget_from(&mut world, &a, offer_at.0 as usize);
    let number = letter(&world, Kind::Offer);
    // Until then two agencies hold it: only recovery (protocol.md 6) mends that, so nothing else is checked here.
    assert_eq!(world.deliver(number).unwrap(), Ok(()));
    assert!(world.state(&a).recovering());
    assert_eq!(world.state(&a).incarnation, lienthong_core::ids::Incarnation(1));
}

/// The old copy of A offers to C what B has accepted: whoever sees both spines refuses the second.
#[test]
fn two_offers_with_one_predecessor() {
    let (mut world, a, b, track) = offered();
    let c = id("c");
    let offer_at = world.state(&a).track(&track).unwrap().entries[1].index;
    world.deliver_all().unwrap();
    accept(&mut world, &b, track);
    done(&mut world, &b, offer(track, c.clone()));
    world.pending.retain(|n| world.letters[*n].to == c); // A gets no copy
    let number = letter(&world, Kind::Offer);
    world.deliver(number).unwrap().unwrap();
    let tid = world.transfer_to(track, &c).unwrap();
    done(&mut world, &c, Act::Refuse { tid, reason: "nhầm".into() });
    forget_from(&mut world, &a, offer_at.0 as usize);
    world.pending.clear();
    done(&mut world, &a, offer(track, c.clone()));
    let number = letter(&world, Kind::Offer);
    assert_eq!(world.deliver(number).unwrap(), Err(Reason::Fork));
    assert_eq!(world.state(&c).track(&track).unwrap().phase, Phase::Out);
}

#[test]
fn two_notes_with_one_predecessor() {
    let (mut world, a, b, track) = offered();
    world.deliver_all().unwrap();
    accept(&mut world, &b, track);
    let tip = world.state(&b).track(&track).unwrap().standing().tip;
    done(&mut world, &b, act("notes", track, track).unwrap());
    let second = Body::Note(Note { track, prev: tip, text: "lời khác".into() });
    let number = world.forge(&b, &a, second.clone(), None);
    // Before the gap is closed as well as after it.
    let note = letter(&world, Kind::Note);
    world.deliver(note).unwrap().unwrap();
    rejected(&mut world, number, Reason::Fork);
    world.deliver_all().unwrap();
    let number = world.forge(&b, &a, second, None);
    rejected(&mut world, number, Reason::Fork);
    world.heal().unwrap();
}

/// Copies that came early wait for what comes before them, but not without bound.
#[test]
fn floating_copies_are_bounded() {
    let mut world = World::new(&["a", "b"]);
    let (a, b) = (id("a"), id("b"));
    let track = submit(&mut world, &a);
    // What stands on the spine does not float, however long the spine is.
    for _ in 0..5 {
        done(&mut world, &a, act("notes", track, track).unwrap());
    }
    for n in 0..=limits::FLOATING {
        let before = world.at(&a).ledger.len();
        let stray = Body::Note(Note { track, prev: Digest([n as u8 + 1; 32]), text: String::new() });
        let number = world.forge(&b, &a, stray, None);
        world.deliver(number).unwrap().unwrap();
        let kept = world.at(&a).ledger.len() > before;
        assert_eq!(kept, n < limits::FLOATING, "copy {n}");
    }
    // What stands at the tip is always taken, and what floats counts for nobody: neither as notes nor as a trail too long.
    done(&mut world, &a, act("notes", track, track).unwrap());
    done(&mut world, &a, offer(track, b.clone()));
    world.deliver_all().unwrap();
    accept(&mut world, &b, track);
    world.heal().unwrap();
    assert_eq!(*world.state(&a).track(&track).unwrap().custodian(), b);
}

/// Puts an agency back to an old copy of its ledger.
fn forget_from(world: &mut World, who: &AgencyId, length: usize) {
    let place = world.at_mut(who);
    place.ledger.truncate(length);
    place.head = place.ledger.iter().fold(Head::EMPTY, world::codec::extend);
    let process = place.process;
    world.crash(process).unwrap();
}

/// An offer by somebody who never had the track, on a spine that is right as far as it goes.
#[test]
fn an_offer_by_somebody_who_has_nothing() {
    let (mut world, a, _, track) = offered();
    let genuine = letter(&world, Kind::Offer);
    let Body::Offer(right) = world.letters[genuine].statement.body.clone() else { panic!("no offer") };
    for (prev, hop) in [(right.prev, right.hop), (world.letters[genuine].statement.sid(), Hop(2))] {
        let wrong = Offer { prev, hop, to: a.clone(), ..right.clone() };
        let number = world.forge(&id("c"), &a, Body::Offer(wrong), Some(genuine));
        world.letters[number].content = world.letters[genuine].content.clone();
        rejected(&mut world, number, Reason::BadCertificate);
    }
    assert!(matches!(world.state(&a).track(&track).unwrap().phase, Phase::Offered(_)));
}

/// It would stand on the spine at the place of receipt, and no certificate or evidence over it could be walked.
#[test]
fn a_copy_of_an_offer_of_another_content() {
    let (mut world, a, b, track) = offered();
    world.deliver_all().unwrap();
    accept(&mut world, &b, track);
    world.deliver_all().unwrap();
    done(&mut world, &b, offer(track, id("c"))); // to C, and a copy to A
    let genuine = letter(&world, Kind::Offer);
    let Body::Offer(right) = world.letters[genuine].statement.body.clone() else { panic!("no offer") };
    let other = world::codec::commit(b"another");
    for (prev, content) in
        [(right.prev, None), (right.prev, Some(other.clone())), (Digest([7; 32]), Some(other))]
    {
        let wrong = Offer { prev, content, ..right.clone() };
        let number = world.forge(&b, &a, Body::Offer(wrong), None);
        rejected(&mut world, number, Reason::ContentMismatch);
    }
    world.heal().unwrap();
    assert_eq!(world.state(&a).track(&track).unwrap().hop, Hop(2), "the genuine one is taken");
}

/// What floats is only a claim: no screen may show a stranger's OFFER as where the dossier went.
#[test]
fn a_stray_offer_is_no_hand_off() {
    let (mut world, a, b, track) = offered();
    let genuine = letter(&world, Kind::Offer);
    let Body::Offer(right) = world.letters[genuine].statement.body.clone() else { panic!("no offer") };
    let stray = Offer { prev: Digest([7; 32]), hop: Hop(200), to: id("c"), ..right };
    let number = world.forge(&id("c"), &a, Body::Offer(stray), None);
    world.deliver(number).unwrap().unwrap();
    let known = world.state(&a).track(&track).unwrap();
    assert_eq!((known.transfers.len(), known.hop), (2, Hop(1)), "it is kept and changes nothing");
    assert_eq!(known.last_transfer().unwrap().1.to, b);
    world.deliver_all().unwrap();
    accept(&mut world, &b, track);
    world.heal().unwrap();
}

#[test]
fn quarantine_is_bounded_for_each_peer() {
    let mut world = World::new(&["a", "b", "c"]);
    let (a, at) = (id("a"), lienthong_core::ids::WallMs(0));
    let kept = |from: &str, n: usize| {
        let (reason, sha256) = (Reason::Undecodable, Digest([n as u8; 32]));
        Input::Quarantine(Quarantined {
            from: id(from),
            reason,
            sha256,
            length: 1,
            at,
            bytes: Some(Arc::from(*b"?")),
        })
    };
    let per_peer = 8;
    world.limit_quarantine(&a, per_peer);
    let first = world.step(&a, kept("b", 0)).unwrap().unwrap();
    for n in 1..per_peer {
        world.step(&a, kept("b", n)).unwrap().unwrap();
    }
    assert_eq!(world.step(&a, kept("b", per_peer)).unwrap(), Err(Reason::Overloaded));
    world.step(&a, kept("c", 0)).unwrap().unwrap();
    // The same bytes again are kept once, also when the quarantine is full.
    assert_eq!(world.step(&a, kept("b", 0)).unwrap(), Ok(first));
    // Whoever is in no directory can be anybody: all strangers share what one peer may have.
    for n in 0..per_peer {
        world.step(&a, kept(&format!("x{n}"), n)).unwrap().unwrap();
    }
    assert_eq!(world.step(&a, kept("y", 0)).unwrap(), Err(Reason::Overloaded));
    world.step(&a, kept("c", 1)).unwrap().unwrap();
}

/// Takes in a dossier whose content claims this length.
fn claims(world: &mut World, who: &AgencyId, length: usize) -> TrackId {
    let mut act = dossier(Some("hồ sơ"), None);
    if let Act::Submit(submit) = &mut act {
        submit.content.as_mut().unwrap().0.length = length as u64;
    }
    match world.ask(who, act).unwrap() {
        Ok(Answer::Done { track, .. }) => track,
        other => panic!("{other:?}"),
    }
}

/// An OFFER that fits no envelope would lock the dossier for ever: the last one that fits, and one byte more.
#[test]
fn certificate_and_content_fit_an_envelope() {
    let mut world = World::new(&["a", "b"]);
    let (a, b) = (id("a"), id("b"));
    let sample = claims(&mut world, &a, limits::OFFER_BYTES - 1_000);
    let spine = {
        let Some(Record::Statement(intake)) = world.at(&a).ledger.last() else { panic!("no intake") };
        intake.statement.sealed.body.len() + limits::PROOF_ROOM
    };
    assert_eq!(world.state(&a).track(&sample).unwrap().spine_bytes(), spine);
    let fits = claims(&mut world, &a, limits::OFFER_BYTES - spine);
    let above = claims(&mut world, &a, limits::OFFER_BYTES - spine + 1);
    assert_eq!(world.ask(&a, offer(above, b.clone())).unwrap(), Err(Reason::TrailTooLarge));
    done(&mut world, &a, act("notes", sample, sample).unwrap());
    let sample = world.state(&a).track(&sample).unwrap();
    let parts: usize = sample.entries.iter().map(|e| e.size as usize).sum();
    assert!(sample.spine_bytes() == parts && parts > spine + limits::PROOF_ROOM, "each statement counts");
    done(&mut world, &a, offer(fits, b));
    world.heal().unwrap();
}

#[test]
fn one_receipt_and_one_acknowledgement_cover_many() {
    let mut world = World::new(&["a", "b"]);
    let (a, b) = (id("a"), id("b"));
    let many = limits::BATCHED_ANSWERS + 1;
    let tracks: Vec<TrackId> = (0..many).map(|_| submit(&mut world, &a)).collect();
    for track in &tracks {
        done(&mut world, &a, offer(*track, b.clone()));
    }
    // B's disk is slow, so that many offers meet in one batch.
    let mut offers = Vec::new();
    while offers.len() < many {
        let number = letter(&world, Kind::Offer);
        offers.push(number);
        world.deliver(number).unwrap().unwrap();
        let receipt = letter(&world, Kind::Received);
        world.deliver(receipt).unwrap().unwrap();
    }
    forget_from(&mut world, &b, 1);
    world.pending.clear();
    let before = world.letters.len();
    let now = world.now(&b);
    let (mut node, letters) = (world.at_mut(&b).node.take().unwrap(), world.letters.clone());
    for number in &offers {
        let letter = letters[*number].clone();
        let arrival = lienthong_core::custody::arrival::Arrival {
            from: letter.from,
            statement: letter.statement,
            certificate: letter.certificate,
            content: letter.content,
            trace: None,
        };
        node.step(now, Input::Arrival(arrival)).unwrap();
    }
    world.at_mut(&b).node = Some(node);
    world.pump(1).unwrap();
    let receipts = world.letters[before..].iter().filter(|l| l.kind() == Kind::Received).count();
    assert_eq!(receipts, 2, "one of {} and one of the rest", limits::BATCHED_ANSWERS);
    world.heal().unwrap();
}

#[test]
fn notes_and_hops_are_bounded() {
    let mut world = World::new(&["a", "b"]);
    let (a, b) = (id("a"), id("b"));
    let track = submit(&mut world, &a);
    let note = act("notes", track, track).unwrap();
    for _ in 0..limits::NOTES {
        done(&mut world, &a, note.clone());
    }
    assert_eq!(world.ask(&a, note).unwrap(), Err(Reason::TooManyNotes));
    for hop in 0..limits::HOPS {
        let (from, to) = if hop % 2 == 0 { (&a, &b) } else { (&b, &a) };
        done(&mut world, from, offer(track, to.clone()));
        world.deliver_all().unwrap();
        accept(&mut world, to, track);
        world.deliver_all().unwrap();
    }
    assert_eq!(world.ask(&a, offer(track, b)).unwrap(), Err(Reason::TooManyHops));
    world.heal().unwrap();
}

/// A custodian may not pour out notes without end over whoever follows the track.
#[test]
fn notes_are_bounded_for_followers_too() {
    let (mut world, a, b, track) = offered();
    world.deliver_all().unwrap();
    accept(&mut world, &b, track);
    let note = act("notes", track, track).unwrap();
    for _ in 0..limits::NOTES {
        done(&mut world, &b, note.clone());
    }
    world.deliver_all().unwrap();
    let tip = world.state(&b).track(&track).unwrap().standing().tip;
    let more = Body::Note(Note { track, prev: tip, text: "một lời nữa".into() });
    let number = world.forge(&b, &a, more, None);
    rejected(&mut world, number, Reason::BadCertificate);
}

#[test]
fn the_codes_of_a_day_run_out() {
    let mut world = World::new(&["a"]);
    let a = id("a");
    done(&mut world, &a, dossier(None, Some("H51.0-240115-9999999")));
    assert_eq!(world.ask(&a, dossier(None, None)).unwrap(), Err(Reason::CodesExhausted));
    done(&mut world, &a, dossier(None, Some("H51.0-240115-0001")));
    // Counters of so many days are kept, and no more.
    for day in 10..30 {
        done(&mut world, &a, dossier(None, Some(&format!("H51.0-2402{day}-0001"))));
        assert_eq!(world.state(&a).numbers.len(), DAYS_COUNTED.min(day - 8));
    }
}
