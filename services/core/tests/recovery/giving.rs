//! What is given back to a peer that recovers (`core::recovery::giving`): everything it lacks of what it has part in, once,
//! and nothing of what is not its matter. Too much would come to rest just the same, so the simulator does not see it.

use crate::world::gone::{give, hand, submit, world};
use crate::world::people::{act, offer};
use crate::world::{World, id};
use lienthong_core::ids::{AgencyId, Digest, TrackId};
use lienthong_core::record::Record;
use lienthong_core::recovery::giving::{Gathering, Gift, answer, known_with};
use lienthong_core::recovery::{Ask, GIVEN_AT_ONCE, Given, Known, Word};
use lienthong_core::statement::Kind;
use std::collections::BTreeMap;

/// Part `number` of a question.
fn part(nonce: u8, round: u32, (number, of): (u32, u32), tracks: &[Known]) -> Ask {
    Ask { nonce: [nonce; 16], round, number, of, after: Digest::ZERO, tracks: tracks.to_vec() }
}

fn by_track(known: Vec<Known>) -> BTreeMap<TrackId, Known> {
    known.into_iter().map(|k| (k.track, k)).collect()
}

/// What is said of a gift.
fn word(gift: &Gift) -> &Given {
    let Word::Given(given) = &gift.word else { panic!("{gift:?}") };
    given
}

fn tracks(gifts: &[Gift]) -> Vec<TrackId> {
    gifts.iter().filter_map(|gift| word(gift).track).collect()
}

fn sorted<const N: usize>(mut tracks: [TrackId; N]) -> Vec<TrackId> {
    tracks.sort();
    tracks.to_vec()
}

/// What A gives back to one that knows this.
fn given(world: &World, to: &AgencyId, known: Vec<Known>) -> Vec<Gift> {
    answer(world.state(&id("a")), to, &part(1, 1, (1, 1), &[]), &by_track(known))
}

#[test]
fn a_question_is_answered_when_all_its_parts_are_there() {
    let known = |n| Known { track: Digest([n; 32]), statements: Digest::ZERO, has_content: true };
    let mut gathering = Gathering::default();
    let both = by_track(vec![known(1), known(2)]);
    assert_eq!(gathering.take(&part(1, 1, (1, 2), &[known(1)])), None);
    assert_eq!(gathering.take(&part(1, 1, (1, 2), &[known(1)])), None, "the same again");
    assert_eq!(gathering.take(&part(1, 1, (2, 2), &[known(2)])), Some(both.clone()));
    // Parts of another round, or of another start, are no parts of this one.
    for (nonce, round) in [(1, 2), (2, 1)] {
        assert_eq!(gathering.take(&part(nonce, round, (2, 2), &[known(3)])), None);
        assert_eq!(gathering.take(&part(9, 9, (1, 2), &[known(1)])), None);
        assert_eq!(gathering.take(&part(9, 9, (2, 2), &[known(2)])), Some(both.clone()));
    }
    assert_eq!(gathering.take(&part(3, 1, (1, 1), &[])), Some(BTreeMap::new()), "who knows nothing asks too");
}

/// Whoever has no part in a dossier is given nothing of it, whatever it asks.
#[test]
fn nobody_is_given_what_is_not_its_matter() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let [own, handed, offered, not_its, through] = [0; 5].map(|_| submit(&mut world, &a));
    let taken_in = submit(&mut world, &b);
    hand(&mut world, handed, &a, &b);
    give(&mut world, offered, &a, &b);
    hand(&mut world, not_its, &a, &c);
    hand(&mut world, through, &a, &c);
    hand(&mut world, through, &c, &a);
    hand(&mut world, through, &a, &b);
    hand(&mut world, taken_in, &b, &a);
    let to_b = sorted([handed, offered, taken_in, through]);
    assert_eq!(tracks(&given(&world, &b, Vec::new())), to_b);
    let state = world.state(&a);
    let known: Vec<TrackId> = known_with(state, &b).iter().map(|k| k.track).collect();
    assert_eq!(known, to_b, "and A names to B what is B's matter");
    assert_eq!(tracks(&given(&world, &c, Vec::new())), sorted([not_its, through]));
    assert!(!known.contains(&own));
}

