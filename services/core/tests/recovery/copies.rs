//! A node put back from an old copy (`core::recovery`), as stories: what it hears of itself, whom it listens to, and what
//! is not taken of it any more.

use crate::world::gone::{copy, give, hand, intercept, phase, rest, restore, sign, submit, world};
use crate::world::people::offer;
use crate::world::words::{apply, made, said};
use crate::world::{World, id};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::delivery::outbox::Awaits;
use lienthong_core::ids::{AgencyId, Digest, Head, Incarnation, LedgerIndex, TrackId};
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::record::Record;
use lienthong_core::recovery::{CODE_GAP, Word};
use lienthong_core::statement::{Body, Claim, ReceivedItem};

/// Puts a copy back and starts it as if nothing had happened.
fn put_back_silently(world: &mut World, who: &AgencyId, (ledger, head): (Vec<Record>, Head)) {
    let place = world.at_mut(who);
    (place.ledger, place.head, place.node) = (ledger, head, None);
    world.start(who).unwrap();
    world.step(who, Input::Greet).unwrap().unwrap();
}

/// R4. B was put back and handed on what it had offered to A; then A is put back to before it heard of B's fence, and
/// B's lost offer arrives.
#[test]
fn the_fences_of_others_are_learned_again() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let (kept_a, track) = (copy(&world, &a), submit(&mut world, &b));
    let kept_b = copy(&world, &b);
    world.ask(&b, offer(track, a.clone())).unwrap().unwrap();
    let lost = intercept(&mut world, "offer b to a");
    world.pending.clear();
    restore(&mut world, &b, kept_b);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &b, track), Some(Phase::Held), "nobody knows of the offer");
    hand(&mut world, track, &b, &c);
    assert_eq!(phase(&world, &c, track), Some(Phase::Held));

    restore(&mut world, &a, kept_a);
    assert_eq!(world.state(&a).memory.fences.get(&b), None, "the copy knows nothing of it");
    rest(&mut world, 20);
    assert!(!world.state(&a).recovering());
    assert_eq!(world.state(&a).memory.fences[&b].min, Incarnation(1));
    assert!(!world.state(&a).memory.fences[&b].recovering);
    assert_eq!(world.deliver(lost).unwrap(), Err(Reason::Fenced), "what B forgot moves nothing");
    assert_eq!(phase(&world, &a, track), None);
    world.check().unwrap();
    for (who, others) in [(&a, vec![&b]), (&b, vec![&a]), (&c, vec![&a, &b])] {
        let fences = world.state(who).memory.fences.iter().filter(|(_, f)| f.min.0 > 0);
        assert_eq!(fences.map(|(peer, _)| peer).collect::<Vec<_>>(), others, "at {who}");
        assert!(!world.state(who).memory.fences.contains_key(who), "nobody fences itself");
    }
}

