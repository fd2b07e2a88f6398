//! Peers that lie to a successor (`core::authority::collecting`): they cost little, and spoil no other's answers.

mod world;

use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Incarnation, TrackId};
use lienthong_core::recovery::{Given, Left, Word};
use lienthong_core::statement::{Body, Kind, Note, Statement};
use std::sync::Arc;
use world::World;
use world::gone::{copy, give, hand, kept, merge, phase, rest, restore, sign, submit, world};
use world::words::{made, said, tell};

/// Numbers of the questions of a successor that are on their way to a peer.
fn questions(world: &World, from: &AgencyId, to: &AgencyId) -> Vec<usize> {
    let asks = |n: &usize| {
        let letter = &world.letters[*n];
        let body = &letter.statement.body;
        letter.from == *from && letter.to == *to && matches!(body, Body::Recovery(Word::Estate(_)))
    };
    world.pending.iter().copied().filter(asks).collect()
}

/// An answer of a peer to a question of a successor: of this track, these statements.
fn answer(world: &mut World, question: usize, track: TrackId, statements: Vec<Arc<Statement>>) -> usize {
    let number = left(world, question, Some(track));
    world.letters[number].certificate = statements;
    number
}

/// It has nothing else.
fn nothing_else(world: &mut World, question: usize) -> usize {
    left(world, question, None)
}

fn left(world: &mut World, question: usize, track: Option<TrackId>) -> usize {
    let (from, to) = (world.letters[question].to.clone(), world.letters[question].from.clone());
    let Body::Recovery(Word::Estate(estate)) = &world.letters[question].statement.body else {
        panic!("no question")
    };
    let (nonce, round) = (estate.ask.nonce, estate.ask.round);
    let given = Given { nonce, round, number: 1, of: 1, more: true, track };
    let left = Word::Left(Left { given, undecided: false, moved_on: false });
    world.forge(&from, &to, Body::Recovery(left), None)
}

/// A note that a peer makes of a dossier it does not hold.
fn bogus(maker: &AgencyId, number: u64, track: TrackId, prev: Digest) -> Arc<Statement> {
    made(maker.as_str(), 0, number, Body::Note(Note { track, prev, text: format!("{number}") }))
}

/// Time goes by; one peer answers each question as it is told, and everybody else as they do.
fn rest_with(
    world: &mut World,
    seconds: u64,
    s: &AgencyId,
    liar: &AgencyId,
    mut lie: impl FnMut(&mut World, usize),
) {
    for _ in 0..seconds {
        world.pass(1_000).unwrap();
        for _ in 0..100 {
            let Some(number) = world.pending.first().copied() else { break };
            if questions(world, s, liar).contains(&number) {
                world.pending.remove(0);
                lie(world, number);
            } else if world.letters[number].from == *liar
                && world.letters[number].to == *s
                && matches!(world.letters[number].statement.body, Body::Recovery(Word::Left(_)))
            {
                world.pending.remove(0);
            } else {
                world.deliver(number).unwrap().unwrap();
            }
        }
    }
}

/// It gives something else of one dossier each time, and never says that it has nothing else.
#[test]
fn who_answers_differently_each_time_is_asked_ever_more_rarely() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    let mut told = 0;
    rest_with(&mut world, 600, &s, &c, |world, question| {
        told += 1;
        assert!(told < 100, "it is asked without end");
        let lie = bogus(&c, told, track, Digest([told as u8; 32]));
        let number = answer(world, question, track, vec![lie]);
        world.deliver(number).unwrap().unwrap();
    });
    assert!((5..30).contains(&told), "asked {told} times in ten minutes");
    let waits: Vec<_> = world.at(&s).node.as_ref().unwrap().collecting().waits_for().cloned().collect();
    assert_eq!(waits, [c], "people see who is waited for");
    assert_eq!((phase(&world, &s, track), kept(&world, &s, Kind::Succeed)), (Some(Phase::Followed), 0));
}

