//! The questions about a retired agency (`core::authority::reclaim`, `core::node`): who may answer, with what, and what the
//! asker does with it.

use crate::reclaims::is_reclaimed;
use crate::world::gone::{copy, give, hand, intercept, phase, rest, restore, retire, submit, world};
use crate::world::people::offer;
use crate::world::words::{made, said, tell};
use crate::world::{World, id};
use lienthong_core::custody::command::Act;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Hop, LedgerIndex};
use lienthong_core::node::Input;
use lienthong_core::record::Record;
use lienthong_core::recovery::Word;
use lienthong_core::statement::{AckItem, Body, Kind, Refuse};

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

/// Who cannot know answers no question about a retired agency: it would deny what it has forgotten, or might still take.
#[test]
fn a_question_is_answered_by_who_knows_every_act_and_does_not_recover() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let item = AckItem { track, sid: world.transfer_to(track, &b).unwrap() };
    let kept = copy(&world, &c);
    let mut index = 900;
    let mut seek = |world: &mut World, acts: Vec<Digest>| {
        index += 1;
        let word = Word::Seek { agency: id("b"), acts, items: vec![item] };
        assert_eq!(tell(world, &id("a"), &id("c"), made("a", 0, index, Body::Recovery(word))), Ok(()));
        said(world, &id("c"), &id("c"), |word| matches!(word, Word::Sought { .. }))
    };
    assert_eq!(seek(&mut world, vec![]), 0, "C does not know that B is retired");
    world.die(&b);
    let act = world.act(&b, None, 1);
    world.step(&c, Input::Act(act.clone())).unwrap().unwrap();
    assert_eq!(seek(&mut world, vec![act.sid(), Digest([9; 32])]), 0, "nor who else is");
    assert_eq!(seek(&mut world, vec![act.sid()]), 1);
    restore(&mut world, &c, kept);
    world.step(&c, Input::Act(act.clone())).unwrap().unwrap();
    assert!(world.state(&c).recovering());
    assert_eq!(seek(&mut world, vec![act.sid()]), 0, "it has forgotten what it may have taken");
}
