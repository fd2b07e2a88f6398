//! What a state keeps of tracks, transfers and commands (`core::custody`), asked as its readers ask.

mod world;

use lienthong_core::custody::packed::{pack, unpack};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Track;
use lienthong_core::custody::transfers::Transfers;
use lienthong_core::ids::{Digest, LedgerIndex, WallMs};
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::record::{CommandRef, QuarantineSettled, Settling};
use lienthong_core::recovery::Word;
use lienthong_core::statement::{Body, Officer};
use world::World;
use world::gone::{give, hand, submit, world};
use world::people::{act, dossier};
use world::words::{made, tell};

/// A clock may be anywhere, also before 1970; what is kept of it is kept to the millisecond.
#[test]
fn a_packed_track_has_the_instants_that_it_had() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    let known = world.state(&a).track(&track).unwrap().clone();
    for ms in [0, 1, -1, 63, -64, 64, -65, 1_795_000_000_000, -1_795_000_000_000, i64::MAX, i64::MIN] {
        let mut other: Track = known.clone();
        (other.received_at, other.due_at) = (WallMs(ms), Some(WallMs(-1 - ms)));
        assert_eq!(unpack(&pack(&other)).as_ref(), Some(&other), "{ms}");
    }
}

#[test]
fn what_is_there_is_said_to_be_there() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let [first, second, own] = [0; 3].map(|_| submit(&mut world, &a));
    give(&mut world, first, &a, &b);
    hand(&mut world, second, &a, &b);
    for verb in ["completes", "returns"] {
        world.ask(&a, act(verb, own, Digest::ZERO).unwrap()).unwrap().unwrap();
    }
    let state = world.state(&a);
    assert!(state.commands.contains_key("call-1") && !state.commands.contains_key("call-1000"));
    let transfers = &state.track(&first).unwrap().transfers;
    let tid = world.transfer_to(first, &b).unwrap();
    assert!(transfers.contains_key(&tid) && !transfers.contains_key(&first));
    assert!(!transfers.is_empty() && Transfers::default().is_empty());
    assert!(!state.tracks.is_empty() && State::new(a.clone()).tracks.is_empty());
    assert_eq!((state.tracks.len(), state.tracks.closed()), (3, 1));
    let census = state.census();
    assert_eq!((census.offered, census.gone, census.closed, census.held), (1, 1, 1, 0));

    // As a snapshot is read: closed ones as they were packed.
    let mut read = State::new(a.clone());
    for (id, kept) in state.tracks.iter() {
        let track = kept.read().into_owned();
        let packed = track.returned.is_some().then(|| pack(&track).into());
        read.put_track(*id, track, packed);
    }
    assert_eq!((read.tracks.len(), read.tracks.closed(), read.tracks.open().count()), (3, 1, 2));
    assert_eq!(read.tracks, state.tracks);
}

/// What came under a key is answered again to who asks the same again, and to nobody else.
#[test]
fn an_envelope_is_taken_out_of_quarantine_once() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let quarantined = |world: &mut World, from, number| {
        let others = made("d", 0, number, Body::Recovery(Word::Hello));
        assert_eq!(tell(world, from, &a, others), Err(Reason::SenderMismatch));
        LedgerIndex(world.at(&a).ledger.len() as u64 - 1)
    };
    let index = quarantined(&mut world, &b, 7);
    let left = [quarantined(&mut world, &b, 8), quarantined(&mut world, &c, 9)];
    assert!(world.state(&a).is_quarantined(index) && !world.state(&a).is_quarantined(LedgerIndex(0)));
    let settled = |index, digest| {
        let command = CommandRef { key: "take-out".into(), digest: Digest([digest; 32]) };
        let officer = Officer { id: "cb01".into(), name: "Nguyễn Văn Thử".into() };
        let (settling, why, at) = (Settling::Discarded, "nhầm".into(), WallMs(0));
        Input::Settle(QuarantineSettled { index, settling, officer, why, command, at })
    };
    let Ok(Answer::Done { index: at, repeated: false, .. }) = world.step(&a, settled(index, 1)).unwrap()
    else {
        panic!("it is taken out")
    };
    assert!(!world.state(&a).is_quarantined(index));
    assert!(left.iter().all(|index| world.state(&a).is_quarantined(*index)), "the others stay");
    let again = world.step(&a, settled(index, 1)).unwrap();
    assert!(matches!(again, Ok(Answer::Done { index, repeated: true, .. }) if index == at), "{again:?}");
    assert_eq!(world.step(&a, settled(index, 2)).unwrap(), Err(Reason::IdempotencyConflict));
}

/// Two agencies may have given one code: where one of the dossiers was taken in, the code means that one.
#[test]
fn a_code_means_what_was_taken_in_here() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let code = "000.00.01.H51-240115-0001";
    let [at_a, at_b] = [&a, &b].map(|who| {
        let answer = world.ask(who, dossier(Some("hồ sơ"), Some(code))).unwrap();
        let Ok(Answer::Done { track, .. }) = answer else { panic!("{answer:?}") };
        track
    });
    hand(&mut world, at_a, &a, &b);
    hand(&mut world, at_b, &b, &c);
    hand(&mut world, at_a, &b, &c);
    assert_eq!(world.state(&a).by_code(code), [at_a]);
    assert_eq!(world.state(&b).by_code(code), [at_b], "and not the one that came through");
    let mut both = world.state(&c).by_code(code);
    both.sort();
    assert_eq!(both, if at_a < at_b { [at_a, at_b] } else { [at_b, at_a] });
    assert!(world.state(&c).by_code("000.00.01.H51-240115-0002").is_empty());
    assert!(world.state(&b).code_in_use(code) && !world.state(&c).code_in_use(code));
}
