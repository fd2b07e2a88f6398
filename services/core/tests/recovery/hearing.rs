//! The words of a recovery at the one who hears them (`core::node`, `recovering`): whose they are, of which incarnation and
//! about which fence, before anything counts.

use crate::world::gone::{copy, hand, intercept, rest, restore, submit, world};
use crate::world::words::{made, said, tell};
use crate::world::{World, id};
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Digest, Incarnation};
use lienthong_core::reason::Reason;
use lienthong_core::record::Record;
use lienthong_core::recovery::asking::Progress;
use lienthong_core::recovery::{Given, Word};
use lienthong_core::statement::Body;

const OTHER: Digest = Digest([8; 32]);

fn fence(incarnation: u64) -> Body {
    Body::Recovery(Word::Fence { incarnation: Incarnation(incarnation), nonce: [3; 16] })
}

/// What a node that recovers has of a peer.
fn progress(world: &World, at: &AgencyId, peer: &AgencyId) -> Progress {
    let asking = world.at(at).node.as_ref().unwrap().asking().expect("it recovers");
    asking.peers().find(|(name, _)| *name == peer).unwrap().1.clone()
}

/// A and B are put back; A has heard B's FENCE, and nothing else is on its way.
fn both_recover() -> (World, AgencyId, AgencyId) {
    let (mut world, [a, b]) = world(["a", "b"]);
    let (kept_a, kept_b) = (copy(&world, &a), copy(&world, &b));
    restore(&mut world, &a, kept_a);
    restore(&mut world, &b, kept_b);
    let fence = intercept(&mut world, "recovery b to a");
    world.deliver(fence).unwrap().unwrap();
    (world, a, b)
}

/// Whoever can put an envelope into a mailbox can put a word of somebody else into it.
#[test]
fn a_word_counts_from_its_maker_only() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let before = world.state(&a).memory.clone();
    assert_eq!(tell(&mut world, &b, &a, made("c", 1, 5, fence(1))), Err(Reason::SenderMismatch));
    assert_eq!(tell(&mut world, &a, &a, made("a", 1, 5, fence(1))), Err(Reason::SenderMismatch));
    assert_eq!(tell(&mut world, &b, &a, made("a", 1, 5, fence(1))), Err(Reason::SenderMismatch));
    assert_eq!(tell(&mut world, &c, &a, made("c", 1, 5, fence(2))), Err(Reason::MalformedStatement));
    assert_eq!(world.state(&a).memory, before);
    assert_eq!(tell(&mut world, &c, &a, made("c", 1, 5, fence(1))), Ok(()));
    assert_eq!(world.state(&a).memory.fences[&c].min, Incarnation(1));
}

/// What a peer said before its own recovery, it may have forgotten: its late FENCED says nothing of the fence.
#[test]
fn what_a_peer_said_before_it_recovered_does_not_count() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let (kept_a, kept_b) = (copy(&world, &a), copy(&world, &b));
    restore(&mut world, &a, kept_a);
    let asks = intercept(&mut world, "recovery a to b");
    world.deliver(asks).unwrap().unwrap();
    let fenced = intercept(&mut world, "recovery b to a");
    restore(&mut world, &b, kept_b);
    let overlaps = intercept(&mut world, "recovery b to a");
    world.deliver(overlaps).unwrap().unwrap();
    assert!(progress(&world, &a, &b).recovering);
    world.deliver(fenced).unwrap().unwrap();
    assert!(!progress(&world, &a, &b).fenced, "B has forgotten the fence");
    rest(&mut world, 60);
    assert!(!world.state(&a).recovering() && !world.state(&b).recovering());
    world.check().unwrap();
}

/// R5. Both fences stand at both, and none is set twice.
#[test]
fn two_who_recover_fence_once_each() {
    for first in ["recovery a to b", "recovery b to a"] {
        let (mut world, [a, b]) = world(["a", "b"]);
        let (kept_a, kept_b) = (copy(&world, &a), copy(&world, &b));
        restore(&mut world, &a, kept_a);
        restore(&mut world, &b, kept_b);
        // One FENCE is late: the FENCED of its maker, of the new incarnation, is there before it.
        let number = intercept(&mut world, first);
        world.deliver(number).unwrap().unwrap();
        let is_fence =
            |n: &usize| matches!(&world.letters[*n].statement.body, Body::Recovery(Word::Fence { .. }));
        let (late, soon): (Vec<usize>, Vec<usize>) = world.pending.iter().copied().partition(is_fence);
        world.pending = soon;
        world.deliver_all().unwrap();
        world.pending.splice(0..0, late);
        rest(&mut world, 60);
        for who in [&a, &b] {
            assert_eq!(
                (world.state(who).recovering(), world.state(who).incarnation),
                (false, Incarnation(1)),
                "{who}"
            );
            assert_eq!(said(&world, who, who, |word| matches!(word, Word::Fence { .. })), 1);
        }
        world.check().unwrap();
    }
}

/// A STANDS about a fence that B has left behind says nothing of the one that it has now.
#[test]
fn it_stands_only_where_the_fence_is_that_was_heard() {
    let (mut world, a, b) = both_recover();
    let stands = |fence| made("b", 1, 900, Body::Recovery(Word::Stands { fence }));
    assert_eq!(tell(&mut world, &b, &a, stands(OTHER)), Ok(()));
    assert!(!progress(&world, &a, &b).stands);
    let own = world.state(&a).memory.recovery.unwrap().sid;
    assert_eq!(tell(&mut world, &b, &a, stands(own)), Ok(()));
    assert!(!progress(&world, &a, &b).stands, "nor one about A's");
    let heard = world.state(&a).memory.fences[&b].fence.unwrap();
    assert_eq!(tell(&mut world, &b, &a, stands(heard)), Ok(()));
    assert!(progress(&world, &a, &b).stands);
}

