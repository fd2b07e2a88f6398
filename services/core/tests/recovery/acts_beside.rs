//! Acts of the authority that come beside something else (`core::authority`): they count like those an operator brings.

use crate::world::gone::{copy, give, hand, intercept, phase, rest, restore, retire, submit, world};
use crate::world::people::offer;
use crate::world::words::{apply, made};
use crate::world::{World, id};
use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::authority::{ACTS, Retire};
use lienthong_core::custody::command::Act;
use lienthong_core::custody::spine::{Break, Walk};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Hop, LedgerIndex, TrackId};
use lienthong_core::reason::Reason;
use lienthong_core::record::Record;
use lienthong_core::recovery::Word;
use lienthong_core::statement::{AckItem, Body, Kind, Offer, RefusalCause, Refuse};

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
fn is_reclaimed(world: &World, at: &AgencyId, track: TrackId) -> bool {
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

/// R1. A node that hears in the middle of its questions that it is an old copy takes nothing back on answers to them.
#[test]
fn nothing_is_reclaimed_in_a_recovery() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let [offered, handed] = [0; 2].map(|_| submit(&mut world, &a));
    give(&mut world, offered, &a, &b);
    let (ledger, head) = copy(&world, &a);
    hand(&mut world, handed, &a, &c);
    world.ask(&c, offer(handed, a.clone())).unwrap().unwrap();
    let shows_it = intercept(&mut world, "offer c to a");
    world.pending.clear();
    let place = world.at_mut(&a);
    (place.ledger, place.head, place.node) = (ledger, head, None);
    world.start(&a).unwrap();
    world.die(&b);
    retire(&mut world, &b, &a);
    let is_sought = |world: &World| {
        let to_a = world.pending.iter().copied();
        let mut sought =
            to_a.filter(|n| matches!(world.letters[*n].statement.body, Body::Recovery(Word::Sought { .. })));
        sought.next()
    };
    for _ in 0..50 {
        if is_sought(&world).is_some() {
            break;
        }
        match world.pending.first().copied() {
            Some(next) => world.deliver(next).unwrap().unwrap(),
            None => world.pass(1_000).unwrap(),
        }
    }
    let sought = is_sought(&world).unwrap();
    world.pending.clear();
    let reclaims = |world: &World| {
        let made = world.at(&a).ledger.iter();
        made.filter(|r| matches!(r, Record::Statement(s) if matches!(s.statement.body, Body::Reclaim(_))))
            .count()
    };
    world.deliver(shows_it).unwrap().unwrap();
    assert!(world.state(&a).recovering());
    let late = world.deliver(sought).unwrap();
    assert_eq!((late, reclaims(&world)), (Ok(()), 0));
    rest(&mut world, 60);
    assert!(!world.state(&a).recovering());
    assert_eq!((reclaims(&world), phase(&world, &a, offered)), (1, Some(Phase::Held)), "asked anew after it");
    let tid = world.transfer_to(handed, &a).unwrap();
    assert_eq!(phase(&world, &a, handed), Some(Phase::Inbox(tid)));
    world.check().unwrap();
}

