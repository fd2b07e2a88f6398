//! A power cut at every commit of a hand-off, before it is durable and after it is durable but before it speaks,
//! ends as if nothing had happened.

mod world;

use lienthong_core::custody::command::Act;
use lienthong_core::ids::{AgencyId, TrackId};
use lienthong_core::node::Answer;
use world::people::{act, dossier, offer};
use world::{Crash, Fault, World, id};

/// What an officer does next, once the track is known.
type Errand = fn(&World, TrackId) -> Act;

/// What must be the same whatever crashed: for each agency the phase, the custodian, the decisions by hop and how
/// many rows wait, and for each agency the statements of the spine.
fn ending(world: &World, track: TrackId) -> Vec<String> {
    let tell = |who: &AgencyId| {
        let state = world.state(who);
        let Some(known) = state.track(&track) else { return format!("{who}: unknown") };
        let phase = format!("{:?}", known.phase);
        let word = phase.split('(').next().unwrap_or_default().to_owned();
        let mut hops: Vec<_> = known.transfers.values().collect();
        hops.sort_by_key(|t| t.hop);
        let decisions: Vec<_> =
            hops.iter().map(|t| (t.hop.0, &t.from, &t.to, t.outcome.map(|o| o.refused))).collect();
        let spine = known.spine_to(&known.standing().tip).unwrap_or_default();
        let kinds: Vec<_> =
            spine.iter().filter_map(|i| world.statement(who, *i)).map(|s| s.body.kind().name()).collect();
        let (custodian, rows) = (known.custodian(), state.outbox.len());
        format!("{who}: {word}, custodian {custodian}, {decisions:?}, {kinds:?}, {rows} rows")
    };
    world.places.keys().map(tell).collect()
}

/// Officers do their errands in order; whoever loses the answer in a crash asks again under the same key.
fn journey(
    names: &[&str],
    cohost: bool,
    errands: &[(&str, Errand)],
    crashes: &[(u64, Crash)],
) -> Result<(World, TrackId), Fault> {
    let mut world = World::new(names);
    if cohost {
        world.places.values_mut().for_each(|p| p.process = 0);
    }
    world.crash_at = crashes.iter().map(|(at, kind)| (world.commits + at, *kind)).collect();
    let mut track = None;
    ask(&mut world, "submit", &id(names[0]), &mut track, |_, _| dossier(Some("đơn xin xác nhận"), None))?;
    for (number, (who, errand)) in errands.iter().enumerate() {
        ask(&mut world, &format!("errand-{number}"), &id(who), &mut track, errand)?;
        world.heal()?;
    }
    Ok((world, track.ok_or("nothing was submitted")?))
}

fn ask(
    world: &mut World,
    key: &str,
    who: &AgencyId,
    track: &mut Option<TrackId>,
    errand: impl Fn(&World, TrackId) -> Act,
) -> Result<(), Fault> {
    for _ in 0..3 {
        let act = errand(world, track.unwrap_or(TrackId::ZERO));
        world.crashed = false;
        let answer = world.ask_under(key, who, act)?.map_err(|r| format!("{who} was refused: {r:?}"))?;
        world.check()?;
        if let (false, Answer::Done { track: about, .. }) = (world.crashed, answer) {
            *track = Some(about);
            return Ok(());
        }
    }
    Err("an officer never got an answer".into())
}

fn tid(world: &World, track: TrackId, to: &str) -> lienthong_core::ids::Tid {
    world.transfer_to(track, &id(to)).unwrap_or(TrackId::ZERO)
}

/// Every commit, both places to crash: the same ending. Returns how many commits the quiet journey has.
fn every_crash(names: &[&str], cohost: bool, errands: &[(&str, Errand)]) -> u64 {
    let opened = World::new(names).commits;
    let (quiet, track) = journey(names, cohost, errands, &[]).unwrap();
    let wanted = ending(&quiet, track);
    let commits = quiet.commits - opened;
    for at in 1..=commits {
        for kind in [Crash::BeforeDurable, Crash::BeforeSpeaking] {
            let came = journey(names, cohost, errands, &[(at, kind)]);
            let (world, track) =
                came.unwrap_or_else(|fault| panic!("crash {kind:?} at commit {at}: {fault}"));
            assert_eq!(ending(&world, track), wanted, "crash {kind:?} at commit {at}");
        }
    }
    commits
}

