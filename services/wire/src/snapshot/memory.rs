//! Fences, pins and a recovery under way, to and from a snapshot.

use super::Unusable;
use super::decode::{agency, digest, optional};
use crate::statement::hash;
use lienthong_core::authority::Act;
use lienthong_core::ids::{Digest, Incarnation, LedgerIndex, WallMs};
use lienthong_core::recovery::{Memory, PeerFence, Pin, Recovery};
use lienthong_proto::v1;

pub(super) fn put(memory: &Memory, into: &mut v1::AgencySnapshot) {
    into.recovery = memory.recovery.map(|r| v1::RecoverySnapshot {
        incarnation: r.incarnation.0,
        fence: r.fence.0,
        kept: r.kept,
        since_ms: r.since.0,
        sid: hash(r.sid),
    });
    into.last_fence = memory.last_fence.map(hash).unwrap_or_default();
    into.answers_from = memory.answers_from.0;
    if let Some((day, above)) = memory.code_gap {
        (into.gap_day, into.gap_above) = (String::from_utf8_lossy(&day).into_owned(), above);
    }
    let vouched = memory.vouched.iter();
    into.vouched =
        vouched.map(|(sid, index)| v1::VouchedSnapshot { sid: hash(*sid), index: index.0 }).collect();
    let fence = |(peer, f): (&lienthong_core::ids::AgencyId, &PeerFence)| v1::FenceSnapshot {
        peer: peer.as_str().into(),
        min: f.min.0,
        fence: f.fence.map(hash).unwrap_or_default(),
        vouched: f.vouched.iter().copied().map(hash).collect(),
        recovering: f.recovering,
    };
    into.fences = memory.fences.iter().map(fence).collect();
    let pin = |(peer, pin): (&lienthong_core::ids::AgencyId, &Pin)| v1::PinSnapshot {
        peer: peer.as_str().into(),
        incarnation: pin.incarnation.0,
        index: pin.index.0,
        at: pin.at.0,
    };
    into.pins = memory.pins.iter().map(pin).collect();
    into.acts = memory.acts.0.iter().map(|(sid, act)| of_act(sid, act)).collect();
}

fn of_act(sid: &Digest, act: &Act) -> v1::ActSnapshot {
    v1::ActSnapshot {
        sid: hash(*sid),
        agency: act.agency.as_str().into(),
        successor: act.successor.as_ref().map(|s| s.as_str().into()).unwrap_or_default(),
        epoch: act.epoch,
        made_at_ms: act.made_at.0,
        index: act.index.0,
        known_by: act.known_by.iter().map(|peer| peer.as_str().into()).collect(),
    }
}

fn act(m: &v1::ActSnapshot) -> Result<Act, Unusable> {
    Ok(Act {
        agency: agency(&m.agency)?,
        successor: if m.successor.is_empty() { None } else { Some(agency(&m.successor)?) },
        epoch: m.epoch,
        made_at: WallMs(m.made_at_ms),
        index: LedgerIndex(m.index),
        known_by: m.known_by.iter().map(|peer| agency(peer)).collect::<Result<_, _>>()?,
    })
}

fn recovery(r: &v1::RecoverySnapshot) -> Result<Recovery, Unusable> {
    Ok(Recovery {
        incarnation: Incarnation(r.incarnation),
        fence: LedgerIndex(r.fence),
        sid: digest(&r.sid)?,
        kept: r.kept,
        since: WallMs(r.since_ms),
    })
}

pub(super) fn take(m: &v1::AgencySnapshot) -> Result<Memory, Unusable> {
    let mut memory = Memory {
        recovery: m.recovery.as_ref().map(recovery).transpose()?,
        last_fence: optional(&m.last_fence)?,
        answers_from: LedgerIndex(m.answers_from),
        ..Memory::default()
    };
    if !m.gap_day.is_empty() {
        let day = m.gap_day.as_bytes().try_into().map_err(|_| Unusable("day"))?;
        memory.code_gap = Some((day, m.gap_above));
    }
    for v in &m.vouched {
        memory.vouched.insert(digest(&v.sid)?, LedgerIndex(v.index));
    }
    for f in &m.fences {
        let fence = PeerFence {
            min: Incarnation(f.min),
            fence: optional(&f.fence)?,
            vouched: f.vouched.iter().map(digest).collect::<Result<_, _>>()?,
            recovering: f.recovering,
        };
        memory.fences.insert(agency(&f.peer)?, fence);
    }
    for p in &m.pins {
        let pin = Pin {
            incarnation: Incarnation(p.incarnation),
            index: LedgerIndex(p.index),
            at: LedgerIndex(p.at),
        };
        memory.pins.insert(agency(&p.peer)?, pin);
    }
    for a in &m.acts {
        memory.acts.0.insert(digest(&a.sid)?, act(a)?);
    }
    Ok(memory)
}