/// A copy that nobody says is one greets its peers, and whoever knows more of it than it does itself says so.
#[test]
fn an_old_copy_hears_what_it_is_from_whoever_it_greets() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let tracks: Vec<TrackId> = (0..4).map(|_| submit(&mut world, &b)).collect();
    hand(&mut world, tracks[0], &b, &a);
    // A start without any loss: nobody objects.
    for _ in 0..2 {
        world.crash(world.at(&b).process).unwrap();
        assert!(matches!(world.step(&b, Input::Greet).unwrap(), Ok(Answer::Noted(_))));
        let mut greeted: Vec<String> = world.pending.iter().map(|n| world.label(*n)).collect();
        greeted.sort();
        assert_eq!(greeted, ["recovery b to a", "recovery b to c"]);
        rest(&mut world, 5);
    }
    let rollback = |word: &Word| matches!(word, Word::Rollback);
    assert!(!world.state(&b).recovering() && said(&world, &a, &a, rollback) == 0);

    let kept = copy(&world, &b);
    world.ask(&b, offer(tracks[1], a.clone())).unwrap().unwrap();
    world.ask(&b, offer(tracks[2], a.clone())).unwrap().unwrap();
    // They come in the other order; what came last was not said last.
    let first = intercept(&mut world, "offer b to a");
    world.deliver_all().unwrap();
    world.deliver(first).unwrap().unwrap();
    sign(&mut world, tracks[1], &a);
    sign(&mut world, tracks[2], &a);
    world.deliver_all().unwrap();
    let of_b = world.at(&a).ledger.iter().zip(0..).filter_map(|(record, at)| match record {
        Record::Statement(r) if r.statement.claim.agency == b => {
            Some((r.statement.claim.index, LedgerIndex(at)))
        }
        _ => None,
    });
    let pin = world.state(&a).memory.pins[&b];
    assert_eq!(Some((pin.index, pin.at)), of_b.max(), "A knows the furthest that it has seen of B");

    put_back_silently(&mut world, &b, kept);
    assert!(!world.state(&b).recovering() && phase(&world, &b, tracks[1]) == Some(Phase::Held));
    rest(&mut world, 20);
    assert_eq!(said(&world, &a, &a, rollback), 1);
    assert_eq!(said(&world, &c, &c, rollback), 0, "C knows nothing");
    assert_eq!((world.state(&b).incarnation, world.state(&b).recovering()), (Incarnation(1), false));
    let held = [Phase::Gone, Phase::Gone, Phase::Gone, Phase::Held];
    tracks.iter().zip(held).for_each(|(track, is)| assert_eq!(phase(&world, &b, *track), Some(is)));
    let told = world.at(&b).node.as_ref().unwrap().recovered().unwrap();
    assert_eq!((told.incarnation, told.unplaced), (Incarnation(1), 0));
    assert_eq!((told.returned, told.learned), (2, 2), "two offers, and A's two ACCEPTs");
    world.check().unwrap();
}

/// An old copy that greeted nobody finds it out when its own past is shown to it: by a certificate over what it forgot.
#[test]
fn an_old_copy_hears_what_it_is_from_a_certificate() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    let kept = copy(&world, &a);
    hand(&mut world, track, &a, &b);
    let place = world.at_mut(&a);
    (place.ledger, place.head, place.node) = (kept.0, kept.1, None);
    world.start(&a).unwrap();
    assert_eq!(phase(&world, &a, track), Some(Phase::Held), "so it believes");
    world.ask(&b, offer(track, a.clone())).unwrap().unwrap();
    world.deliver(world.pending[0]).unwrap().unwrap();
    assert!(world.state(&a).recovering(), "it has forgotten that it gave this away");
    assert_eq!(world.ask(&a, offer(track, c.clone())).unwrap(), Err(Reason::Recovering));
    rest(&mut world, 100);
    assert!(!world.state(&a).recovering());
    let tid = world.transfer_to(track, &a).unwrap();
    assert_eq!(phase(&world, &a, track), Some(Phase::Inbox(tid)));
    world.check().unwrap();
}

/// Where a later incarnation of the agency has spoken, another copy of it runs: an older one must not fence it away.
#[test]
fn a_copy_that_was_taken_over_does_not_fight_back() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let kept = copy(&world, &a);
    restore(&mut world, &a, kept.clone());
    rest(&mut world, 20);
    assert_eq!((world.state(&a).incarnation, world.state(&a).recovering()), (Incarnation(1), false));
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    world.ask(&b, offer(track, a.clone())).unwrap().unwrap();
    // The machine that was thought dead comes up again.
    let place = world.at_mut(&a);
    (place.ledger, place.head, place.node) = (kept.0, kept.1, None);
    world.start(&a).unwrap();
    assert_eq!(world.deliver(world.pending[0]).unwrap(), Err(Reason::OwnStatementUnknown));
    assert!(!world.state(&a).recovering() && world.state(&a).incarnation == Incarnation(0));
    assert_eq!(said(&world, &a, &a, |word| matches!(word, Word::Fence { .. })), 0);
}