/// Whoever has much to give is asked on at once: no pause comes between its answers.
#[test]
fn an_honest_estate_is_collected_without_a_pause() {
    let (mut world, [a, b, s]) = world(["a", "b", "s"]);
    let tracks: Vec<TrackId> = (0..300).map(|_| submit(&mut world, &a)).collect();
    for track in &tracks {
        give(&mut world, *track, &a, &b);
        sign(&mut world, *track, &b);
    }
    world.deliver_all().unwrap();
    world.die(&b);
    merge(&mut world, &b, &s, &s);
    // Who does not know the act yet does not answer, and is asked again after two seconds.
    rest(&mut world, 3);
    assert!(tracks.iter().all(|track| phase(&world, &s, *track) == Some(Phase::Held)));
}

/// It says again and again that it was put back to an old copy, and each time everybody is asked anew.
#[test]
fn who_fences_itself_again_and_again_makes_nobody_ask_without_end() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 20);
    let asked = |world: &World| said(world, &s, &s, |word| matches!(word, Word::Estate(_)));
    let before = asked(&world);
    for incarnation in 1..=600 {
        let fence = Word::Fence { incarnation: Incarnation(incarnation), nonce: [0; 16] };
        let fence = made("c", incarnation, 1_000 + incarnation, Body::Recovery(fence));
        tell(&mut world, &c, &s, fence).unwrap();
        world.pass(1_000).unwrap();
        while let Some(number) = world.pending.first().copied() {
            world.deliver(number).unwrap().unwrap();
        }
    }
    let asked = asked(&world) - before;
    assert!((5..80).contains(&asked), "{asked} questions in ten minutes");
}

/// A note by one that never held the dossier, and has lost nothing: whoever made it would have what it follows.
#[test]
fn a_note_by_a_stranger_makes_nothing_doubtful() {
    for told in ["as an answer", "to the place of receipt"] {
        let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
        let origin = if told == "as an answer" { &a } else { &s };
        let track = submit(&mut world, origin);
        hand(&mut world, track, origin, &b);
        let lie = bogus(&c, 7, track, Digest([7; 32]));
        if origin == &s {
            tell(&mut world, &c, &s, lie.clone()).unwrap();
            assert!(world.state(&s).track(&track).unwrap().floats());
        }
        world.die(&b);
        merge(&mut world, &b, &s, &a);
        let mut lies = 0;
        rest_with(&mut world, 120, &s, &c, |world, question| {
            lies += 1;
            let number = if lies == 1 {
                answer(world, question, track, vec![lie.clone()])
            } else {
                nothing_else(world, question)
            };
            world.deliver(number).unwrap().unwrap();
        });
        assert!(lies > 1, "{told}");
        assert_eq!(
            (phase(&world, &s, track), kept(&world, &s, Kind::Succeed)),
            (Some(Phase::Held), 1),
            "{told}"
        );
        assert_eq!(
            world.state(&a).track(&track).map(|t| t.custodian().clone()).filter(|_| origin == &a),
            (origin == &a).then(|| s.clone())
        );
    }
}

/// The same note, and its maker was put back to an old copy before: it may have held the dossier and have forgotten that.
#[test]
fn a_note_by_one_that_has_forgotten_is_doubt() {
    let (mut world, [a, b, c, s]) = world(["a", "b", "c", "s"]);
    let track = submit(&mut world, &s);
    hand(&mut world, track, &s, &b);
    tell(&mut world, &c, &s, bogus(&c, 7, track, Digest([7; 32]))).unwrap();
    let old = copy(&world, &c);
    restore(&mut world, &c, old);
    rest(&mut world, 60);
    world.die(&b);
    merge(&mut world, &b, &s, &a);
    rest(&mut world, 120);
    assert_eq!((phase(&world, &s, track), kept(&world, &s, Kind::Succeed)), (Some(Phase::Gone), 0));
    assert!(!world.state(&c).recovering());
}
