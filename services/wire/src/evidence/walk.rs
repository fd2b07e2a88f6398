//! From a heap of statements of one track to the custody it proves.

use lienthong_core::custody::spine::{Break, Walk};
use lienthong_core::ids::{AgencyId, Sid};
use lienthong_core::statement::{Body, RefusalCause, Statement};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::verdict::{HandOver, Outcome};

/// Why the statements prove no custody; the number is the place in the list that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// No intake of the track.
    NoIntake,
    /// This statement names a predecessor that another names too.
    Fork(usize, Sid),
    /// This statement may not follow.
    Step(usize, Break),
}

/// The spine of a track.
#[derive(Clone, Debug)]
pub struct Spine {
    /// Where the walk ended.
    pub end: Walk,
    /// Each step's place in the list that was given, and the custodian after it.
    pub steps: Vec<(usize, AgencyId)>,
    /// Each offer and what became of it.
    pub custodians: Vec<HandOver>,
    /// Places of spine statements that hang loose: their predecessor is not in the list, or their maker had no right to
    /// follow it. Nothing follows from them.
    pub unlinked: Vec<usize>,
}

/// Walks the spine from the intake on. The order of the list does not matter; what lies beside the spine is passed over.
///
/// # Errors
/// The first thing that is wrong along the spine; a fork anywhere, also among what hangs loose.
pub fn walk(statements: &[Arc<Statement>]) -> Result<Spine, Broken> {
    let mut next: BTreeMap<(Sid, AgencyId), usize> = BTreeMap::new();
    for (place, statement) in statements.iter().enumerate() {
        // Two of one maker are a fork; one of somebody else is only somebody's claim.
        if let Some(prev) = statement.body.prev()
            && next.insert((prev, statement.claim.agency.clone()), place).is_some()
        {
            return Err(Broken::Fork(place, prev));
        }
    }
    let intake = statements.iter().position(|s| matches!(s.body, Body::Intake(_)));
    let first = intake.ok_or(Broken::NoIntake)?;
    let mut end = Walk::begin(&statements[first]).map_err(|cause| Broken::Step(first, cause))?;
    for (place, act) in statements.iter().enumerate().filter(|(_, s)| matches!(s.body, Body::Retire(_))) {
        end.step(act).map_err(|cause| Broken::Step(place, cause))?;
    }
    let mut steps = vec![(first, end.holder.clone())];
    let mut custodians = Vec::new();
    loop {
        // An offer to a retired agency is decided by it or reclaimed by its giver; both would be a contradiction.
        let decided = next.remove(&(end.last, end.next_maker().clone()));
        let reclaimed = end.open.as_ref().and_then(|_| next.remove(&(end.last, end.holder.clone())));
        let follow = decided.into_iter().chain(reclaimed).chain(succeeding(statements, &end, &mut next));
        let follow: Vec<usize> = follow.collect();
        let place = match follow.as_slice() {
            [] => break,
            [place] => *place,
            [_, place, ..] => return Err(Broken::Fork(*place, end.last)),
        };
        let statement = &statements[place];
        let giver = end.holder.clone();
        end.step(statement).map_err(|cause| Broken::Step(place, cause))?;
        note_hand_over(&mut custodians, giver, &statement.body);
        steps.push((place, end.holder.clone()));
    }
    let mut unlinked: Vec<usize> = next.into_values().collect();
    unlinked.sort_unstable();
    let second = statements.iter().skip(first + 1).position(|s| matches!(s.body, Body::Intake(_)));
    if let Some(offset) = second {
        return Err(Broken::Step(first + 1 + offset, Break::Intake));
    }
    Ok(Spine { end, steps, custodians, unlinked })
}

/// Statements by which a successor of the custodian follows here. Anybody else's is only a claim.
fn succeeding(
    statements: &[Arc<Statement>],
    end: &Walk,
    next: &mut BTreeMap<(Sid, AgencyId), usize>,
) -> Vec<usize> {
    let named = statements.iter().filter(|s| s.body.prev() == Some(end.last) && end.names_successor(s));
    named.filter_map(|s| next.remove(&(end.last, s.claim.agency.clone()))).collect()
}

fn note_hand_over(custodians: &mut Vec<HandOver>, giver: AgencyId, body: &Body) {
    let outcome = match body {
        Body::Offer(offer) => {
            let (hop, to) = (offer.hop, offer.to.clone());
            custodians.push(HandOver { hop, from: giver, to, outcome: Outcome::Undecided });
            return;
        }
        Body::Accept(_) => Outcome::Accepted,
        Body::Refuse(refuse) => Outcome::Refused(refuse.cause),
        Body::Reclaim(_) => Outcome::Refused(RefusalCause::Reclaimed),
        // In the place of a decision, or behind something else.
        Body::Succeed(_) if custodians.last().is_some_and(|last| last.outcome == Outcome::Undecided) => {
            Outcome::Refused(RefusalCause::Succeeded)
        }
        Body::Succeed(_)
        | Body::Intake(_)
        | Body::Note(_)
        | Body::Received(_)
        | Body::Cancel(_)
        | Body::Ack(_)
        | Body::Completed(_)
        | Body::Returned(_)
        | Body::Checkpoint { .. }
        | Body::Recovery(_)
        | Body::Retire(_) => return,
    };
    if let Some(last) = custodians.last_mut() {
        last.outcome = outcome;
    }
}