/// Who recovers may have lost what it receipted: only its offers are sent again.
#[test]
fn receipts_of_who_recovers_are_void_and_no_others() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let kept = copy(&world, &b);
    let [to_b, to_c] = [0; 2].map(|_| submit(&mut world, &a));
    give(&mut world, to_b, &a, &b);
    give(&mut world, to_c, &a, &c);
    let awaits = |world: &World| {
        let rows = world.state(&a).outbox.rows();
        rows.map(|((_, to), row)| (to.to_string(), row.awaits)).collect::<Vec<_>>()
    };
    let both = |b| vec![("b".to_owned(), b), ("c".to_owned(), Awaits::Decision)];
    assert_eq!(awaits(&world), both(Awaits::Decision));
    restore(&mut world, &b, kept);
    let fence = intercept(&mut world, "recovery b to a");
    world.deliver(fence).unwrap().unwrap();
    assert_eq!(awaits(&world), both(Awaits::Receipt));
    let receipt = |world: &World, track| {
        let track = world.state(&a).track(&track).unwrap().clone();
        track.transfers.values().next().unwrap().receipt
    };
    assert!(receipt(&world, to_b).is_none() && receipt(&world, to_c).is_some());
    rest(&mut world, 20);
    assert_eq!(awaits(&world), both(Awaits::Decision), "it has come again");
    let tid = world.transfer_to(to_b, &b).unwrap();
    assert_eq!(phase(&world, &b, to_b), Some(Phase::Inbox(tid)));
    world.check().unwrap();
}

/// What a RESUMED vouches for counts beside what the one before it vouched for, until the next incarnation.
#[test]
fn what_an_incarnation_vouches_for_adds_up() {
    let mut state = State::new(id("a"));
    let (nonce, old) = ([1; 16], [Digest([1; 32]), Digest([2; 32])]);
    let fence = |n| made("b", n, 10 * n, Body::Recovery(Word::Fence { incarnation: Incarnation(n), nonce }));
    let resumed = |n, index, sid, last| {
        made("b", n, index, Body::Recovery(Word::Resumed { fence: Digest::ZERO, vouched: vec![sid], last }))
    };
    let sid = apply(&mut state, &fence(1));
    let claim = Claim { incarnation: Incarnation(0), ..fence(1).claim.clone() };
    assert!(old.iter().all(|sid| !state.memory.admits(&claim, sid)), "nothing of before");
    apply(&mut state, &resumed(1, 11, old[0], false));
    assert!(state.memory.fences[&id("b")].recovering, "there is more to come");
    apply(&mut state, &resumed(1, 12, old[1], true));
    let known = &state.memory.fences[&id("b")];
    assert!(old.iter().all(|sid| state.memory.admits(&claim, sid)));
    assert_eq!((known.min, known.fence, known.recovering), (Incarnation(1), Some(sid), false));
    apply(&mut state, &fence(2));
    assert!(old.iter().all(|sid| !state.memory.admits(&claim, sid)), "that stands no more");
    // An end of a recovery whose beginning was never heard fences as well.
    apply(&mut state, &resumed(4, 41, old[0], true));
    let known = &state.memory.fences[&id("b")];
    assert_eq!((known.min, known.fence, known.recovering), (Incarnation(4), None, false));
    assert!(state.memory.admits(&claim, &old[0]) && !state.memory.admits(&claim, &old[1]));
    let now = Claim { incarnation: Incarnation(4), ..claim };
    assert!(state.memory.admits(&now, &old[1]), "what it makes itself needs nobody");
}

