//! Random schedules over four agencies: officers, deliveries, repetitions, losses, slow disks, crashes, full mailboxes
//! and wild clocks. After every step the invariants of protocol.md 8 hold; once faults stop, everything heals.
//!
//! The seeds are fixed, so that a run can be repeated; `PROPTEST_CASES` makes it longer, `PROPTEST_RNG_SEED` other.

mod schedule;
mod world;

use lienthong_core::ids::{AgencyId, Hop, TrackId};
use lienthong_core::record::{Origin, Record};
use lienthong_core::statement::{
    Accept, AckItem, Body, Cancel, Channel, Completed, Note, Offer, ReceivedItem, RefusalCause, Refuse,
    Resolution, Returned,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestError, TestRunner};
use schedule::{Event, NAMES, Run, event};
use std::cell::RefCell;
use std::collections::BTreeMap;
use world::{Fault, World, id};

/// How often what the run is about has happened.
#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    refused: usize,
    recalls_won: usize,
    recalls_lost: usize,
    closed: usize,
    learned: usize,
    longest: u32,
}

impl Tally {
    fn count(&mut self, world: &World) {
        for place in world.places.values() {
            let state = world.state(&place.id);
            let tracks: Vec<_> = state.tracks.iter().map(|(_, kept)| kept.read().into_owned()).collect();
            for transfer in tracks.iter().flat_map(|t| t.transfers.values()) {
                let (mine, recalled) = (transfer.from == place.id, transfer.cancel.is_some());
                match transfer.outcome.map(|o| o.refused) {
                    Some(None) if mine && recalled => self.recalls_lost += 1,
                    Some(None) if mine => self.accepted += 1,
                    Some(Some(RefusalCause::Recalled)) if mine => self.recalls_won += 1,
                    Some(Some(_)) if mine => self.refused += 1,
                    _ => {}
                }
            }
            self.closed += state.census().closed as usize;
            self.longest = tracks.iter().map(|t| t.hop.0).fold(self.longest, u32::max);
            let learned = |r: &&Record| matches!(r, Record::Statement(s) if s.origin == Origin::Learned && matches!(s.statement.body, Body::Accept(_)));
            self.learned += place.ledger.iter().filter(learned).count();
        }
    }
}

fn run<T: std::fmt::Debug>(
    cases: u32,
    input: impl Strategy<Value = T>,
    test: impl Fn(T) -> Result<(), Fault>,
) {
    let mut config = Config { max_shrink_iters: 4_000, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(20_240_115);
    }
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/properties.txt");
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct(kept)));
    let came = TestRunner::new(config).run(&input, |input| test(input).map_err(TestCaseError::fail));
    match came {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => panic!("{why}\nsmallest schedule: {input:?}"),
        Err(other) => panic!("{other}"),
    }
}

/// I1–I4, I6, I8, I9, I10, I14, L1, L2, and recovery, on every schedule.
#[test]
fn every_schedule_keeps_the_invariants_and_heals() {
    let tally = RefCell::new(Tally::default());
    run(2_500, prop::collection::vec(event(), 20..160), |events| {
        let mut run = Run::new();
        run.play(&events)?;
        run.rest()?;
        tally.borrow_mut().count(&run.world);
        Ok(())
    });
    let tally = tally.into_inner();
    println!("{tally:?}");
    let enough =
        [tally.accepted, tally.refused, tally.recalls_won, tally.recalls_lost, tally.closed, tally.learned];
    assert!(enough.iter().all(|n| *n > 0) && tally.longest >= 4, "L2: the run proves nothing: {tally:?}");
}

