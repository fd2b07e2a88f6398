//! Random schedules in which one of four agencies is gone for good at some moment, and the act that retires it reaches some
//! node some time later: no two of the others ever hold one dossier, what it never accepted comes back to its giver, and
//! everything else comes to rest without it.

#[allow(dead_code)] // this file uses a part of it
mod schedule;
mod world;

use lienthong_core::custody::track::Transfer;
use lienthong_core::node::Input;
use lienthong_core::record::{Origin, Record};
use lienthong_core::statement::{Body, RefusalCause};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use schedule::{Event, NAMES, Run, event};
use std::cell::RefCell;
use world::{Fault, id};

/// The agency that is gone.
const GONE: usize = 3;

/// How often what the run is about has happened.
#[derive(Debug, Default)]
struct Tally {
    retired: usize,
    reclaimed: usize,
    found: usize,
    late: usize,
    lost_with_it: usize,
    over_a_reclaim: usize,
    succeeded: usize,
    in_place_of_a_decision: usize,
}

impl Tally {
    fn count(&mut self, run: &Run) {
        self.retired += 1;
        let gone = id(NAMES[GONE]);
        for name in &NAMES[..GONE] {
            let state = run.world.state(&id(name));
            let tracks: Vec<_> = state.tracks.iter().map(|(_, kept)| kept.read().into_owned()).collect();
            let made = |r: &&Record| matches!(r, Record::Statement(s) if s.origin == Origin::Made && matches!(s.statement.body, Body::Succeed(_)));
            self.succeeded += run.world.at(&id(name)).ledger.iter().filter(made).count();
            let from_it = |t: &&Transfer| t.from == gone;
            let decided = tracks.iter().flat_map(|t| t.transfers.values()).filter(from_it);
            let in_place =
                |t: &&Transfer| t.outcome.is_some_and(|o| o.refused == Some(RefusalCause::Succeeded));
            self.in_place_of_a_decision += decided.filter(in_place).count();
            for transfer in tracks.iter().flat_map(|t| t.transfers.values()) {
                let mine = transfer.from == state.me && transfer.to == gone;
                match transfer.outcome.map(|o| o.refused) {
                    Some(Some(RefusalCause::Reclaimed)) if mine => self.reclaimed += 1,
                    None if mine => self.lost_with_it += 1,
                    _ => {}
                }
            }
            let learned = |r: &&Record| {
                matches!(r, Record::Statement(s) if s.origin == Origin::Learned && s.statement.claim.agency == gone
                    && matches!(s.statement.body, Body::Accept(_) | Body::Refuse(_)))
            };
            self.found += run.world.at(&id(name)).ledger.iter().filter(learned).count();
            self.over_a_reclaim += run
                .world
                .at(&id(name))
                .ledger
                .iter()
                .filter(|r| matches!(r, Record::Statement(s) if s.origin == Origin::Learned && matches!(s.statement.body, Body::Reclaim(_))))
                .count();
            self.late += state.quarantined.get(&gone).map_or(0, std::collections::BTreeMap::len);
        }
    }
}

/// What may happen when it is gone: everything that it does not do itself.
fn without_it() -> impl Strategy<Value = Event> {
    event().prop_filter("it is gone", |event| match event {
        Event::Submit(who) | Event::Crash(who) | Event::Mailbox(who, _) => *who != GONE,
        Event::Try(who, ..) => *who != GONE,
        _ => true,
    })
}

/// The dossiers of some runs are with it at the beginning: what it holds is what the run is about.
fn handed_to_it(t: usize) -> [Event; 4] {
    [Event::Submit(t), Event::Offer(t, GONE), Event::Settle, Event::Accept(t)]
}

/// What happens before it is gone, before anybody knows, who is told first, and what happens then.
type Course = (Vec<Event>, Vec<Event>, usize, Vec<Event>);

#[test]
fn whoever_is_gone_leaves_one_custodian_of_everything_else() {
    let tally = RefCell::new(Tally::default());
    let any = || {
        (prop::collection::vec(any::<bool>(), 2), prop::collection::vec(event(), 10..70)).prop_map(
            |(to_it, rest)| {
                to_it
                    .into_iter()
                    .enumerate()
                    .filter(|(_, to_it)| *to_it)
                    .flat_map(|(t, _)| handed_to_it(t))
                    .chain(rest)
                    .collect()
            },
        )
    };
    let rest = || prop::collection::vec(without_it(), 0..40);
    let schedule = (any(), rest(), 0..GONE, rest());
    let mut config = Config { max_shrink_iters: 4_000, failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 2_000;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(20_241_122);
    }
    let test = |(before, unaware, told, after): Course| -> Result<(), Fault> {
        let (mut run, gone) = (Run::new(), id(NAMES[GONE]));
        run.play(&before)?;
        run.world.die(&gone);
        run.play(&unaware)?;
        let act = run.world.act(&gone, Some(id(NAMES[0])), 1);
        let bring = |run: &mut Run| {
            let answer = run.world.step(&id(NAMES[told]), Input::Act(act.clone()))?;
            answer.map(drop).map_err(|reason| format!("the act is refused: {reason:?}"))
        };
        bring(&mut run)?;
        run.play(&after)?;
        bring(&mut run)?; // a crash of a slow disk may have taken it before anybody was answered
        run.rest()?;
        tally.borrow_mut().count(&run);
        Ok(())
    };
    let came = TestRunner::new(config).run(&schedule, |input| test(input).map_err(TestCaseError::fail));
    match came {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => panic!("{why}\nsmallest schedule: {input:?}"),
        Err(other) => panic!("{other}"),
    }
    let tally = tally.into_inner();
    println!("{tally:?}");
    let seen = [
        tally.reclaimed,
        tally.found,
        tally.late,
        tally.over_a_reclaim,
        tally.succeeded,
        tally.in_place_of_a_decision,
    ];
    assert!(seen.iter().all(|n| *n > 0), "L2: the run proves nothing: {tally:?}");
}
