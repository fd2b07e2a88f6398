//! Codes that were issued and lost with an old copy are never issued again, wherever in a recovery the copy was made.

mod world;

use lienthong_core::custody::command::Command;
use lienthong_core::ids::{Digest, Instant, WallMs};
use lienthong_core::node::{Answer, Input, Node, Now};
use lienthong_core::record::{CommandRef, Record};
use lienthong_core::recovery::CODE_GAP;
use lienthong_core::statement::Officer;
use world::codec::Plain;
use world::people::dossier;
use world::{TIMING, directory, id};

const NOW: Now = Now { mono: Instant(0), wall: WallMs(1_795_000_000_000) };

/// Takes a dossier in; gives the number at the end of its code.
fn issued(node: &mut Node<Plain>, key: &str) -> u32 {
    let call = CommandRef { key: key.into(), digest: Digest::ZERO };
    let officer = Officer { id: "cb01".into(), name: "Nguyễn Văn Thử".into() };
    let command = Command { call, officer, trace: None, act: dossier(Some("hồ sơ"), None) };
    let Ok(Answer::Done { track, .. }) = node.step(NOW, Input::Command(command)) else { panic!("refused") };
    let code = node.state().track(&track).unwrap().code.to_string();
    code.rsplit('-').next().unwrap().parse().unwrap()
}

/// What the disk holds of a node, taken as a copy.
fn copied(node: &mut Node<Plain>) -> Vec<Record> {
    node.batch(NOW).map_or_else(Vec::new, |batch| batch.records)
}

fn put_back(records: &[Record]) -> Node<Plain> {
    let peers = directory(&["a", "b"], 1, |_, _| true);
    let mut state = lienthong_core::custody::state::State::new(id("a"));
    records.iter().for_each(|record| state.apply(record));
    let durable = state.durable;
    let mut node = Node::recover(state, [], durable, (Plain, peers, TIMING), NOW);
    node.step(NOW, Input::Recover).unwrap();
    node
}

#[test]
fn each_fence_of_a_day_jumps_past_what_may_have_been_issued() {
    let peers = directory(&["a", "b"], 1, |_, _| true);
    let mut node = Node::open(id("a"), Plain, peers, TIMING, NOW);
    assert_eq!((issued(&mut node, "1"), issued(&mut node, "2")), (1, 2));
    let mut disk = copied(&mut node);
    let lost = issued(&mut node, "3");

    let mut node = put_back(&disk);
    let first = issued(&mut node, "4");
    assert!(first > lost && first > CODE_GAP, "{first} after {lost}");
    // A copy from the middle of this recovery, which takes in more and is lost too.
    disk.extend(copied(&mut node));
    let lost = issued(&mut node, "5");
    let mut node = put_back(&disk);
    let second = issued(&mut node, "6");
    assert!(second > lost && second > first + CODE_GAP, "{second} after {lost}");
}
