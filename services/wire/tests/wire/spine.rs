//! The spine in evidence: who may say what after what, gaps, forks.

use crate::fixture::{accept, completed, hash, id, intake, note, offer, refuse, returned, simple};
use crate::journey::{check, journey, what};
use crate::ledger::Ledger;
use bytes::Bytes;
use lienthong_core::custody::spine::Break;
use lienthong_core::ids::Sid;
use lienthong_core::record::{Origin, Record};
use lienthong_core::statement::Statement;
use lienthong_wire::evidence::walk::{Broken, walk};
use lienthong_wire::evidence::{Outcome, What};
use lienthong_wire::record::decode_record;
use std::sync::Arc;

#[test]
fn the_spine_is_walked() {
    let spine = |steps: &dyn Fn(&mut Ledger, Sid)| {
        let mut a = Ledger::new("xa-a");
        let track = a.make(intake(None)).sid();
        steps(&mut a, track);
        check(a.export(track))
    };
    let broken = |steps: &dyn Fn(&mut Ledger, Sid)| spine(steps).map(drop).expect_err("is refused").what;
    let take = |ledger: &mut Ledger, agency, body| {
        let statement = simple(agency, body);
        ledger.keep(Origin::Taken, &statement);
        statement.sid()
    };
    assert_eq!(
        broken(&|a, t| {
            a.make(note(t, t, "x"));
            a.make(note(t, t, "y"));
        }),
        What::Fork(journey_start())
    );
    // Who has no right to follow claims something and moves nothing: it is named, and fails nobody's honest trail.
    let stranger = spine(&|a, t| {
        take(a, "so-c", note(t, t, "x"));
        a.make(note(t, t, "y"));
    });
    let stranger = stranger.unwrap();
    assert_eq!(
        (stranger.custodian_now.as_str(), stranger.steps.len(), stranger.unlinked.len()),
        ("xa-a", 2, 1)
    );
    let not_named = spine(&|a, t| {
        let tid = a.make(offer(t, t, 1, "huyen-b", None)).sid();
        take(a, "so-c", accept(t, tid, 1));
    });
    let not_named = not_named.unwrap();
    assert_eq!((not_named.custodian_now.as_str(), not_named.unlinked.len()), ("xa-a", 1));
    let wrong_hop = broken(&|a, t| {
        let tid = a.make(offer(t, t, 1, "huyen-b", None)).sid();
        take(a, "huyen-b", accept(t, tid, 2));
    });
    assert_eq!(wrong_hop, What::Spine(Break::Receiver));
    let falling = broken(&|a, t| {
        let tid = a.make(offer(t, t, 2, "huyen-b", None)).sid();
        let no = take(a, "huyen-b", refuse(t, tid, 2));
        a.make(offer(t, no, 2, "so-c", None));
    });
    assert_eq!(falling, What::Spine(Break::Hop));
    let after_the_end = broken(&|a, t| {
        let done = a.make(completed(t, t)).sid();
        let end = a.make(returned(t, done)).sid();
        a.make(note(t, end, "x"));
    });
    assert_eq!(after_the_end, What::Spine(Break::Order));
    // A watcher with a gap: what hangs loose is named and fails nothing.
    let gap = spine(&|a, t| {
        take(a, "huyen-b", note(t, hash(7), "x"));
    })
    .unwrap();
    assert_eq!((gap.unlinked.len(), gap.steps.len(), gap.custodian_now), (1, 1, id("xa-a")));
    // Offered and undecided: the giver holds it.
    let open = spine(&|a, t| drop(a.make(offer(t, t, 1, "huyen-b", None)))).unwrap();
    assert_eq!((open.custodians[0].outcome, open.custodian_now), (Outcome::Undecided, id("xa-a")));
    let mut empty = Ledger::new("xa-a");
    empty.make(note(hash(1), hash(2), "x"));
    assert_eq!(what(empty.export(hash(1))), What::NoIntake);
}

/// The track of an intake without content that is record 2 of A: two ledgers that begin alike have it alike.
fn journey_start() -> Sid {
    Ledger::new("xa-a").make(intake(None)).sid()
}

fn statements(ledger: &Ledger) -> Vec<Arc<Statement>> {
    let shown = ledger.records.iter().filter(|(_, shown)| *shown);
    let statement =
        |payload: &[u8], proof: &[u8]| match decode_record(Bytes::copy_from_slice(payload), proof, None) {
            Ok(Record::Statement(record)) => record.statement,
            other => panic!("{other:?}"),
        };
    shown.map(|(record, _)| statement(&record.payload, &record.proof)).collect()
}

#[test]
fn the_order_of_the_list_does_not_matter() {
    let journey = journey();
    let mut list = statements(&journey.a);
    let forward = walk(&list).unwrap();
    let story = |list: &[Arc<Statement>]| {
        let spine = walk(list).unwrap();
        let steps = spine.steps.into_iter().map(|(place, holder)| (list[place].sid(), holder));
        (steps.collect::<Vec<_>>(), spine.custodians, spine.end)
    };
    let told = story(&list);
    for _ in 0..list.len() {
        list.rotate_left(1);
        assert_eq!(story(&list), told);
    }
    list.reverse();
    assert_eq!(story(&list), told);
    // Without any one step but the last, the walk ends before it and names the rest.
    for (place, _) in &forward.steps[1..forward.steps.len() - 1] {
        let mut gap = statements(&journey.a);
        gap.remove(*place);
        assert!(!walk(&gap).unwrap().unlinked.is_empty());
    }
    // A fork is a fault also where it hangs loose.
    list.push(simple("so-c", note(hash(1), hash(5), "x")));
    list.push(simple("so-c", note(hash(1), hash(5), "y")));
    assert_eq!(walk(&list).unwrap_err(), Broken::Fork(list.len() - 1, hash(5)));
    list.truncate(list.len() - 2);
    list.push(simple("so-c", intake(None)));
    assert_eq!(walk(&list).unwrap_err(), Broken::Step(list.len() - 1, Break::Intake));
    let (track, other) = (list.len() - 1, list.len() + 3);
    let apart = |n: u8| simple("so-c", note(hash(1), hash(n), "x"));
    list.extend([apart(11), apart(12), apart(13), simple("huyen-b", intake(None))]);
    list.remove(track);
    assert_eq!(walk(&list).unwrap_err(), Broken::Step(other - 1, Break::Intake), "the second one is named");
    assert_eq!(walk(&[]).unwrap_err(), Broken::NoIntake);
}