/// A copy is put back twice on one day, and nothing was taken in between its fences: what was issued and lost in the first
/// recovery is not issued again in the second.
#[test]
fn codes_leave_room_for_what_was_lost_in_each_recovery_of_a_day() {
    let (mut world, [a, _]) = world(["a", "b"]);
    let number = |world: &World, track| {
        let code = world.state(&a).track(&track).unwrap().code.to_string();
        code.rsplit('-').next().unwrap().parse::<u32>().unwrap()
    };
    let track = submit(&mut world, &a);
    assert_eq!(number(&world, track), 1);
    let kept = copy(&world, &a);
    restore(&mut world, &a, kept);
    let kept = copy(&world, &a);
    let lost = submit(&mut world, &a);
    let lost = number(&world, lost);
    assert_eq!(lost, 1 + CODE_GAP + 1);
    restore(&mut world, &a, kept);
    let next = submit(&mut world, &a);
    assert_eq!(number(&world, next), 1 + 2 * CODE_GAP + 1, "not {lost} again");
    // What was left out of one day is no matter of the next.
    let kept = copy(&world, &a);
    world.at_mut(&a).clock_ms += 86_400_000;
    restore(&mut world, &a, kept);
    let tomorrow = submit(&mut world, &a);
    assert_eq!(number(&world, tomorrow), CODE_GAP + 1);
}

/// R1. What a copy has in its outbox leaves when the recovery has ended and is on disk, vouched for, and not before.
#[test]
fn a_copy_that_recovers_sends_nothing_of_what_it_had() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let track = submit(&mut world, &a);
    world.ask(&a, offer(track, b.clone())).unwrap().unwrap();
    world.pending.clear();
    let kept = copy(&world, &a);
    restore(&mut world, &a, kept);
    let offers =
        |world: &World| world.pending.iter().filter(|n| world.label(**n).starts_with("offer a")).count();
    for _ in 0..10 {
        world.pending.clear();
        world.pass(20_000).unwrap();
        assert_eq!(offers(&world), 0);
    }
    // B answers; the last answer is heard while A's disk is slow.
    while world.state(&a).recovering() {
        let number = world.pending.remove(0);
        world.at_mut(&a).stalled = false;
        world.catch_up(&a).unwrap();
        world.at_mut(&a).stalled = world.letters[number].to == a;
        world.deliver(number).unwrap().unwrap();
        if world.pending.is_empty() && world.state(&a).recovering() {
            world.catch_up(&a).unwrap();
        }
    }
    assert!(world.at(&a).stalled, "it has ended, and that is not on disk");
    world.fire_at(&a).unwrap();
    world.pass(90_000).unwrap();
    assert_eq!(offers(&world), 0, "a power cut might take the end of the recovery away");
    world.catch_up(&a).unwrap();
    rest(&mut world, 100);
    let tid = world.transfer_to(track, &b).unwrap();
    assert_eq!(phase(&world, &b, track), Some(Phase::Inbox(tid)));
    world.check().unwrap();
}

/// The first answer to an OFFER stands and is given again; one of an earlier incarnation, which nobody listens to, is given
/// anew once.
#[test]
fn the_first_answer_of_an_incarnation_stands() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let tid = world.transfer_to(track, &b).unwrap();
    let mut state = world.state(&b).clone();
    let answer = |state: &State| {
        let track = state.track(&track).unwrap();
        assert_eq!(track.transfers[&tid].receipt, track.entry(&tid).unwrap().answer);
        track.entry(&tid).unwrap().answer.unwrap()
    };
    let mut index = 900;
    let mut receipt = |state: &mut State, incarnation| {
        index += 1;
        let at = state.next;
        let commitment = state.track(&track).unwrap().commitment_digest();
        let items = vec![ReceivedItem { tid, commitment }];
        apply(state, &made("b", incarnation, index, Body::Received(items)));
        at
    };
    let first = answer(&state);
    receipt(&mut state, 0);
    assert_eq!(answer(&state), first, "it stands");
    let fence = Word::Fence { incarnation: Incarnation(1), nonce: [1; 16] };
    apply(&mut state, &made("b", 1, 1_000, Body::Recovery(fence)));
    let anew = receipt(&mut state, 1);
    assert_eq!(answer(&state), anew);
    receipt(&mut state, 1);
    assert_eq!(answer(&state), anew);
}