#[test]
fn accepted_hand_off() {
    let errands: [(&str, Errand); 2] = [
        ("a", |_, track| offer(track, id("b"))),
        ("b", |world, track| Act::Accept { tid: tid(world, track, "b"), note: String::new() }),
    ];
    let commits = every_crash(&["a", "b"], false, &errands);
    assert!(commits >= 7, "submit, offer, received, kept receipt, accept, ack, kept ack; were {commits}");
    every_crash(&["a", "b"], true, &errands);
}

#[test]
fn refused_and_recalled() {
    let errands: [(&str, Errand); 4] = [
        ("a", |_, track| offer(track, id("b"))),
        ("b", |world, track| Act::Refuse { tid: tid(world, track, "b"), reason: "thiếu".into() }),
        ("a", |_, track| offer(track, id("b"))),
        ("a", |_, track| Act::Recall { track, reason: String::new() }),
    ];
    every_crash(&["a", "b"], false, &errands);
}

#[test]
fn round_trip() {
    let errands: [(&str, Errand); 8] = [
        ("a", |_, track| offer(track, id("b"))),
        ("b", |world, track| Act::Accept { tid: tid(world, track, "b"), note: String::new() }),
        ("b", |_, track| offer(track, id("c"))),
        ("c", |world, track| Act::Accept { tid: tid(world, track, "c"), note: String::new() }),
        ("c", |_, track| act("completes", track, track).expect("a verb")),
        ("c", |_, track| offer(track, id("a"))),
        ("a", |world, track| Act::Accept { tid: tid(world, track, "a"), note: String::new() }),
        ("a", |_, track| act("returns", track, track).expect("a verb")),
    ];
    every_crash(&["a", "b", "c"], false, &errands);
}

/// Two power cuts in one hand-off, at every pair of commits.
#[test]
fn two_crashes() {
    let errands: [(&str, Errand); 2] = [
        ("a", |_, track| offer(track, id("b"))),
        ("b", |world, track| Act::Accept { tid: tid(world, track, "b"), note: String::new() }),
    ];
    let (quiet, track) = journey(&["a", "b"], false, &errands, &[]).unwrap();
    let wanted = ending(&quiet, track);
    let opened = World::new(&["a", "b"]).commits;
    let commits = quiet.commits - opened;
    for first in 1..=commits {
        let (crashed, _) = journey(&["a", "b"], false, &errands, &[(first, Crash::BeforeSpeaking)]).unwrap();
        for second in first + 1..=crashed.commits - opened {
            let came = journey(
                &["a", "b"],
                false,
                &errands,
                &[(first, Crash::BeforeSpeaking), (second, Crash::BeforeDurable)],
            );
            let (world, track) =
                came.unwrap_or_else(|fault| panic!("crashes at {first} and {second}: {fault}"));
            assert_eq!(ending(&world, track), wanted, "crashes at commits {first} and {second}");
        }
    }
}

/// Whatever timers say: while the disk is slow nothing leaves, and what was decided meanwhile dies with the power.
#[test]
fn nothing_is_said_before_it_is_durable() {
    let mut world = World::new(&["a", "b"]);
    let (a, b) = (id("a"), id("b"));
    let mut track = None;
    ask(&mut world, "submit", &a, &mut track, |_, _| dossier(None, None)).unwrap();
    let track = track.unwrap();
    world.at_mut(&a).stalled = true;
    world.ask(&a, offer(track, b.clone())).unwrap().unwrap();
    world.fire().unwrap();
    world.pass(120_000).unwrap();
    assert!(world.letters.is_empty(), "{} left", world.label(0));
    world.crash(world.at(&a).process).unwrap();
    world.pass(120_000).unwrap();
    assert!(world.letters.is_empty() && world.custodian(track).unwrap() == a);
    world.ask(&a, offer(track, b.clone())).unwrap().unwrap();
    world.at_mut(&b).stalled = true;
    world.deliver(0).unwrap().unwrap();
    world.pass(120_000).unwrap();
    assert!(world.letters.iter().all(|l| l.from == a), "B receipted what it could still lose");
    world.catch_up(&b).unwrap();
    assert!(world.letters.iter().any(|l| l.from == b));
    world.heal().unwrap();
}
