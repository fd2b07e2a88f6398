//! From states to bytes.

use super::{FORMAT, PART, Snapshot, memory};
use crate::statement::hash;
use bytes::Bytes;
use lienthong_core::custody::commands::{About, Kept, Name};
use lienthong_core::custody::state::State;
use lienthong_core::custody::{packed, tracks};
use lienthong_core::delivery::outbox::{Awaits, Row, RowKey};
use lienthong_core::ids::TrackId;
use lienthong_proto::v1;
use prost::Message;
use std::io::{self, Write};

/// An encoded snapshot.
pub fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(snapshot, &mut bytes).expect("memory takes what is written");
    bytes
}

/// Writes an encoded snapshot, a part at a time.
///
/// # Errors
/// Those of `out`.
pub fn write(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let begins = v1::Snapshot {
        format: FORMAT,
        position: Bytes::copy_from_slice(&snapshot.position),
        physical_head: hash(snapshot.physical_head),
    };
    out.write_all(&begins.encode_length_delimited_to_vec())?;
    snapshot.states.iter().try_for_each(|state| agency(state, out))
}

fn agency(state: &State, out: &mut dyn Write) -> io::Result<()> {
    let mut first = v1::AgencySnapshot {
        incarnation: state.incarnation.0,
        size: state.next.0,
        head: hash(state.durable.hash),
        numbers: state
            .numbers
            .iter()
            .map(|(day, number)| v1::NumberSnapshot { day: day.to_string(), number: *number })
            .collect(),
        quarantined: state
            .quarantined
            .iter()
            .map(|(peer, kept)| v1::QuarantineSnapshot {
                peer: peer.as_str().into(),
                indices: kept.values().map(|i| i.0).collect(),
                digests: kept.keys().map(|d| hash(*d)).collect(),
            })
            .collect(),
        ..Default::default()
    };
    memory::put(&state.memory, &mut first);
    part(state, first, out)?;
    in_parts(state, out, state.tracks.iter().map(track), |part| &mut part.tracks)?;
    in_parts(state, out, state.commands.iter().map(command), |part| &mut part.commands)?;
    in_parts(state, out, state.outbox.rows().map(outbox), |part| &mut part.outbox)
}

fn in_parts<T>(
    state: &State,
    out: &mut dyn Write,
    mut all: impl Iterator<Item = T>,
    list: impl Fn(&mut v1::AgencySnapshot) -> &mut Vec<T>,
) -> io::Result<()> {
    loop {
        let mut next = v1::AgencySnapshot::default();
        list(&mut next).extend(all.by_ref().take(PART));
        if list(&mut next).is_empty() {
            return Ok(());
        }
        part(state, next, out)?;
    }
}

fn part(state: &State, mut part: v1::AgencySnapshot, out: &mut dyn Write) -> io::Result<()> {
    part.agency = state.me.as_str().into();
    out.write_all(&part.encode_length_delimited_to_vec())
}

fn track((id, kept): (&TrackId, tracks::Kept)) -> v1::TrackSnapshot {
    let packed = match &kept {
        tracks::Kept::Open(track) => packed::pack(track).into(),
        tracks::Kept::Closed(bytes) => Bytes::copy_from_slice(bytes),
    };
    v1::TrackSnapshot { id: hash(*id), packed }
}

fn command((name, kept): (&Name, &Kept)) -> v1::CommandSnapshot {
    let mut command = v1::CommandSnapshot {
        name: Bytes::copy_from_slice(name),
        digest: Bytes::copy_from_slice(&kept.digest),
        index: kept.index.0,
        ..Default::default()
    };
    match kept.about {
        About::Track(track) => command.track = hash(track),
        About::Alone(sid) => command.alone = hash(sid),
    }
    command
}

fn outbox(((index, to), row): (&RowKey, &Row)) -> v1::OutboxSnapshot {
    v1::OutboxSnapshot {
        index: index.0,
        to: to.as_str().into(),
        sid: hash(row.sid),
        kind: row.kind.name().into(),
        track: hash(row.track),
        awaits: match row.awaits {
            Awaits::Receipt => v1::AwaitsSnapshot::Receipt,
            Awaits::Decision => v1::AwaitsSnapshot::Decision,
            Awaits::Answer => v1::AwaitsSnapshot::Answer,
            Awaits::Ack => v1::AwaitsSnapshot::Ack,
        } as i32,
        since_ms: row.since.0,
    }
}