/// Makes forgeries from whatever was ever said: a statement of any kind by D, about any track, behind any statement.
fn forgery(run: &Run, numbers: [usize; 4]) -> Option<(AgencyId, Body, usize)> {
    let [kind, letter, prev, to] = numbers;
    let of = |n: usize| run.world.letters.get(n % run.world.letters.len().max(1));
    let (seen, prev) = (of(letter)?, of(prev)?.statement.sid());
    let track = seen.statement.track().or(run.tracks.first().copied())?;
    let (tid, hop) = match &seen.statement.body {
        Body::Offer(offer) => (seen.statement.sid(), offer.hop),
        other => (other.prev().unwrap_or(prev), Hop(200)),
    };
    let text = String::new;
    let body = match kind % 8 {
        0 => Body::Cancel(Cancel { track, tid, reason: text() }),
        1 => Body::Accept(Accept { track, tid, hop, note: text() }),
        2 => Body::Refuse(Refuse { track, tid, hop, cause: RefusalCause::Recalled, reason: text() }),
        3 => Body::Note(Note { track, prev, text: text() }),
        4 => Body::Completed(Completed { track, prev, resolution: Resolution::Denied, note: text() }),
        5 => Body::Returned(Returned { track, prev, channel: Channel::Post, note: text() }),
        6 => Body::Ack(vec![AckItem { track, sid: prev }, AckItem { track, sid: tid }]),
        _ => match &seen.statement.body {
            Body::Offer(offer) => Body::Offer(Offer { prev, hop: Hop(256), ..offer.clone() }),
            _ => Body::Received(vec![ReceivedItem { tid, commitment: None }]),
        },
    };
    Some((id(NAMES[to % 3]), body, letter % run.world.letters.len()))
}

/// A stranger with a good key says whatever it likes: no invariant falls, and no honest letter is rejected for it.
#[test]
fn a_stranger_changes_nothing() {
    let honest = event().prop_filter("D takes no honest part", |e| !e.names(3));
    let forged = prop::array::uniform4(0..1_000_000_usize);
    run(600, prop::collection::vec((honest, prop::option::of(forged)), 20..120), |schedule| {
        let mut run = Run::new();
        for (event, forged) in &schedule {
            run.play(std::slice::from_ref(event))?;
            if let Some((to, body, like)) = forged.and_then(|numbers| forgery(&run, numbers)) {
                let number = run.world.forge(&id("d"), &to, body.clone(), Some(like));
                let _kept_or_rejected = run.world.deliver(number)?;
                run.world.check().map_err(|fault| format!("after {body:?} to {to}: {fault}"))?;
            }
        }
        run.rest()
    });
}

/// What happened, without what a clock can reach: kinds, makers and hops in the order of each ledger, and all phases.
fn story(run: &Run) -> Vec<String> {
    let numbers: BTreeMap<TrackId, usize> = run.tracks.iter().enumerate().map(|(n, t)| (*t, n)).collect();
    let mut out = Vec::new();
    for place in run.world.places.values() {
        for record in &place.ledger {
            let Record::Statement(s) = record else { continue };
            let (track, maker) =
                (s.statement.track().and_then(|t| numbers.get(&t)), &s.statement.claim.agency);
            out.push(format!(
                "{}: {:?} {} of {track:?} by {maker}",
                place.id,
                s.origin,
                s.statement.body.kind().name()
            ));
        }
        for track in &run.tracks {
            let phase = run.world.state(&place.id).track(track).map(|t| {
                let phase = format!("{:?}", t.phase);
                (phase.split('(').next().unwrap_or_default().to_owned(), t.hop, t.custodian().clone())
            });
            out.push(format!("{}: {phase:?}", place.id));
        }
    }
    out
}

/// I20: the same schedule under other clocks, which jump meanwhile, comes to the same decisions.
#[test]
fn no_decision_reads_a_clock() {
    let clocks = prop::array::uniform4(-63_072_000_000..63_072_000_000_i64);
    run(500, (prop::collection::vec(event(), 20..120), clocks), |(events, clocks)| {
        let (mut right, mut wrong) = (Run::new(), Run::new());
        for (name, clock) in NAMES.iter().zip(clocks) {
            wrong.world.at_mut(&id(name)).clock_ms = clock;
        }
        let timeless: Vec<Event> =
            events.iter().filter(|e| !matches!(e, Event::Clock(..))).cloned().collect();
        right.play(&timeless)?;
        wrong.play(&events)?;
        (story(&right) == story(&wrong)).then_some(()).ok_or("the clocks changed the story")?;
        right.rest()?;
        wrong.rest()?;
        (story(&right) == story(&wrong)).then_some(()).ok_or("the clocks changed the ending".into())
    });
}

