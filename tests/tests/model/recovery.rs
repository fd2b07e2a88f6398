//! A node restored from an old copy: fences, what peers give back, and when it may resume (R1 to R7).

use super::disk::{Disk, offer_of};
use super::rules::{Rule, Rules};
use super::words::{Id, Kind, NODES, Statement};
use super::world::{Node, Recovery};
use std::collections::BTreeSet;

/// Puts an earlier disk back. The new incarnation is asked of every peer (R3).
pub(crate) fn restore(nodes: &mut [Node], n: Id, old: Disk, rules: &Rules) {
    let held = nodes.iter().filter(|p| p.disk.me != n).map(|p| p.disk.fences[n as usize]).max().unwrap_or(0);
    let highest = if rules.holds(Rule::IncarnationFromPeers) { held.max(old.inc) } else { old.inc };
    let node = &mut nodes[n as usize];
    node.disk = old;
    node.recovery = rules.holds(Rule::Recovery).then_some(Recovery { inc: highest + 1, fenced: 0 });
}

/// Peer `at` durably refuses everything of `n` below its new incarnation (R2). A recovering peer does it too.
pub(crate) fn fence(nodes: &mut [Node], n: Id, at: Id, rules: &Rules) {
    let Some(recovery) = &mut nodes[n as usize].recovery else { return };
    recovery.fenced |= 1 << at;
    let inc = recovery.inc;
    let peer = &mut nodes[at as usize].disk;
    peer.fences[n as usize] = peer.fences[n as usize].max(inc);
    if rules.holds(Rule::ReceiptsForgotten) {
        peer.receipts.retain(|tid| tid.to != n);
    }
}

/// Whether `n` may resume.
pub(crate) fn may_finish(nodes: &[Node], n: Id, rules: &Rules) -> bool {
    let Some(recovery) = &nodes[n as usize].recovery else { return false };
    let enough = if !rules.holds(Rule::Fence) {
        true
    } else if !rules.holds(Rule::FenceAtEveryPeer) {
        recovery.fenced != 0
    } else {
        everywhere(n, recovery)
    };
    let others = || nodes.iter().filter_map(|p| p.recovery.as_ref().map(|r| (p.disk.me, r)));
    enough && (!rules.holds(Rule::WaitForOverlapping) || others().all(|(p, r)| p == n || everywhere(p, r)))
}

fn everywhere(n: Id, recovery: &Recovery) -> bool {
    (0..NODES).all(|p| p == n || recovery.fenced & 1 << p != 0)
}

/// Resumes: own statements and certificates that peers hold are read after all fences stand, so that what is read in
/// one step here may be read peer by peer in the world: nothing can be added to the union of what peers hold.
pub(crate) fn finish(nodes: &mut [Node], n: Id, rules: &Rules) {
    let Some(recovery) = nodes[n as usize].recovery.take() else { return };
    let mut disk = nodes[n as usize].disk.clone();
    let peers = || nodes.iter().filter(|p| p.disk.me != n);
    disk.inc = recovery.inc;
    if rules.holds(Rule::FencesOfOthers) {
        for peer in peers() {
            learn_fences(&mut disk, peer);
        }
    }
    let held = given_back(peers(), n, rules);
    // R7: own statements first, by place (`Statement` orders by it), also an OFFER that a peer has only as half of a
    // pair: behind the outcome it is found with, it would undo what came after it.
    let paired = |s: &Statement| s.kind == Kind::Offer && held.iter().any(|d| d.decides() && d.tid == s.tid);
    let in_order = |s: &Statement| rules.holds(Rule::PairsInOwnOrder) || !paired(s);
    let (own, others): (Vec<_>, Vec<_>) = held.iter().partition(|s| s.maker() == n && in_order(s));
    for s in own.into_iter().chain(others) {
        if !disk.has(s) {
            disk.append(*s, false);
        }
    }
    disk.receipts.clear(); // what was receipted may be gone at a peer that was restored since
    disk.acks.clear();
    nodes[n as usize].disk = disk;
}

/// What peers return: all statements of `n`, and the decided transfers they know, each as a pair.
fn given_back<'a>(peers: impl Iterator<Item = &'a Node>, n: Id, rules: &Rules) -> BTreeSet<Statement> {
    let known: Vec<Statement> = peers.flat_map(|p| p.disk.log.iter().map(|r| r.statement)).collect();
    let mut held: BTreeSet<Statement> = known.iter().filter(|s| s.maker() == n).copied().collect();
    if !rules.holds(Rule::Certificate) || !rules.holds(Rule::DecisionsGivenBackInPairs) {
        return held;
    }
    let whole = rules.holds(Rule::CertificatesGivenBack);
    let shown = |s: &&Statement| s.kind == Kind::Accept || rules.holds(Rule::RefusalsInCertificate);
    for s in known.iter().filter(|s| s.decides()).filter(shown) {
        if whole || s.tid.from == n {
            held.insert(offer_of(s.tid));
        }
        if whole {
            held.insert(*s);
        }
    }
    held
}

/// R4: a peer tells whom it has fenced, and its own incarnation, also one it has only chosen yet.
fn learn_fences(disk: &mut Disk, peer: &Node) {
    let own = peer.recovery.as_ref().map_or(peer.disk.inc, |r| r.inc);
    for p in 0..NODES {
        let told = if p == peer.disk.me { own } else { peer.disk.fences[p as usize] };
        if p != disk.me {
            let fence = &mut disk.fences[p as usize];
            *fence = told.max(*fence);
        }
    }
}
