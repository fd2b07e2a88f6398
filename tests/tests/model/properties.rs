//! What must hold in every state.

use super::disk::Phase;
use super::rules::Rules;
use super::words::{Kind, Message, Statement};
use super::world::{Action, World};
use stateright::{Model, Property};

/// I1.
pub(crate) const ONE_ACTS: &str = "I1 at most one acting";
/// I2.
pub(crate) const NOT_ORPHANED: &str = "I2 never orphaned";
/// I4.
pub(crate) const DECIDED_ONCE: &str = "I4 decided once";
/// L1, from where NATS has just lost everything.
pub(crate) const HEALS: &str = "L1 heals";

/// What recovery is for.
pub(crate) const REMEMBERS: &str = "R2 nothing signed is forgotten";

/// Steps within which a world without faults is quiet: each node has a handful of rows, each answered once.
const ROUNDS: usize = 40;

/// All of them.
pub(crate) fn all() -> Vec<Property<Rules>> {
    vec![
        Property::always(ONE_ACTS, one_acts),
        Property::always(NOT_ORPHANED, not_orphaned),
        Property::always(DECIDED_ONCE, decided_once),
        Property::always(HEALS, heals),
        Property::always(REMEMBERS, remembers),
    ]
}

fn one_acts(rules: &Rules, world: &World) -> bool {
    world.live().filter(|disk| disk.phase(rules) == Phase::Held).count() <= 1
}

fn not_orphaned(rules: &Rules, world: &World) -> bool {
    world.nodes.iter().any(|node| {
        node.recovery.is_some()
            || match node.disk.phase(rules) {
                Phase::Held => true,
                Phase::Offered(tid) => {
                    let decision = world.nodes[tid.to as usize].disk.decision(tid);
                    decision.is_none_or(|s| s.kind != Kind::Accept)
                }
                Phase::None | Phase::Inbox(_) | Phase::Gone | Phase::Out => false,
            }
    })
}

/// No ACCEPT and REFUSE of one transfer in the ledgers of nodes that take part, or under way above every fence.
fn decided_once(_: &Rules, world: &World) -> bool {
    let fence = |n: u8| world.nodes.iter().map(|node| node.disk.fences[n as usize]).max();
    let sent = world.net.iter().filter(|l| Some(l.inc) >= fence(l.from)).filter_map(|l| match &l.message {
        Message::Decision(s) => Some(*s),
        Message::Ask(..) | Message::Received(_) | Message::Ack(_) => None,
    });
    let kept = world.live().flat_map(|disk| disk.log.iter().map(|r| r.statement)).filter(Statement::decides);
    let mut seen: Vec<Statement> = Vec::with_capacity(8);
    for s in sent.chain(kept) {
        if seen.iter().any(|other| other.tid == s.tid && other.kind != s.kind) {
            return false;
        }
        if !seen.contains(&s) {
            seen.push(s);
        }
    }
    true
}

/// What a node that takes part has signed and another one that takes part has kept, it knows itself. Not one of the
/// numbered invariants: it is what recovery is for, and it fails where a rule of it is missing, before custody does.
fn remembers(_: &Rules, world: &World) -> bool {
    world.live().all(|disk| {
        let mine = |s: &Statement| s.maker() == disk.me;
        world.live().all(|peer| peer.log.iter().map(|r| r.statement).filter(mine).all(|s| disk.has(&s)))
    })
}

/// Where NATS has just lost everything: faults stop, recoveries end, rows are sent until nothing changes; then nobody
/// recovers, no row waits, no offer is out that its receiver does not have before it, and the custodian can hand on.
fn heals(rules: &Rules, world: &World) -> bool {
    if !world.net.is_empty() || world.wipes == rules.wipes {
        return true;
    }
    settled(rules, world).is_some_and(|world| healed(rules, &world))
}

/// Where a world without faults and without people comes to rest.
pub(crate) fn settled(rules: &Rules, world: &World) -> Option<World> {
    let mut world = world.clone();
    (0..ROUNDS).any(|_| !round(rules, &mut world)).then_some(world)
}

/// Everything that goes by itself, once. Says whether anything changed.
fn round(rules: &Rules, world: &mut World) -> bool {
    let before = world.clone();
    let mut actions = Vec::new();
    world.recoveries(rules, &mut actions);
    actions.extend(
        (0..).zip(&world.nodes).filter(|(_, n)| n.recovery.is_none()).map(|(n, _)| Action::Resend(n)),
    );
    actions.iter().for_each(|action| step(rules, world, action));
    for letter in world.net.clone() {
        if world.nodes[letter.to as usize].recovery.is_none() {
            step(rules, world, &Action::Deliver(letter));
        }
    }
    *world != before
}

fn step(rules: &Rules, world: &mut World, action: &Action) {
    if let Some(next) = rules.next_state(world, action.clone()) {
        *world = next;
    }
}

fn healed(rules: &Rules, world: &World) -> bool {
    world.nodes.iter().all(|node| {
        let seen = match node.disk.phase(rules) {
            Phase::Offered(tid) => world.nodes[tid.to as usize].disk.phase(rules) == Phase::Inbox(tid),
            Phase::Held => node.disk.proven(rules),
            Phase::None | Phase::Inbox(_) | Phase::Gone | Phase::Out => true,
        };
        node.recovery.is_none() && seen && node.disk.rows(rules).is_empty()
    })
}