#[test]
fn what_is_known_is_not_given_and_a_content_only_where_it_is_missing() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let [same, newer, bare] = [0; 3].map(|_| submit(&mut world, &a));
    hand(&mut world, same, &a, &b);
    hand(&mut world, bare, &a, &b);
    give(&mut world, newer, &a, &b);
    let known = known_with(world.state(&b), &a);
    let nothing = given(&world, &b, known.clone());
    assert_eq!(nothing.len(), 1, "{nothing:?}");
    assert_eq!((word(&nothing[0]).track, word(&nothing[0]).number, word(&nothing[0]).of), (None, 1, 1));
    assert!(nothing[0].statements.is_empty() && nothing[0].content.is_none() && !word(&nothing[0]).more);

    let mut known = by_track(known);
    known.get_mut(&newer).unwrap().statements = Digest::ZERO;
    known.get_mut(&bare).unwrap().has_content = false;
    let gifts = given(&world, &b, known.into_values().collect());
    assert_eq!(tracks(&gifts), sorted([newer, bare]));
    for gift in &gifts {
        let track = word(gift).track.unwrap();
        let kinds: Vec<Kind> =
            gift.statements.iter().map(|i| world.statement(&a, *i).unwrap().body.kind()).collect();
        let whole = [Kind::Intake, Kind::Offer, Kind::Accept];
        assert_eq!(kinds, whole[..if track == bare { 3 } else { 2 }], "all that A has of it");
        assert_eq!(gift.content.is_some(), track == bare, "it has the content of the other");
        let at = gift.content.map(|index| &world.at(&a).ledger[index.0 as usize]);
        assert!(at.is_none_or(|r| matches!(r, Record::Statement(s) if s.content.is_some())));
    }
}

/// A recall that is not decided may be asked again: it need not come back, and does not make two sides differ.
#[test]
fn a_recall_on_its_way_is_no_difference() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let track = submit(&mut world, &a);
    give(&mut world, track, &a, &b);
    let before = known_with(world.state(&a), &b);
    world.ask(&a, act("recalls", track, Digest::ZERO).unwrap()).unwrap().unwrap();
    assert_eq!(known_with(world.state(&a), &b), before);
    let gifts = given(&world, &b, Vec::new());
    let kinds = gifts[0].statements.iter().map(|i| world.statement(&a, *i).unwrap().body.kind());
    assert_eq!(kinds.collect::<Vec<_>>(), [Kind::Intake, Kind::Offer]);
}

#[test]
fn much_is_given_in_turns() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let mut all: Vec<TrackId> = (0..GIVEN_AT_ONCE + 2).map(|_| submit(&mut world, &a)).collect();
    for track in &all {
        world.ask(&a, offer(*track, b.clone())).unwrap().unwrap();
    }
    all.sort();
    let first = given(&world, &b, Vec::new());
    assert_eq!(tracks(&first), all[..GIVEN_AT_ONCE]);
    assert!(first.iter().all(|gift| word(gift).more && word(gift).of as usize == GIVEN_AT_ONCE));
    let numbers: Vec<u32> = first.iter().map(|gift| word(gift).number).collect();
    assert_eq!(numbers, (1..=GIVEN_AT_ONCE as u32).collect::<Vec<_>>());
    let next = Ask { after: all[GIVEN_AT_ONCE - 1], ..part(1, 2, (1, 1), &[]) };
    let rest = answer(world.state(&a), &b, &next, &BTreeMap::new());
    assert_eq!(tracks(&rest), all[GIVEN_AT_ONCE..]);
    assert!(rest.iter().all(|gift| !word(gift).more && word(gift).round == 2));
}
