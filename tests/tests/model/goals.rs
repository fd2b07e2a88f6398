//! What a search must have come by, or it shows nothing (L2).

use super::disk::Disk;
use super::rules::Rules;
use super::words::{Kind, Message};
use super::world::{Action, World};
use stateright::{Checker, HasDiscoveries, Model, Property};

/// Something that must happen somewhere.
type Goal = (&'static str, fn(&Asked, &World) -> bool);

/// With a wipe and one restore.
pub(crate) const ONE_RESTORE: [Goal; 5] = [
    ("the second hop is accepted", |_, w| any(w, |d| made(d, Kind::Accept, 2))),
    ("a recall is won", |_, w| any(w, |d| recalled(d, Kind::Refuse))),
    ("a recall is lost", |_, w| any(w, |d| recalled(d, Kind::Accept))),
    ("a decision arrives after the wipe", |_, w| w.wipes == 0 && acknowledged(w)),
    ("a recovered node hands on", |_, w| any(w, handed_on_by_a_recovered)),
];

/// With two restores.
pub(crate) const TWO_RESTORES: [Goal; 3] = [
    ("two recover at once", |_, w| w.nodes.iter().filter(|n| n.recovery.is_some()).count() == 2),
    ("two have recovered", |_, w| w.live().filter(|d| d.inc > 0).count() == 2),
    ("one has recovered twice", |_, w| any(w, |d| d.inc == 2)),
];

/// Searches until every goal was reached.
pub(crate) fn reached(rules: Rules, goals: &'static [Goal]) {
    let names = HasDiscoveries::AllOf(goals.iter().map(|goal| goal.0).collect());
    let checker = Asked { rules, goals }.checker().finish_when(names).spawn_bfs().join();
    for (name, _) in goals {
        assert!(checker.discovery(name).is_some(), "never: {name}");
    }
}

/// The rules, asked for goals.
pub(crate) struct Asked {
    rules: Rules,
    goals: &'static [Goal],
}

impl Model for Asked {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        self.rules.init_states()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.rules.actions(world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        self.rules.next_state(world, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.goals.iter().map(|(name, reached)| Property::sometimes(name, *reached)).collect()
    }
}

fn any(world: &World, holds: fn(&Disk) -> bool) -> bool {
    world.live().any(holds)
}

fn made(disk: &Disk, kind: Kind, hop: u8) -> bool {
    disk.log.iter().any(|r| r.statement.kind == kind && r.statement.tid.hop == hop)
}

fn recalled(disk: &Disk, outcome: Kind) -> bool {
    let mut cancels = disk.log.iter().filter(|r| r.statement.kind == Kind::Cancel);
    cancels.any(|r| disk.made(outcome, r.statement.tid))
}

fn acknowledged(world: &World) -> bool {
    world.net.iter().any(|l| matches!(l.message, Message::Ack(_)))
}

fn handed_on_by_a_recovered(disk: &Disk) -> bool {
    disk.log.iter().any(|r| r.statement.kind == Kind::Accept && r.statement.tid.place.inc > 0)
}