/// A RESUMED of a recovery that B began before the one it is in now ends nothing.
#[test]
fn it_has_resumed_only_from_the_fence_that_was_heard() {
    let (mut world, a, b) = both_recover();
    let resumed =
        |fence| made("b", 1, 900, Body::Recovery(Word::Resumed { fence, vouched: vec![OTHER], last: true }));
    assert_eq!(tell(&mut world, &b, &a, resumed(OTHER)), Ok(()));
    let known = &world.state(&a).memory.fences[&b];
    assert!(known.recovering && known.vouched.is_empty() && !progress(&world, &a, &b).stands);
    let heard = known.fence.unwrap();
    assert_eq!(tell(&mut world, &b, &a, resumed(heard)), Ok(()));
    let known = &world.state(&a).memory.fences[&b];
    assert!(!known.recovering && known.vouched.contains(&OTHER) && progress(&world, &a, &b).stands);
    // The same again is no news, and takes no room.
    let before = world.at(&a).ledger.len();
    assert_eq!(tell(&mut world, &b, &a, resumed(heard)), Ok(()));
    assert_eq!(world.at(&a).ledger.len(), before);
}

/// Where a fence is known and not who set it, a RESUMED counts by its incarnation, whatever it vouches for.
#[test]
fn an_end_of_a_recovery_is_news_without_anything_to_vouch_for() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let resumed = |incarnation, fence, index| {
        made("b", incarnation, index, Body::Recovery(Word::Resumed { fence, vouched: vec![], last: true }))
    };
    assert_eq!(tell(&mut world, &b, &a, resumed(1, OTHER, 900)), Ok(()));
    assert_eq!(tell(&mut world, &b, &a, resumed(3, OTHER, 910)), Ok(()));
    assert_eq!(world.state(&a).memory.fences[&b].min, Incarnation(3), "its FENCE was heard by an older copy");
    assert_eq!(tell(&mut world, &b, &a, made("b", 5, 920, fence(5))), Ok(()));
    let known = &world.state(&a).memory.fences[&b];
    let (begun, own) = (known.recovering, known.fence.unwrap());
    assert_eq!(tell(&mut world, &b, &a, resumed(5, own, 921)), Ok(()));
    assert!(begun && !world.state(&a).memory.fences[&b].recovering, "it recovers no more");
}

/// R3. Who knows a higher incarnation of A says which, and A begins above it.
#[test]
fn the_new_incarnation_is_above_what_any_peer_holds() {
    let (mut world, [a, b, c]) = world(["a", "b", "c"]);
    let kept = copy(&world, &a);
    restore(&mut world, &a, kept);
    let own = world.state(&a).memory.recovery.unwrap().sid;
    let fenced = |fence, taken, held| {
        let (held, recovering) = (Incarnation(held), false);
        made("b", 0, 900, Body::Recovery(Word::Fenced { fence, taken, held, recovering }))
    };
    assert_eq!(tell(&mut world, &b, &a, fenced(OTHER, true, 0)), Ok(()));
    assert!(!progress(&world, &a, &b).fenced, "that is the answer to another FENCE");
    assert_eq!(tell(&mut world, &b, &a, fenced(OTHER, false, 9)), Ok(()));
    assert_eq!(world.state(&a).incarnation, Incarnation(1));
    assert_eq!(tell(&mut world, &b, &a, fenced(own, false, 6)), Ok(()));
    assert_eq!(world.state(&a).incarnation, Incarnation(7));
    assert!(!progress(&world, &a, &b).fenced && !progress(&world, &a, &c).fenced);
    rest(&mut world, 60);
    assert!(!world.state(&a).recovering());
    assert_eq!(world.state(&c).memory.highest(&a), Incarnation(7));
}

/// A content may come back later than the statements, from somebody else: it is kept beside the intake, once.
#[test]
fn a_content_that_comes_later_is_kept_once() {
    let (mut world, [a, b]) = world(["a", "b"]);
    let kept = copy(&world, &a);
    let track = submit(&mut world, &a);
    hand(&mut world, track, &a, &b);
    let known = world.state(&b).track(&track).unwrap().clone();
    let spine: Vec<_> = known.entries.iter().map(|e| world.statement(&b, e.index).unwrap()).collect();
    let Some(Record::Statement(with)) = known.content.map(|i| &world.at(&b).ledger[i.0 as usize]) else {
        panic!("B has the content")
    };
    let content = with.content.clone();
    restore(&mut world, &a, kept);
    world.pending.clear();
    let asks = Given { nonce: [0; 16], round: 1, number: 1, of: 1, more: false, track: Some(track) };
    let mut index = 900;
    let mut give = |world: &mut World, content| {
        index += 1;
        let word = made("b", 0, index, Body::Recovery(Word::Given(asks)));
        let mut letter = world.letters[0].clone();
        (letter.from, letter.to, letter.statement) = (id("b"), id("a"), word);
        (letter.certificate, letter.content) = (spine.clone(), content);
        world.letters.push(letter);
        assert_eq!(world.deliver(world.letters.len() - 1).unwrap(), Ok(()));
        world.at(&id("a")).ledger.len()
    };
    give(&mut world, None);
    let here = world.state(&a).track(&track).unwrap();
    assert_eq!((here.phase, here.content), (Phase::Gone, None));
    let after = give(&mut world, content.clone());
    let at = world.state(&a).track(&track).unwrap().content.expect("it is here");
    let Record::Statement(kept) = &world.at(&a).ledger[at.0 as usize] else { panic!("a statement") };
    assert_eq!((kept.statement.sid(), &kept.content), (track, &content));
    assert_eq!(give(&mut world, content), after, "a second time it is not");
}
