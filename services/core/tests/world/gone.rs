//! Agencies that are gone for good, acts of the authority, and copies of disks.

use super::people::{dossier, offer};
use super::{World, id};
use lienthong_core::custody::command::Act;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Head, TrackId};
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::record::Record;
use lienthong_core::statement::{Kind, Statement};
use std::sync::Arc;

/// Takes a dossier in.
pub fn submit(world: &mut World, who: &AgencyId) -> TrackId {
    let Ok(Answer::Done { track, .. }) = world.ask(who, dossier(Some("hồ sơ"), None)).unwrap() else {
        panic!("not taken in")
    };
    track
}

/// Offers a track; the offer arrives.
pub fn give(world: &mut World, track: TrackId, from: &AgencyId, to: &AgencyId) {
    world.ask(from, offer(track, to.clone())).unwrap().unwrap();
    world.deliver_all().unwrap();
}

/// The receiver of the newest offer signs for it; nothing is delivered.
pub fn sign(world: &mut World, track: TrackId, who: &AgencyId) {
    let tid = world.transfer_to(track, who).unwrap();
    world.ask(who, Act::Accept { tid, note: String::new() }).unwrap().unwrap();
}

/// Hands a track on, and lets the receiver sign for it.
pub fn hand(world: &mut World, track: TrackId, from: &AgencyId, to: &AgencyId) {
    give(world, track, from, to);
    sign(world, track, to);
    world.deliver_all().unwrap();
}

/// An operator brings the act about an agency to a node.
pub fn retire(world: &mut World, gone: &AgencyId, at: &AgencyId) {
    let act = world.act(gone, None, 1);
    world.step(at, Input::Act(act)).unwrap().unwrap();
}

/// Takes the oldest letter of this label off the network.
pub fn intercept(world: &mut World, label: &str) -> usize {
    let way: Vec<String> = world.pending.iter().map(|n| world.label(*n)).collect();
    let found = way.iter().position(|l| l == label).unwrap_or_else(|| panic!("no {label} among {way:?}"));
    world.pending.remove(found)
}

/// What a copy of an agency's disk has.
pub fn copy(world: &World, who: &AgencyId) -> (Vec<Record>, Head) {
    (world.at(who).ledger.clone(), world.at(who).head)
}

/// Puts the copy back; the node recovers.
pub fn restore(world: &mut World, who: &AgencyId, (ledger, head): (Vec<Record>, Head)) {
    let place = world.at_mut(who);
    (place.ledger, place.head, place.node) = (ledger, head, None);
    world.start(who).unwrap();
    world.step(who, Input::Recover).unwrap().unwrap();
}

/// Time goes by without anybody who acts; what is late of a retired agency is refused, and nothing else.
pub fn rest(world: &mut World, seconds: u64) {
    for _ in 0..seconds {
        world.pass(1_000).unwrap();
        while let Some(number) = world.pending.first().copied() {
            let label = world.label(number);
            match world.deliver(number).unwrap() {
                Ok(()) | Err(Reason::MakerRetired) => {}
                Err(reason) => panic!("{label}: {reason:?}"),
            }
        }
    }
}

/// Where a track stands at an agency.
pub fn phase(world: &World, who: &AgencyId, track: TrackId) -> Option<Phase> {
    world.state(who).track(&track).map(|t| t.phase)
}

/// A world with these agencies, and their ids.
pub fn world<const N: usize>(names: [&str; N]) -> (World, [AgencyId; N]) {
    (World::new(&names), names.map(id))
}

/// An operator brings the act about an agency that names its successor to a node.
pub fn merge(world: &mut World, gone: &AgencyId, successor: &AgencyId, at: &AgencyId) {
    let act = world.act(gone, Some(successor.clone()), 1);
    world.step(at, Input::Act(act)).unwrap().unwrap();
}

/// How many statements of a kind an agency has on its disk.
pub fn kept(world: &World, who: &AgencyId, kind: Kind) -> usize {
    let statements = world.at(who).ledger.iter().filter_map(|record| match record {
        Record::Statement(record) => Some(record.statement.body.kind()),
        _ => None,
    });
    statements.filter(|k| *k == kind).count()
}

/// What an agency's ledger proves of a track: the statements of its certificate.
pub fn spine(world: &World, who: &AgencyId, track: TrackId) -> Vec<Arc<Statement>> {
    let known = world.state(who).track(&track).unwrap();
    let places = world.state(who).certificate_to(known, &known.standing().tip).unwrap();
    places.iter().map(|i| world.statement(who, *i).unwrap()).collect()
}
