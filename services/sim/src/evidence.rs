//! Evidence of every party of sampled dossiers, made from its ledger alone and judged by the offline verifier.

use crate::place::Place;
use crate::random::{Concern, Stream};
use crate::truth::Handed;
use crate::violation::{Sound, Violation, holds, some};
use crate::workload::command;
use crate::world::World;
use lienthong_core::custody::command::Act;
use lienthong_core::ids::{AgencyId, Digest, Head, LedgerIndex, TrackId};
use lienthong_core::node::Answer;
use lienthong_core::statement::RefusalCause;
use lienthong_wire::chain::payload_hash;
use lienthong_wire::evidence::{EvidenceBuilder, Outcome, Verdict, verify};
use std::collections::{BTreeMap, BTreeSet};

/// Dossiers of a run whose evidence is made and judged.
const SAMPLED: usize = 5;

impl World {
    /// I10, I11, I14: from either ledger alone an auditor reads the same custodians.
    pub(crate) fn evidence(&mut self) -> Sound {
        let mut stream = Stream::new(self.seed, Concern::Check, 1);
        let mut ids: Vec<TrackId> = self.truth.dossiers.keys().copied().collect();
        while ids.len() > SAMPLED {
            ids.swap_remove(stream.below(ids.len() as u64) as usize);
        }
        let checkpoints = self.checkpoints()?;
        ids.iter().try_for_each(|track| self.judge(track, &checkpoints))
    }

    /// Each agency attests the head of its ledger: the last link of all its evidence.
    fn checkpoints(&mut self) -> Sound<Vec<LedgerIndex>> {
        let mut places = Vec::new();
        for n in 0..self.places.len() {
            if self.places[n].gone {
                places.push(LedgerIndex(0));
                continue;
            }
            let place = &mut self.places[n];
            let now = place.now(self.now);
            let asked = command("attest", n, Act::Attest { purpose: "trail export".into() });
            let node = some(place.node.as_mut(), "L1", || "a node is not up")?;
            let answer = node.step(now, lienthong_core::node::Input::Command(asked));
            let Ok(Answer::Done { index, .. }) = answer else {
                return Err(Violation { invariant: "I14", what: format!("no checkpoint: {answer:?}") });
            };
            places.push(index);
            self.settle(n)?;
        }
        self.quiet()?;
        Ok(places)
    }

    fn judge(&mut self, track: &TrackId, checkpoints: &[LedgerIndex]) -> Sound {
        let hops: Vec<Handed> = self.truth.offers.values().filter(|h| h.track == *track).cloned().collect();
        let custody = some(self.truth.dossiers.get(track), "I2", || "a dossier is gone")?.clone();
        let mut parties: BTreeSet<AgencyId> = hops.iter().map(|h| h.from.clone()).collect();
        parties.insert(custody.origin.clone());
        parties.insert(custody.custodian.clone());
        // An offer that its giver's successor followed came to nobody.
        let came = |h: &&Handed| h.decision.is_some_and(|(_, d)| d != Some(RefusalCause::Succeeded));
        parties.extend(hops.iter().filter(came).map(|h| h.to.clone()));
        parties.retain(|party| !self.is_gone(party));
        let mut verdicts: BTreeMap<AgencyId, Verdict> = BTreeMap::new();
        for party in &parties {
            let n = some(self.cast.number(party), "I17", || "a party is nobody")?;
            let bytes = export(&self.places[n], track, checkpoints[n])?;
            let verdict = verify(bytes.into(), Some(&self.cast.file)).map_err(|fault| Violation {
                invariant: "I14",
                what: format!("the evidence of {party} is refused: {fault}"),
            })?;
            let length = self.places[n].state().track(track).map_or(0, |t| t.standing().length);
            holds(verdict.steps.len() == length, "I14", || format!("the evidence of {party} tells less"))?;
            self.tally.work("evidence files judged", 1);
            verdicts.insert(party.clone(), verdict);
        }
        for last in [&custody.origin, &custody.custodian] {
            if self.is_gone(last) || (*last != custody.custodian && self.gone_had_part(track)) {
                continue;
            }
            let verdict = &verdicts[last];
            // What follows a statement that a copy forgot and nobody else has stays without a link, and is told as such.
            let linked = verdict.unlinked.is_empty() || !self.truth.forgetful.is_empty();
            let same = verdict.custodian_now == custody.custodian
                && verdict.closed == custody.closed
                && verdict.steps.len() == custody.length
                && linked;
            holds(same, "I14", || format!("the ledger of {last} proves {}", verdict.custodian_now))?;
        }
        for hop in hops.iter().filter(|h| h.decision.is_some()) {
            let gone = self.is_gone(&hop.from) || self.is_gone(&hop.to);
            let told =
                [&hop.from, &hop.to].into_iter().filter(|p| !self.is_gone(p) && (!gone || **p == hop.from));
            for party in told {
                holds(proves(&verdicts[party], hop), "I14", || {
                    format!("the ledger of {party} does not prove hop {}", hop.hop)
                })?;
            }
        }
        Ok(())
    }
}

fn proves(verdict: &Verdict, hop: &Handed) -> bool {
    let outcome = match hop.decision {
        None => Outcome::Undecided,
        Some((_, None)) => Outcome::Accepted,
        Some((_, Some(cause))) => Outcome::Refused(cause),
    };
    verdict
        .custodians
        .iter()
        .any(|c| c.hop.0 == hop.hop && c.from == hop.from && c.to == hop.to && c.outcome == outcome)
}

/// The evidence file of one agency: links from the first record about the track to its checkpoint.
fn export(place: &Place, track: &TrackId, checkpoint: LedgerIndex) -> Sound<Vec<u8>> {
    let known = some(place.state().track(track), "I14", || format!("{} does not know it", place.id))?;
    let mut shown: BTreeSet<u64> = BTreeSet::from([checkpoint.0]);
    for entry in &known.entries {
        shown.extend([Some(entry.index), entry.answer].into_iter().flatten().map(|i| i.0));
    }
    for transfer in known.transfers.values() {
        shown.extend([transfer.receipt, transfer.cancel].into_iter().flatten().map(|i| i.0));
    }
    shown.extend(place.state().acts_of(known).into_iter().map(|index| index.0));
    let first = shown.first().copied().unwrap_or(0);
    let prev = first.checked_sub(1).map_or(Digest::ZERO, |before| place.ledger[before as usize].hash);
    let mut builder =
        EvidenceBuilder::new(&place.id, *track, String::new(), Head { size: first, hash: prev });
    for (index, kept) in place.ledger.iter().enumerate().take(checkpoint.0 as usize + 1).skip(first as usize)
    {
        if !shown.contains(&(index as u64)) {
            builder.hidden(payload_hash(&kept.payload));
            continue;
        }
        let proof = match &kept.record {
            lienthong_core::record::Record::Statement(record) => &record.statement.sealed.proof[..],
            _ => &[],
        };
        let shown = builder.shown(kept.payload.clone(), proof);
        shown.map_err(|r| Violation { invariant: "I14", what: format!("a proof is none: {r:?}") })?;
    }
    Ok(builder.finish())
}