/// Who is asked must know of everybody who is retired, not of the receiver only: from another it might still take what that
/// one had of the receiver. So each question names all acts.
#[test]
fn a_question_names_every_act() {
    let (mut world, [a, b, c, d]) = world(["a", "b", "c", "d"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    world.die(&b);
    world.die(&d);
    retire(&mut world, &d, &a);
    retire(&mut world, &b, &a);
    rest(&mut world, 20);
    let mut seeks = world.at(&a).ledger.iter().filter_map(|record| match record {
        Record::Statement(r) => match &r.statement.body {
            Body::Recovery(Word::Seek { acts, .. }) => Some(acts.clone()),
            _ => None,
        },
        _ => None,
    });
    let all: Vec<_> = world.state(&a).memory.acts.0.keys().copied().collect();
    assert_eq!((seeks.next_back(), all.len()), (Some(all), 2));
    assert_eq!(phase(&world, &a, track), Some(Phase::Held));
    assert!(world.state(&c).memory.acts.retires(&d));
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

/// Who is asked about a retired agency gives its decision on that offer, and what else shows that it acted.
#[test]
fn what_is_sought_is_the_decision_and_what_came_of_it() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let [track, another] = [0; 2].map(|_| submit(&mut world, &a));
    hand(&mut world, track, &a, &b);
    let sid = world.transfer_to(track, &b).unwrap();
    hand(&mut world, track, &b, &c);
    let item = AckItem { track, sid };
    let kinds = |who: &AgencyId| {
        let given = world.state(who).sought(&b, &item);
        given.iter().map(|i| world.statement(who, *i).unwrap().body.kind()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&c), [Kind::Accept, Kind::Offer]);
    // At A, what comes before the offer shows nothing of what came of it.
    let state = world.state(&a);
    let later =
        |index: &LedgerIndex, at: &AgencyId| state.is_later(&item, &world.statement(at, *index).unwrap());
    let shown = world.state(&c).sought(&b, &item);
    assert!(shown.iter().all(|index| later(index, &c)));
    let before: Vec<LedgerIndex> =
        state.track(&track).unwrap().entries[..2].iter().map(|e| e.index).collect();
    assert!(before.iter().all(|index| !later(index, &a)));
    let of_another = state.track(&another).unwrap().entries[0].index;
    assert!(!later(&of_another, &a), "nor does another dossier");
    let other = AckItem { track, sid: world.transfer_to(track, &c).unwrap() };
    assert!(world.state(&a).sought(&c, &other).iter().all(|i| {
        let statement = world.statement(&a, *i).unwrap();
        statement.claim.agency == c && statement.body.prev() == Some(other.sid)
    }));
}

/// B refused, and only the place of receipt heard of it: A has it back by B's REFUSE, and by nothing of its own.
#[test]
fn a_refusal_that_is_found_gives_it_back() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &c);
    hand(&mut world, track, &c, &a);
    give(&mut world, track, &a, &b);
    let tid = world.transfer_to(track, &b).unwrap();
    world.ask(&b, Act::Refuse { tid, reason: "thiếu giấy tờ".into() }).unwrap().unwrap();
    let copied = intercept(&mut world, "refuse b to c");
    world.deliver(copied).unwrap().unwrap();
    world.pending.clear();
    let refusal = world.letters[copied].statement.clone();
    let state = world.state(&a).clone();
    assert!(state.is_decision(&refusal));
    // Not of somebody else, not of another hop, and not where it is decided.
    let Body::Refuse(right) = refusal.body.clone() else { panic!("no refusal") };
    assert!(!state.is_decision(&made("c", 0, 900, Body::Refuse(right.clone()))));
    assert!(!state.is_decision(&made("b", 0, 900, Body::Refuse(Refuse { hop: Hop(9), ..right }))));
    world.die(&b);
    retire(&mut world, &b, &a);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &a, track), Some(Phase::Held));
    let outcome = world.state(&a).track(&track).unwrap().transfers[&tid].outcome.unwrap();
    assert_eq!(outcome.sid, refusal.sid());
    assert!(!world.state(&a).is_decision(&refusal), "it is decided");
    world.check().unwrap();
}

/// A recall that nobody answered is the giver's own word, and shows nothing of the receiver.
#[test]
fn what_was_recalled_in_vain_is_taken_back() {
    let (mut world, [a, b, _]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    world.die(&b);
    world.ask(&a, Act::Recall { track, reason: "chuyển nhầm".into() }).unwrap().unwrap();
    rest(&mut world, 5);
    let tid = world.transfer_to(track, &b).unwrap();
    assert_eq!(phase(&world, &a, track), Some(Phase::Offered(tid)));
    retire(&mut world, &b, &a);
    rest(&mut world, 20);
    assert_eq!(phase(&world, &a, track), Some(Phase::Held));
    assert!(is_reclaimed(&world, &a, track));
    world.check().unwrap();
}
