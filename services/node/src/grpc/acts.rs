//! Acts of the authority: brought by an operator, and shown with who has not heard of them.

use super::node_service::Ops;
use super::parse::Parsed;
use super::refusal::Refusal;
use crate::engine::Hosts;
use lienthong_core::authority::Act;
use lienthong_core::authority::collecting::{Collecting, Remains};
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::{AgencyId, Sid};
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_core::statement::Body;
use lienthong_proto::v1;
use lienthong_wire::act::from_file;
use lienthong_wire::directory::DirectoryFile;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Codes of dossiers in one answer: people look at each of them, and there are hardly ever any.
const CODES_SHOWN: usize = 20;

/// Verifies an act and brings it to every agency of this node.
pub(super) async fn apply(ops: &Ops, r: v1::ApplyActRequest) -> Parsed<v1::ApplyActResponse> {
    let wrong = |reason| Refusal::field(reason, "act");
    if r.act.is_empty() {
        return Err(wrong(Reason::FieldMissing));
    }
    let signed = from_file(&r.act).map_err(wrong)?;
    let verifier = ops.verifier.clone();
    let verified = tokio::task::spawn_blocking(move || verifier.verify_statement(signed)).await;
    let act = verified.map_err(|_| Reason::ShuttingDown)?.map_err(wrong)?;
    let Body::Retire(retire) = &act.body else { return Err(wrong(Reason::UnknownStatementType)) };
    for named in [Some(&retire.agency), retire.successor.as_ref()].into_iter().flatten() {
        ops.desk.known(named.clone(), "act")?;
    }
    let hosted = ops.desk.look_at_hosts(|hosts| hosts.keys().cloned().collect::<Vec<_>>()).await?;
    let mut applied = Vec::new();
    for agency in hosted {
        let done = ops.desk.handle.input(agency.clone(), Input::Act(act.clone())).await?;
        applied.push(v1::AppliedAct {
            agency: agency.to_string(),
            ledger_index: done.index.0,
            known_before: done.repeated,
        });
    }
    let shown = retired(ops).await?.into_iter().find(|shown| shown.agency == retire.agency.as_str());
    Ok(v1::ApplyActResponse { retired: shown, applied })
}

/// Every retired agency that this node knows of.
pub(super) async fn retired(ops: &Ops) -> Parsed<Vec<v1::RetiredAgency>> {
    let directory: Arc<DirectoryFile> = ops.desk.directory.clone();
    ops.desk.look_at_hosts(move |hosts| of(hosts, &directory)).await
}

fn of(hosts: &Hosts, directory: &DirectoryFile) -> Vec<v1::RetiredAgency> {
    let mut retired: BTreeMap<AgencyId, v1::RetiredAgency> = BTreeMap::new();
    for (host, node) in hosts {
        let acts = &node.node.state().memory.acts;
        for (sid, act) in acts.retired() {
            let shown = retired.entry(act.agency.clone()).or_insert_with(|| shape(sid, act, directory));
            let peers = directory.agencies.iter().map(|entry| &entry.id);
            let unheard = peers.filter(|p| *p != host && !acts.retires(p) && !act.known_by.contains(p));
            shown.unheard.extend(unheard.map(ToString::to_string));
            if act.successor.as_ref() == Some(host) {
                let collecting = node.node.collecting();
                shown.unanswered = collecting.waits_for().map(ToString::to_string).collect();
                left(shown, node.node.state(), collecting, &BTreeSet::from([act.agency.clone()]));
            }
        }
    }
    let mut retired: Vec<_> = retired.into_values().collect();
    for shown in &mut retired {
        shown.unheard.sort_unstable();
        shown.unheard.dedup();
    }
    retired
}

/// What is left of what a retired agency held, and why.
fn left(shown: &mut v1::RetiredAgency, state: &State, collecting: &Collecting, estate: &BTreeSet<AgencyId>) {
    let mut undecided_at = BTreeSet::new();
    shown.left = 0;
    for (id, track) in state.held_by(estate) {
        shown.left += 1;
        if matches!(track.phase, Phase::Inbox(_)) {
            undecided_at.insert(state.me.to_string());
            continue;
        }
        match collecting.remains(state, &id, track) {
            Some(Remains::Undecided(inboxes)) => undecided_at.extend(inboxes.iter().map(ToString::to_string)),
            Some(Remains::PastLost) if shown.past_lost.len() < CODES_SHOWN => {
                shown.past_lost.push(track.code.to_string());
            }
            Some(Remains::PastLost) | None => {}
        }
    }
    shown.undecided_at = undecided_at.into_iter().collect();
}

fn shape(sid: &Sid, act: &Act, directory: &DirectoryFile) -> v1::RetiredAgency {
    v1::RetiredAgency {
        agency: act.agency.to_string(),
        name: directory.agency(&act.agency).map_or_else(String::new, |entry| entry.name.clone()),
        successor: act.successor.as_ref().map_or_else(String::new, ToString::to_string),
        made_at_ms: act.made_at.0,
        statement_id: sid.to_string(),
        unheard: Vec::new(),
        unanswered: Vec::new(),
        left: 0,
        past_lost: Vec::new(),
        undecided_at: Vec::new(),
    }
}