/// I9: the place of receipt knows the same in the end, in whatever order and however often the copies come.
#[test]
fn copies_come_in_any_order() {
    let route = prop::collection::vec((1..4_usize, any::<bool>(), any::<bool>()), 1..6);
    let order = prop::collection::vec(any::<prop::sample::Index>(), 1..60);
    run(1_000, (route, order), |(route, order)| {
        let mut run = Run::new();
        run.happen(&Event::Submit(0))?;
        run.happen(&Event::Offer(0, route[0].0))?;
        // The first receiver gets it; from now on A hears nothing, but everything for it stays on its way.
        let a = id("a");
        let mut for_a = Vec::new();
        for (number, (to, accepts, notes)) in route.iter().enumerate() {
            if number > 0 {
                run.happen(&Event::Offer(0, *to))?;
            }
            carry(&mut run, &a, &mut for_a)?;
            run.happen(&if *accepts { Event::Accept(0) } else { Event::Refuse(0) })?;
            if *notes {
                run.happen(&Event::Work(0, "notes"))?;
            }
            carry(&mut run, &a, &mut for_a)?;
            if number == 0 && !accepts {
                return Ok(()); // refused at once: nothing is left to follow
            }
        }
        for_a.iter().try_for_each(|n| run.deliver(*n))?;
        let in_order = known(&run, &a);
        // The same letters again, for the A of that day, shuffled and repeated.
        let cut = first_news(&run, &a);
        run.world.at_mut(&a).ledger.truncate(cut);
        let ledger = std::mem::take(&mut run.world.at_mut(&a).ledger);
        let start = lienthong_core::ids::Head::EMPTY;
        run.world.at_mut(&a).head = ledger.iter().fold(start, world::codec::extend);
        run.world.at_mut(&a).ledger = ledger;
        run.world.crash(run.world.at(&a).process)?;
        for index in &order {
            run.deliver(*index.get(&for_a))?;
            run.world.state(&a).check().map_err(|v| format!("{} {}", v.invariant, v.what))?;
        }
        for_a.iter().rev().try_for_each(|n| run.deliver(*n))?;
        (known(&run, &a) == in_order).then_some(()).ok_or("I9: the order of copies shows".into())
    });
}

/// Delivers everything except what is for `a`, which is kept aside.
fn carry(run: &mut Run, a: &AgencyId, aside: &mut Vec<usize>) -> Result<(), Fault> {
    while let Some(number) = run.world.pending.first().copied() {
        if run.world.letters[number].to == *a {
            run.world.pending.remove(0);
            aside.push(number);
        } else {
            run.deliver(number)?;
        }
    }
    Ok(())
}

fn first_news(run: &Run, a: &AgencyId) -> usize {
    let ledger = &run.world.at(a).ledger;
    let news = |r: &Record| matches!(r, Record::Statement(s) if s.statement.claim.agency != *a);
    ledger.iter().position(news).unwrap_or(ledger.len())
}

/// What an agency knows of the track, without places in its ledger.
fn known(run: &Run, a: &AgencyId) -> Option<String> {
    let track = run.world.state(a).track(&run.tracks[0])?;
    let standing = track.standing();
    let outcomes: Vec<_> = track
        .transfers
        .iter()
        .map(|(tid, t)| (tid, &t.from, &t.to, t.outcome.map(|o| (o.sid, o.refused))))
        .collect();
    let sids: std::collections::BTreeSet<_> = track.entries.iter().map(|e| e.sid).collect();
    Some(format!("{:?} {standing:?} {outcomes:?} {sids:?} {}", track.phase, run.world.state(a).outbox.len()))
}
